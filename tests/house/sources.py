"""The project's own Python files as syntax trees, for tests that read code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "rollbook"


@dataclass(frozen=True)
class Source:
    """One file: its dotted module name, its text, and its tree."""

    module: str
    path: Path
    text: str
    tree: ast.Module

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """All nodes of its tree, in the order of `ast.walk`."""
        return (*ast.walk(self.tree),)

    @property
    def room(self) -> str:
        """The part of the house to which it belongs: the first name below the package."""
        return self.module.split(".")[1] if "." in self.module else ""

    def at(self, node: ast.AST) -> str:
        """Where a node stands, for a message."""
        return f"{self.path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"


@cache
def package() -> tuple[Source, ...]:
    """Every module of the package, read once in a test process."""
    return tuple(_read(path, PACKAGE.parent) for path in sorted(PACKAGE.rglob("*.py")))


@cache
def modules() -> frozenset[str]:
    """The names of the package's modules."""
    return frozenset(source.module for source in package()) - {"rollbook"}


@cache
def everything() -> tuple[Source, ...]:
    """Every Python file of the project, read once in a test process."""
    folders = ("tests", "bench", "tools")
    return (*package(), *(_read(path, ROOT) for folder in folders for path in _written(ROOT / folder)))


def imported(source: Source, modules: frozenset[str]) -> Iterator[tuple[str, ast.AST]]:
    """The package's modules that a file imports, each with its import."""
    for node in source.nodes:
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names if alias.name in modules)
        if isinstance(node, ast.ImportFrom) and node.module:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            # `from rollbook.contract import fields` imports a module, `from rollbook.contract.clever.fields
            # import Field` a name.
            yield from ((name, node) for name in inner if name in modules)
            if node.module in modules and not all(name in modules for name in inner):
                yield node.module, node


def _written(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*.py")) if "node_modules" not in path.parts]


def _read(path: Path, base: Path) -> Source:
    parts = path.relative_to(base).with_suffix("").parts
    module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    written = path.read_text("utf-8")
    return Source(module, path, written, ast.parse(written))

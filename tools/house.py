"""The drawing of the house in ARCHITECTURE.md, made from the imports of the package.

An arrow leads from a package to one that it imports. An arrow that follows from other arrows is left out.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "rollbook"
PAGE = ROOT / "ARCHITECTURE.md"
BEGIN, END = "<!-- Drawn from the imports by `make docs`. -->\n", "<!-- End of the drawing. -->\n"
# Packages that are drawn with their rooms.
WITH_ROOMS = ("roster", "store", "web")

Arrows = dict[str, set[str]]


def page() -> str:
    """ARCHITECTURE.md with the drawing of the current imports."""
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    return before + BEGIN + drawing() + END + rest.partition(END)[2]


def drawing() -> str:
    """The whole house, then the rooms of packages with rooms, as Mermaid flowcharts."""
    parts = [("The whole house:", arrows(""))]
    parts += [(f"Inside `{name}/`:", arrows(name)) for name in WITH_ROOMS]
    return "\n".join(f"{title}\n\n```mermaid\nflowchart TD\n{_lines(found)}```\n" for title, found in parts)


def arrows(package: str) -> Arrows:
    """For each part of a package, the other parts that it imports; `package` is "" for the whole."""
    prefix = f"rollbook.{package}." if package else "rollbook."
    found: Arrows = {}
    for path in sorted(PACKAGE.joinpath(package).rglob("*.py")):
        module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        part = _part(module.removesuffix(".__init__"), prefix)
        if part and part != "__main__":
            found.setdefault(part, set()).update(
                other for name in _imports(path) if (other := _part(name, prefix)) and other != part
            )
    known = {part: {other for other in others if other in found} for part, others in found.items()}
    return {part: _direct(others, known) for part, others in known.items()}


def _part(module: str, prefix: str) -> str:
    """The part of a package with a module; "" if it is outside."""
    return module.removeprefix(prefix).split(".")[0] if module.startswith(prefix) else ""


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _direct(others: set[str], known: Arrows) -> set[str]:
    """The others to which no other one leads."""
    return others - {far for other in others for far in _reached(other, known)}


def _reached(part: str, known: Arrows) -> set[str]:
    reached: set[str] = set()
    ahead = list(known[part])
    while ahead:
        if (next_one := ahead.pop()) not in reached:
            reached.add(next_one)
            ahead += known[next_one]
    return reached


def _lines(found: Arrows) -> str:
    pairs = [f"  {part} --> {other}\n" for part in sorted(found) for other in sorted(found[part])]
    pointed = {other for others in found.values() for other in others}
    alone = [f"  {part}\n" for part in sorted(found) if not found[part] and part not in pointed]
    return "".join([*pairs, *alone])

"""No file names a package registry's host, or a path of the machine it was written on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.house.sources import ROOT

SKIPPED = {
    ".git",
    ".venv",
    ".coverage",
    "__pycache__",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".hypothesis",
    "build",
    "dist",
    "node_modules",
    "vendor",
}
HOSTS = (
    "pypi.org",
    "pythonhosted.org",
    "npmjs.org",
    "npmjs.com",
    "yarnpkg.com",
    "proxy.golang.org",
    "crates.io",
    "rubygems.org",
)
REGISTRY = re.compile("|".join(map(re.escape, HOSTS)))
# A folder at the root of a machine, not a part of a longer path or address.
MACHINE = re.compile(r"(?<![\w.~#})])/(work|root|home|Users)/\w")


def test_no_file_names_a_registry() -> None:
    assert _found(REGISTRY) == []


def test_no_file_holds_a_path_of_a_machine() -> None:
    assert _found(MACHINE) == []


def _found(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for path in _files(ROOT)
        for number, line in enumerate(_text(path).splitlines(), 1)
        if pattern.search(line)
    ]


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name in SKIPPED or path.name.endswith((".egg-info", ".whl")) or path == Path(__file__):
            continue
        if path.is_dir():
            yield from _files(path)
        elif path.is_file():
            yield path


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        return ""

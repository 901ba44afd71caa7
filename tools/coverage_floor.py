"""Whether the tests reach enough of each package: the end of `make gate` and of `make coverage`.

Both measure lines and branches in every test process and in each program that a test starts. This tool joins
their files, prints a row for each floor, and lists what was missed. It exits with 1 if a package lies below its
floor. `make gate` measures only the packages of `GATE`.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from coverage import Coverage

ROOT: Final = Path(__file__).parent.parent
PACKAGE: Final = "src/rollbook/"
# Percent of the lines and branches, by package. "" stands for all other packages together.
FLOORS: Final[Mapping[str, float]] = {"contract": 100, "domain": 100, "auth": 100, "operations": 100, "": 95}
GATE: Final = ("contract", "domain", "auth", "operations")


@dataclass(frozen=True)
class Row:
    """A package beside its floor; `missed` names its lines and branches that no test ran."""

    package: str
    floor: float
    percent: float
    missed: tuple[str, ...]

    @property
    def is_reached(self) -> bool:
        return self.percent >= self.floor


def rows(files: Mapping[str, Any], floors: Mapping[str, float] = FLOORS) -> Iterator[Row]:
    """The packages of a report of `coverage json`: `files` by path from the root of the project."""
    for package, floor in floors.items():
        parts = {path: part for path, part in files.items() if _package(path, floors) == package}
        ran, all_ = (
            (sum(counts) for counts in zip(*map(_counts, parts.values()), strict=True)) if parts else (0, 0)
        )
        missed = tuple(text for path, part in sorted(parts.items()) if (text := _missed(path, part)))
        # A package without code has nothing that could be missed.
        yield Row(package or "the rest", floor, 100 * ran / all_ if all_ else 100.0, missed)


def _package(path: str, floors: Iterable[str]) -> str:
    first = path.removeprefix(PACKAGE).partition("/")[0]
    return first if first in floors else ""


def _counts(part: Mapping[str, Any]) -> tuple[int, int]:
    summary = part["summary"]
    return (
        summary["covered_lines"] + summary["covered_branches"],
        summary["num_statements"] + summary["num_branches"],
    )


def _missed(path: str, part: Mapping[str, Any]) -> str:
    lines = [str(line) for line in part["missing_lines"]]
    branches = [
        f"{start}->{end if end > 0 else 'exit'}"
        for start, end in part["missing_branches"]
        if start not in part["missing_lines"]
    ]
    return f"{path}: {', '.join(lines + branches)}" if lines or branches else ""


def table(found: Iterable[Row]) -> str:
    """The rows as text; below those that miss their floor stands what to test."""
    text = f"{'package':<12}{'covered':>9}{'floor':>8}\n"
    for row in found:
        text += f"{row.package:<12}{row.percent:>8.2f}%{row.floor:>7.0f}%\n"
        if not row.is_reached:
            text += "".join(f"    no test runs {place}\n" for place in row.missed)
    return text


def _report(config: str) -> Mapping[str, Any]:
    measured = Coverage(config_file=str(ROOT / config))
    measured.combine(keep=True)
    with tempfile.NamedTemporaryFile("r", suffix=".json") as file:
        measured.json_report(outfile=file.name)
        report: Mapping[str, Any] = json.loads(Path(file.name).read_text("utf-8"))["files"]
    return report


def main(arguments: list[str]) -> int:
    if arguments == ["--gate"]:
        floors = {package: FLOORS[package] for package in GATE}
        found = [*rows(_report("tools/coverage_gate.ini"), floors | {"": 0})][: len(GATE)]
    else:
        found = [*rows(_report("pyproject.toml"))]
    print(table(found), end="")
    return 0 if all(row.is_reached for row in found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

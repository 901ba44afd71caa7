"""How a run is shown: as a table for people, as JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping

import click
import orjson
from rich.console import Console
from rich.table import Table

from rollbook.roster.guard import Counts
from rollbook.sync import Sync

SHOWN_PROBLEMS = 20


def show(done: Sync, *, as_json: bool, applications: Mapping[str, int] | None = None) -> None:
    """Print a run; `applications` names the view of each connected application, for a plan."""
    if as_json:
        seen = {name: _as_json(done.views[view]) for name, view in (applications or {}).items()}
        click.echo(orjson.dumps({**done.as_json(), **({"applications": seen} if seen else {})}, option=orjson.OPT_INDENT_2))
        return
    console = Console(highlight=False, markup=False)
    number = f"sync {done.number}" if done.number else "a sync"
    console.print(f"{done.district.name}: {number} {done.state} at {done.created}")
    console.print(_table(done.kinds))
    for name, view in (applications or {}).items():
        console.print(f"{name} would see:")
        console.print(_table(done.views[view]))
    for sample in done.samples if done.number is None else ():
        console.print(f"  {sample['verb']:8} {sample['kind']:10} {sample['id']}  {sample['label']}")
    for reason in done.reasons:
        console.print(f"held: {reason}" if done.state == "held" else f"would be held: {reason}")
    for name, reasons in done.frozen.items():
        frozen = "is frozen, see `rollbook thaw`" if done.number else "would freeze"
        for reason in reasons:
            console.print(f"what {name} sees {frozen}: {reason}", soft_wrap=True)
    _problems(console, done)


def _as_json(counts: Mapping[str, Counts]) -> dict[str, dict[str, int]]:
    return {
        kind: {"created": count.created, "updated": count.updated, "deleted": count.deleted} for kind, count in counts.items()
    }


def _table(kinds: Mapping[str, Counts]) -> Table:
    table = Table("kind", box=None)
    for heading in ("existing", "created", "updated", "deleted", "errors"):
        table.add_column(heading, justify="right")
    for kind, counts in kinds.items():
        numbers = (counts.existing, counts.created, counts.updated, counts.deleted, counts.errors)
        table.add_row(kind, *(f"{number:,}" for number in numbers))
    return table


def _problems(console: Console, done: Sync) -> None:
    total = sum(done.problem_counts.values())
    for problem in done.problems[:SHOWN_PROBLEMS]:
        console.print(f"{problem.severity}: {problem} [{problem.code}]", soft_wrap=True)
    if total > SHOWN_PROBLEMS:
        console.print(f"and {total - SHOWN_PROBLEMS:,} more problems:")
        for code, count in done.problem_counts.items():
            console.print(f"  {count:>9,}  {code}")

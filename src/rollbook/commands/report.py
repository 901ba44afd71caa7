"""The report of a run: lines for people, JSON for programs. Runs of today and of the history look the same.

Each line is printed whole, however long: a program that reads a pipe or a file gets it as one line.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rollbook.commands.options import show_json
from rollbook.domain.guard import Counts
from rollbook.errors import SyncHeld
from rollbook.roster.problems_csv import Listing

if TYPE_CHECKING:  # a check of files needs no sync
    from rollbook.sync import Sync

# A report as `Sync.as_json` makes it, from this version or an earlier one.
Report = Mapping[str, Any]
COUNTS = ("existing", "created", "updated", "deleted", "errors")
# Runs that show examples of their changes, because an operator must decide about them.
JUDGED = ("planned", "held")
HELD_WORDS = {"planned": "would be held", "held": "held"}


def show(done: Sync, *, as_json: bool, applications: Mapping[str, int] | None = None) -> None:
    """Print a run. For a plan, `applications` has each connected application's view, by the application's name."""
    told = done.as_json()
    if applications:
        told["applications"] = {name: _counts(done.views[view]) for name, view in applications.items()}
    if as_json:
        show_json(told)
        return
    say(lines(done.district.name, told, has_samples=done.state in JUDGED))


def say(told: Iterable[str]) -> None:
    """Print each line as one line: text from a district's files cannot break it or control a terminal."""
    for line in told:
        click.echo("".join(letter if letter.isprintable() else "?" for letter in line))


def raise_if_held(done: Sync, what: str, advice: str) -> None:
    """Errors: SyncHeld if a run waits for an operator's decision, or if a plan would.

    `advice` says what to do: `{name}` in it is the district's name, `{confirm}` the option that repeats it,
    if one is needed.
    """
    if not done.reasons or done.state == "committed":
        return
    because = "; ".join(str(reason) for reason in done.reasons)
    if done.state == "planned":
        raise SyncHeld(f"this {what} would be held: {because}")
    name = shlex.quote(done.district.name)
    confirm = f" --confirm {name}" if any(reason.needs_name for reason in done.reasons) else ""
    raise SyncHeld(f"nothing was changed: {because}. {advice.format(name=name, confirm=confirm)}")


def show_listed(listed: Listing, file: Path | None, total: int) -> None:
    """Say which file lists all problems."""
    what = f"{total:,}" if listed.written == total else f"the first {listed.written:,} of {total:,}"
    click.echo(f"{what} problems are listed in {file}")


def lines(district: str, told: Report, *, has_samples: bool) -> Iterator[str]:
    """A report for people. Lines for which an older report has no facts are left out."""
    number = f"sync {told['sync']}" if told["sync"] else "a sync"
    cause = f" ({told['cause']})" if told.get("cause", "files") != "files" else ""
    yield f"{district}: {number}{cause} {told['state']} at {told['created']}"
    yield from _taken_back(told)
    if "unchanged_since" in told:
        first = told["unchanged_since"]
        yield (
            f"nothing changed since sync {first['sync']} ({first['created']}): files, rules, limits, shares, settings "
            "and program are the same, so this sync did no work; `--again` does it anyway"
        )
    yield from _kinds(told.get("kinds", {}))
    yield from _samples(told.get("samples", []) if has_samples else [])
    for name, kinds in told.get("applications", {}).items():
        yield f"{name} would see:"
        yield from _kinds(kinds)
    held = HELD_WORDS.get(told["state"], "was held")
    yield from (f"{held}: {reason}" for reason in told.get("held_because", ()))
    frozen = "is frozen, see `rollbook thaw`" if told["sync"] else "would freeze"
    for name, reasons in told.get("frozen", {}).items():
        yield from (f"what {name} sees {frozen}: {reason}" for reason in reasons)
    yield from problems(told)


def _taken_back(told: Report) -> Iterator[str]:
    """Which sync an undo takes back, and what another undo does."""
    if "takes_back" not in told:
        return
    taken, restored = told["takes_back"], told["restores"]
    is_done = told["state"] == "committed"
    roster = f"that of {_named(restored)}" if restored else "empty"
    yield (
        f"{_named(taken)} {'was' if is_done else 'would be'} taken back: the roster {'is' if is_done else 'would be'} {roster}"
        f" again; another undo restores that of sync {taken['sync']}"
    )


def _named(run: Mapping[str, Any]) -> str:
    return f"sync {run['sync']} ({run['cause']}, {run['created']})"


def _counts(kinds: Mapping[str, Counts]) -> dict[str, dict[str, int]]:
    return {kind: asdict(counts) for kind, counts in kinds.items()}


def _kinds(kinds: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    if not kinds:
        return
    yield _row("kind", COUNTS)
    for kind, counts in kinds.items():
        yield _row(kind, [f"{counts.get(name, 0):,}" for name in COUNTS])


def _row(kind: str, cells: Iterable[str]) -> str:
    return f"  {kind:16}" + "".join(f"{cell:>11}" for cell in cells)


def _samples(samples: list[Mapping[str, str]]) -> Iterator[str]:
    if samples:
        yield "for example:"
    for sample in samples:
        yield f"  {sample['verb']:8} {sample['kind']:10} {sample['id']}  {sample['label']}".rstrip()


def problems(told: Report) -> Iterator[str]:
    """The problems of the files: each stop, and a few examples of the others."""
    groups = told.get("problem_groups", [])
    if told["state"] == "failed":
        yield from _stops(told)
    elif groups:
        yield f"{severities(told)}, in the order in which to fix them:"
        for group in groups:
            yield from _group(group)


def _stops(told: Report) -> Iterator[str]:
    """All stops: an operator must fix each of them before a sync can work."""
    found = told.get("problems", [])
    yield from (
        f"stop: {problem['message']} [{problem['code']}]" for problem in found if isinstance(problem, Mapping)
    )
    rest = told.get("problems_by_severity", {}).get("stop", 0) - len(found)
    if rest > 0:
        yield f"and {rest:,} more"


def _group(group: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"{group['severity']}: {group['count']:,} x {group['code']} in "
        f"{group['file'] or 'other files'} ({group['title']})"
    )
    yield from (f"  {example['message']}" for example in group["examples"])
    rest = group["count"] - len(group["examples"])
    if rest:
        yield f"  and {rest:,} more"


def severities(told: Report) -> str:
    """How many errors and warnings there are; blank if there are none."""
    counts = told.get("problems_by_severity", {}).items()
    return " and ".join(
        f"{count:,} {severity}{'' if count == 1 else 's'}" for severity, count in counts if count
    )

"""A night in words: the same lines for `rollbook night` and for mail. A mail shows no message of a job, because it may
name a path of the server's machine."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rollbook.domain import school_days
from rollbook.operations.scheduling import Night
from rollbook.store.records.commits import Run


def counts(run: Run) -> dict[str, int]:
    """How many records a run created, updated and deleted."""
    kinds = run.report.get("kinds", {}).values()
    return {verb: sum(int(each.get(verb, 0)) for each in kinds) for verb in ("created", "updated", "deleted")}


def head(night: Night) -> str:
    """The state of a district in a few words."""
    return f"{night.state}{', late' if night.is_late else ''}"


def lines(night: Night, zone: str) -> Iterator[str]:
    """A night on a terminal: the district, what happened, and the next step as a command."""
    yield f"{night.name}: {head(night)} ({zone})"
    yield from (f"  {line}" for line in happened(night, zone, has_messages=True))
    if night.next_step:
        yield f"  > {night.next_step}"


def happened(night: Night, zone: str, *, has_messages: bool = False) -> Iterator[str]:
    """What came, the runs, and the jobs that did not end well, each with its time."""
    for one in night.came:
        yield f"{_clock(one.came / 1000, zone)}  {one.files} files came, {one.bytes / 1e6:,.1f} MB"
    for run in reversed(night.runs):
        told = ", ".join(f"{number:,} {verb}" for verb, number in counts(run).items())
        at = _clock(datetime.fromisoformat(run.created).timestamp(), zone)
        yield f"{at}  sync {run.number} {run.state}{f': {told}' if run.state != 'failed' else ''}"
    for job in night.jobs:
        message = f": {job.message}" if job.message and has_messages else ""
        yield f"{_clock(job.created / 1000, zone)}  job {job.number} {job.state}{message}"
    if not (night.came or night.runs or night.jobs):
        yield "nothing came"


def _clock(seconds: float, zone: str) -> str:
    return f"{datetime.fromtimestamp(seconds, school_days.zone(zone)):%H:%M}"

"""`rollbook night`: what happened since yesterday evening, district by district."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import click

from rollbook.commands import report
from rollbook.commands.jobs import moment
from rollbook.commands.options import database_option, json_option, read_settings, show_json
from rollbook.domain import school_days
from rollbook.operations import scheduling
from rollbook.operations.scheduling import Night
from rollbook.store.engine.opening import opened
from rollbook.store.records.commits import Run


@click.command()
@click.option("--zone", help="Show times in this time zone; else each district's, or UTC without a schedule.")
@database_option
@json_option
@click.pass_context
def night(context: click.Context, zone: str | None, database: str | None, as_json: bool) -> None:
    """Show what happened since yesterday evening (18:00 in each district's time zone): what came, went in, was held,
    failed or is late, and the next step.

    Times for programs are in UTC. Exit code: 0 if nobody must do anything, else 1.
    """
    if zone:
        school_days.zone(zone)
    with opened(read_settings(database=database)) as store:
        found = scheduling.nights(store)
    open_steps = sum(1 for each in found if each.next_step)
    if as_json:
        show_json({"is_well": not open_steps, "districts": [as_dict(each) for each in found]})
    else:
        report.say(
            [*(line for each in found for line in _lines(each, zone or each.zone)), _total(found, open_steps)]
        )
    context.exit(1 if open_steps else 0)


def as_dict(each: Night) -> dict[str, object]:
    """A district's night for programs."""
    return {
        "district": each.name,
        "state": each.state,
        "since": moment(int(each.since * 1000)),
        "came": [
            {
                "at": moment(one.came),
                "files": one.files,
                "bytes": one.bytes,
                "job": one.job,
                "deleted": moment(one.deleted),
            }
            for one in each.came
        ],
        "runs": [
            {"sync": run.number, "cause": run.cause, "state": run.state, "at": run.created, **_counts(run)}
            for run in each.runs
        ],
        "open_jobs": [
            {"job": job.number, "kind": job.kind, "state": job.state, "message": job.message}
            for job in each.jobs
        ],
        "unfinished_files": each.unfinished,
        "is_late": each.is_late,
        "troubles": each.troubles,
        "next_step": each.next_step,
    }


def _counts(run: Run) -> dict[str, int]:
    kinds = run.report.get("kinds", {}).values()
    return {verb: sum(int(each.get(verb, 0)) for each in kinds) for verb in ("created", "updated", "deleted")}


def _lines(each: Night, zone: str) -> Iterator[str]:
    yield f"{each.name}: {each.state}{', late' if each.is_late else ''} ({zone})"
    for one in each.came:
        yield f"  {_clock(one.came / 1000, zone)}  {one.files} files came, {one.bytes / 1e6:,.1f} MB"
    for run in reversed(each.runs):
        counts = ", ".join(f"{number:,} {verb}" for verb, number in _counts(run).items())
        at = _clock(datetime.fromisoformat(run.created).timestamp(), zone)
        yield f"  {at}  sync {run.number} {run.state}{f': {counts}' if run.state != 'failed' else ''}"
    for job in each.jobs:
        yield f"  {_clock(job.created / 1000, zone)}  job {job.number} {job.state}{f': {job.message}' if job.message else ''}"
    if not (each.came or each.runs or each.jobs):
        yield "  nothing came"
    if each.next_step:
        yield f"  > {each.next_step}"


def _clock(seconds: float, zone: str) -> str:
    return f"{datetime.fromtimestamp(seconds, school_days.zone(zone)):%H:%M}"


def _total(found: list[Night], open_steps: int) -> str:
    return f"{open_steps} of {len(found)} districts need attention" if open_steps else "all is well"

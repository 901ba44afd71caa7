"""`rollbook night`: what happened since yesterday evening, district by district."""

from __future__ import annotations

import click

from rollbook.commands import report
from rollbook.commands.jobs import moment
from rollbook.commands.options import database_option, json_option, read_settings, show_json
from rollbook.domain import school_days
from rollbook.operations import night_words, scheduling
from rollbook.operations.scheduling import Night
from rollbook.store.engine.opening import opened


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
            [
                *(line for each in found for line in night_words.lines(each, zone or each.zone)),
                _total(found, open_steps),
            ]
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
            {
                "sync": run.number,
                "cause": run.cause,
                "state": run.state,
                "at": run.created,
                **night_words.counts(run),
            }
            for run in each.runs
        ],
        "open_jobs": [
            {"job": job.number, "kind": job.kind, "state": job.state, "message": job.message}
            for job in each.jobs
        ],
        "unfinished_files": each.unfinished,
        "is_late": each.is_late,
        "is_waiting": each.is_waiting,
        "troubles": each.troubles,
        "next_step": each.next_step,
    }


def _total(found: list[Night], open_steps: int) -> str:
    return f"{open_steps} of {len(found)} districts need attention" if open_steps else "all is well"

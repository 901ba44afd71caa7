"""`rollbook jobs`: the queue, and the results of its jobs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime

import click

from rollbook.commands import report
from rollbook.commands.options import database_option, json_option, read_settings, show_json
from rollbook.operations import job_control
from rollbook.store.district import districts
from rollbook.store.engine.opening import opened
from rollbook.store.work import job_queue
from rollbook.store.work.job_queue import STATES, Job


@click.group(invoke_without_command=True)
@click.option("--district", help="Only jobs of this district, by its name or id.")
@click.option("--state", type=click.Choice(STATES), help="Only jobs in this state.")
@click.option("--last", type=click.IntRange(1, 10_000), default=20, show_default=True, help="How many jobs.")
@database_option
@json_option
@click.pass_context
def jobs(
    context: click.Context,
    district: str | None,
    state: str | None,
    last: int,
    database: str | None,
    as_json: bool,
) -> None:
    """List the newest jobs: state, stage, result, and how long they took."""
    if context.invoked_subcommand:
        context.obj = database
        return
    with opened(read_settings(database=database)) as store:
        owner = districts.find(store, district).number if district else None
        with store.read() as transaction:
            found = job_queue.latest(transaction, last, state=state, district=owner)
            now = job_queue.now(transaction)
    if as_json:
        show_json([as_dict(job, now) for job in found])
    else:
        report.say([line for job in found for line in _lines(job, now)] or ["no jobs"])


@jobs.command()
@click.argument("number", type=int)
@database_option
@click.pass_context
def cancel(context: click.Context, number: int, database: str | None) -> None:
    """Take the job with this NUMBER out of the queue, or stop it if it runs."""
    with opened(read_settings(database=database or context.obj)) as store:
        job = job_control.cancel(store, number)
    click.echo(f"job {number} is {'being stopped' if job.state == 'running' else job.state}")


@jobs.command()
@database_option
@click.pass_context
def prune(context: click.Context, database: str | None) -> None:
    """Queue a job that drops old versions, events, logged requests, sessions and jobs."""
    with opened(read_settings(database=database or context.obj)) as store:
        click.echo(f"job {job_control.queue_pruning(store)} waits")


def as_dict(job: Job, now: int) -> dict[str, object]:
    """A job for programs. Times are in UTC; `seconds` is how long it has run."""
    told = {
        name: value
        for name, value in asdict(job).items()
        if name not in ("lane", "fence", "wants_end", "created", "due", "begun", "ended")
    }
    moments = {name: moment(getattr(job, name)) for name in ("created", "due", "begun", "ended")}
    return {
        **told,
        **moments,
        "seconds": _seconds(job, now),
        "is_stopping": job.wants_end and job.state == "running",
    }


def moment(milliseconds: int | None) -> str | None:
    """Unix milliseconds as a time in UTC."""
    if milliseconds is None:
        return None
    return (
        datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    )


def _seconds(job: Job, now: int) -> float | None:
    if job.begun is None or job.state == "waiting":
        return None
    return max((now if job.ended is None else job.ended) - job.begun, 0) / 1000


def _lines(job: Job, now: int) -> Iterator[str]:
    seconds = _seconds(job, now)
    took = "" if seconds is None else f"{seconds:,.1f} s"
    parts = (
        f"{job.number:>6}",
        f"{job.state:9}",
        f"{job.kind:6}",
        f"{moment(job.created)}",
        f"{took:>9}",
        job.district,
    )
    yield "  ".join(parts).rstrip()
    if job.run:
        counts = ", ".join(f"{number:,} {verb}" for verb, number in job.counts.items())
        yield f"        sync {job.run} {job.run_state}: {counts or 'no changes'}"
    if job.state == "running" and job.stage:
        yield f"        {job.stage}"
    if job.message:
        yield f"        {job.message}"

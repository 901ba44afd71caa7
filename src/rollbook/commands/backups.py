"""`rollbook backups`: the backups that a worker makes each day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from rollbook.commands import report
from rollbook.commands.jobs import moment
from rollbook.commands.options import database_option, json_option, read_settings, show_json
from rollbook.errors import BadSetting
from rollbook.operations import daily_backups
from rollbook.operations.daily_backups import Daily
from rollbook.store.engine.opening import opened


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), help="The folder for the backups.")
@click.option("--at", metavar="HH:MM", help="Time of day at which a worker makes one; default 06:00.")
@click.option("--zone", help="Time zone, such as America/Chicago; default UTC.")
@click.option(
    "--keep",
    type=click.IntRange(1, 1000),
    help="Number of backups to keep; a worker deletes older ones. Default 7.",
)
@click.option("--now", is_flag=True, help="Queue a backup now.")
@click.option("--remove", is_flag=True, help="End the daily backups; those that exist stay.")
@database_option
@json_option
def backups(
    folder: Path | None, now: bool, remove: bool, database: str | None, as_json: bool, **options: object
) -> None:
    """Show or set the backups that a worker makes each day.

    They lack the server's key: keep a copy of it in another place.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if folder:
        given["folder"] = str(folder.absolute())
    if remove and (given or now):
        raise BadSetting("remove: expected no other option beside --remove")
    with opened(read_settings(database=database)) as store:
        if remove:
            daily_backups.remove(store)
        elif given:
            daily_backups.change(store, **given)
        job = daily_backups.queue(store) if now else None
        with store.read() as transaction:
            daily = daily_backups.read(transaction)
    if as_json:
        show_json(_as_dict(daily) if daily else None)
    elif job:
        click.echo(f"job {job} waits")
    else:
        report.say(_lines(daily) if daily else ["no daily backups; set them with --folder"])


def _as_dict(daily: Daily) -> dict[str, object]:
    every = [
        {"file": str(path), "bytes": path.stat().st_size, "written": moment(int(path.stat().st_mtime * 1000))}
        for path in daily_backups.existing(daily)
    ]
    return {**asdict(daily), "since": moment(daily.since), "backups": every}


def _lines(daily: Daily) -> Iterator[str]:
    yield f"folder         {daily.folder}"
    yield f"each day at    {daily.at} {daily.zone}"
    yield f"kept           {daily.keep}"
    for path in daily_backups.existing(daily):
        yield f"  {path.name}  {path.stat().st_size / 1e6:,.1f} MB"

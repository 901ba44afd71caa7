"""`rollbook arrivals`: the files of a district that came, and what became of them."""

from __future__ import annotations

from dataclasses import asdict

import click

from rollbook.commands import report
from rollbook.commands.jobs import moment
from rollbook.commands.options import database_option, json_option, read_settings, show_json
from rollbook.operations import file_arrivals
from rollbook.operations.file_arrivals import Came
from rollbook.store.engine.opening import opened


@click.command()
@click.argument("district")
@click.option(
    "--last", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many uploads to list."
)
@database_option
@json_option
def arrivals(district: str, last: int, database: str | None, as_json: bool) -> None:
    """List the uploads of a DISTRICT (name or id), newest first.

    Each line says when an upload came, from where, until when it is kept, which run took it in, and its folder.
    """
    settings = read_settings(database=database)
    with opened(settings) as store:
        found = file_arrivals.came(store, settings, district, last)
    if as_json:
        show_json([as_dict(each) for each in found])
        return
    report.say([_line(each) for each in found] or ["no files came yet"])


def as_dict(each: Came) -> dict[str, object]:
    """An upload for programs."""
    times = {name: _moment(getattr(each, name)) for name in ("at", "kept_until", "deleted")}
    return {**asdict(each), **times}


def _line(each: Came) -> str:
    kept = f"deleted {_moment(each.deleted)}" if each.deleted else f"kept until {_moment(each.kept_until)}"
    run = f"run {each.run} ({each.state})" if each.run else each.state or "not synced"
    return f"{_moment(each.at)}  {each.source:11}  {each.count} files, {each.bytes:,} bytes  {run}  {kept}  {each.place}"


def _moment(seconds: float | None) -> str | None:
    return moment(int(seconds * 1000)) if seconds else None

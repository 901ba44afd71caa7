"""`rollbook schedule`: how a district's files come, and when they are late."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click

from rollbook.commands import report
from rollbook.commands.options import database_option, json_option, read_settings, show_json
from rollbook.domain.school_days import DAYS, RULES, Schedule, spans
from rollbook.operations import drop_folders, scheduling
from rollbook.store.engine.opening import opened


@click.command()
@click.argument("district")
@click.option(
    "--folder", type=click.Path(path_type=Path), help="The drop folder that the files are uploaded to."
)
@click.option(
    "--rule",
    type=click.Choice(tuple(RULES)),
    help=f"When an upload is complete: {'; '.join(RULES.values())}.",
)
@click.option("--marker", help="Name of the file that comes last; default complete.")
@click.option("--quiet-minutes", type=click.IntRange(0, 1440), help="Minutes without a change; default 30.")
@click.option("--at", metavar="HH:MM", help="For the rule `at`: the time of the day.")
@click.option("--late-after", metavar="HH:MM", help="Files are late if none came by then on a school day.")
@click.option("--zone", help="Time zone, such as America/Chicago; default UTC.")
@click.option(
    "--days", metavar="DAYS", help=f"School days, such as '{' '.join(DAYS[:5])}', which is the default."
)
@click.option(
    "--off",
    multiple=True,
    metavar="DAY[..DAY]",
    help="Days without school; may be repeated, and replaces those before.",
)
@click.option(
    "--keep-days", type=click.IntRange(1, 3650), help="Days for which uploaded files are kept; default 14."
)
@click.option("--remove", is_flag=True, help="Drop the schedule.")
@database_option
@json_option
def schedule(
    district: str, off: tuple[str, ...], remove: bool, database: str | None, as_json: bool, **options: object
) -> None:
    """Show or set how the files of a DISTRICT (name or id) come.

    A worker looks at the drop folder every five seconds. It moves a complete upload away and syncs it.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if given.get("folder"):
        given["folder"] = str(Path(str(given["folder"])).absolute())
    if "days" in given:
        given["days"] = tuple(str(given["days"]).lower().split())
    if off:
        given["off"] = spans(off)
    with opened(read_settings(database=database)) as store:
        if remove:
            scheduling.remove(store, district)
            click.echo("the schedule is dropped")
            return
        if given:
            scheduling.change(store, district, lambda now: replace(now, **given))  # type: ignore[arg-type]
        found = scheduling.read(store, district)
    if as_json:
        show_json(_as_dict(found) if found else None)
    else:
        report.say(_lines(found) if found else ["no schedule; set one with --folder"])


def _as_dict(found: Schedule) -> dict[str, object]:
    told = {name: getattr(found, name) for name in Schedule.__slots__ if name != "off"}
    return {**told, "off": [[first.isoformat(), last.isoformat()] for first, last in found.off]}


def _lines(found: Schedule) -> Iterator[str]:
    yield f"drop folder    {found.folder or 'none'}"
    if found.folder:
        yield f"taken to       {drop_folders.taken_folder(Path(found.folder))}"
    detail = {
        "marker": f" ({found.marker})",
        "quiet": f" ({found.quiet_minutes})",
        "at": f" ({found.at}, {found.quiet_minutes})",
    }
    yield f"complete       {RULES[found.rule]}{detail.get(found.rule, '')}"
    yield f"late after     {found.late_after or 'never'}"
    yield f"time zone      {found.zone}"
    yield f"school days    {' '.join(found.days)}"
    yield from (f"no school      {first} to {last}" for first, last in found.off)
    yield f"files kept     {found.keep_days} days"

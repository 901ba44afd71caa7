"""`rollbook status`: all districts on one screen, with an exit code for monitoring."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import click

from rollbook.commands import report, standing_report
from rollbook.commands.options import database_option, json_option, read_settings, show_json
from rollbook.operations import readiness, scheduling
from rollbook.store.engine.opening import opened
from rollbook.sync import standing
from rollbook.sync.standing import Standing

NAME_CHARACTERS = 40


@click.command()
@click.option(
    "--max-age",
    "hours_max",
    type=click.FloatRange(min=0),
    help="Hours after which the last committed sync is too old.",
)
@database_option
@json_option
@click.pass_context
def status(context: click.Context, hours_max: float | None, database: str | None, as_json: bool) -> None:
    """Show how all districts stand: state, last sync, problems of its files, and what needs attention.

    Exit code: 0 if nothing needs attention. 1 if a sync is held, the last files could not be used, nothing
    was synced yet, files are late, a complete upload waits for a worker, a view is frozen, or the last committed
    sync is older than --max-age. Rejected rows and pauses do not count.
    """
    settings = read_settings(database=database)
    with opened(settings) as store:
        found = {each.district.name: each for each in standing.of_all(store)}
        ready, without_files = readiness.look(store), scheduling.without_files(store)
    troubles = {name: standing.troubles(each, hours_max) for name, each in found.items()}
    for name, sentence in without_files.items():
        troubles[name] = [*troubles[name], sentence]
    is_well = not any(troubles.values()) and not ready.troubles
    if as_json:
        shown = [
            {**standing_report.as_json(each, settings), "troubles": troubles[name]}
            for name, each in found.items()
        ]
        show_json({"is_well": is_well, "server": ready.as_json(), "districts": shown})
    else:
        report.say([*_lines(found, troubles), *ready.troubles] if ready.troubles else _lines(found, troubles))
    context.exit(0 if is_well else 1)


def _lines(found: Mapping[str, Standing], troubles: Mapping[str, list[str]]) -> Iterator[str]:
    width = min(NAME_CHARACTERS, max([len("district"), *map(len, found)]))
    yield _row(width, "district", "state", "last sync", "errors", "warnings")
    for name, each in found.items():
        yield _row(width, name, each.state, *_last(each))
        yield from (f"  {line}" for line in troubles[name])
        if each.state == "paused":
            yield f"  paused until {each.district.pause_end or 'it is resumed'}"
    ill = sum(1 for lines in troubles.values() if lines)
    yield f"{ill} of {len(found)} districts need attention" if ill else "all is well"


def _row(width: int, name: str, state: str, last: str, errors: str, warnings: str) -> str:
    return f"{name:{width}}  {state:8} {last:42} {errors:>9} {warnings:>9}".rstrip()


def _last(each: Standing) -> tuple[str, str, str]:
    """The last run that was meant to change the roster, and the problems of its files."""
    run = each.glance.last
    if run is None:
        return "", "", ""
    counts = standing_report.problems(run)
    return f"{run.number} {run.state} {run.created}", f"{counts['errors']:,}", f"{counts['warnings']:,}"

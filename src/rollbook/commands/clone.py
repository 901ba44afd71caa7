"""`rollbook clone`: copy a district from another server."""

from __future__ import annotations

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from rollbook.commands import report
from rollbook.commands.options import database_option, json_option, read_settings
from rollbook.operations import district_setup
from rollbook.settings import PREFIX
from rollbook.store.engine.opening import opened


@click.command()
@click.argument("url")
@click.option(
    "--token",
    envvar=f"{PREFIX}CLONE_TOKEN",
    required=True,
    show_envvar=True,
    help="A district token of that server; it is neither stored nor printed.",
)
@click.option("--name", help="Name of the copy here; default: its name at the source.")
@click.option("--fresh", is_flag=True, help="Start over, even if a clone broke off within the last hour.")
@database_option
@json_option
def clone(url: str, token: str, name: str | None, fresh: bool, database: str | None, as_json: bool) -> None:
    """Copy the district of a token from the server at URL, or bring the copy up to date.

    Any server that speaks this API will do. Ids, dates and fields that Rollbook does not know are kept
    unchanged. A second clone takes the changes over and publishes them as events. A clone that breaks off
    continues where it stopped.
    """
    settings = read_settings(database=database)
    with opened(settings, may_begin=True) as store, _bar() as bar:
        done = district_setup.clone(
            store, settings, url, token, name=name, is_fresh=fresh, progress=_Shown(bar).tell
        )
    report.show(done, as_json=as_json)


def _bar() -> Progress:
    columns = (TextColumn("{task.description:18}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))


class _Shown:
    """The lists as lines of a progress bar; each line appears when its list begins."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._tasks: dict[str, TaskID] = {}

    def tell(self, name: str, done: int, total: int | None) -> None:
        if name not in self._tasks:
            self._tasks[name] = self._bar.add_task(name, total=total)
        self._bar.update(self._tasks[name], completed=done, total=total)

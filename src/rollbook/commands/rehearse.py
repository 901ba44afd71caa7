"""`rollbook rehearse`: a report card for an application that is being developed against a demo."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import click
import orjson

from rollbook.commands.options import json_option, read_settings
from rollbook.demo import demo_folder, rehearsal
from rollbook.demo.rehearsal import NO_LOGIN, Judged, Rehearsal, Wish
from rollbook.demo.rehearsal_points import POINTS
from rollbook.errors import BadSetting
from rollbook.store.engine.opening import opened

DEFAULT_FOLDER = Path("rollbook-demo")
# The exit code if nothing failed, and some points were not seen.
UNSEEN = 3


@click.command()
@click.argument("application")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, readable=False),
    default=DEFAULT_FOLDER,
    show_default=True,
    help="The folder of the demo, which must be running.",
)
@click.option(
    "--sync",
    "command",
    metavar="COMMAND",
    default="",
    help="A command line that lets the application read the district once; it runs in each scene.",
)
@click.option(
    "--callback",
    metavar="ADDRESS",
    default="",
    help="Where logins of the application return; default: its first registered address. `-` plays no login.",
)
@click.option(
    "--point",
    "points",
    multiple=True,
    type=click.Choice([point.name for point in POINTS]),
    help="Judge only this point. May be repeated.",
)
@click.option("--leave", is_flag=True, help="Leave the demo as the scenes left it; default: put it back.")
@json_option
def rehearse(
    application: str,
    folder: Path,
    command: str,
    callback: str,
    points: tuple[str, ...],
    leave: bool,
    as_json: bool,
) -> None:
    """Play scenes for an APPLICATION (name or client id) of a running demo, and judge its requests.

    The demo breaks requests, lets a student change schools and another one leave, and sends logins with and
    without state. The request log tells what the application did. The exit code is 0 if every point passed, 1 if
    one failed, and 3 if none failed and some were not seen. Afterwards the demo is put back to how it was.
    """
    if callback not in ("", NO_LOGIN) and urlsplit(callback).scheme not in ("http", "https"):
        raise BadSetting(
            f"callback: expected an http or https address, or {NO_LOGIN} for no login; got {callback!r}"
        )
    settings = read_settings(
        database=str(folder / demo_folder.DATABASE), key_file=str(folder / demo_folder.KEY)
    )
    served = rehearsal.served(folder)
    with opened(settings) as database:
        found = rehearsal.find(database, application)
        wish = Wish(command, callback, points)
        played = Rehearsal(database, settings, found, served, wish, lambda text: click.echo(text, err=True))
        with rehearsal.put_back_after(folder, settings, is_wanted=not leave):
            judged = played.play()
    counts = Counter(each.verdict.state for each in judged)
    if as_json:
        told = {"application": found.name, "client_id": found.client_id, "counts": counts}
        click.echo(
            orjson.dumps({**told, "points": [each.as_json() for each in judged]}, option=orjson.OPT_INDENT_2)
        )
    else:
        for each in judged:
            _show(each)
        click.echo(", ".join(f"{counts[state]} {state}" for state in ("passed", "failed", "not seen")))
    if counts["failed"]:
        sys.exit(1)
    if counts["not seen"]:
        sys.exit(UNSEEN)


SIGNS = {"passed": "✓", "failed": "✗", "not seen": "○"}


def _show(judged: Judged) -> None:
    point, verdict = judged.point, judged.verdict
    click.echo(f"{SIGNS[verdict.state]} {point.title}: {verdict.state}")
    if verdict.state == "passed":
        return
    click.echo(f"    {verdict.why}")
    for entry in verdict.shown:
        click.echo(f"    {entry.status or 'dropped'}  {entry.method} {entry.address}")
    click.echo(f"    Rule: {point.rule.replace('`', '')}")

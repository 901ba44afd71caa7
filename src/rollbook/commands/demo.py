"""`rollbook demo`: a sandbox with a realistic district and published test tokens."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click

from rollbook.auth import published
from rollbook.commands.options import json_option, read_settings
from rollbook.errors import Refused
from rollbook.settings import Settings
from rollbook.synthetic.stories import STORIES
from rollbook.web import server
from rollbook.web.app import Demo
from rollbook.web.explorer import curl_lines

DEFAULT_FOLDER = Path("rollbook-demo")
DISTRICT = "#DEMO Rollbook Unified School District"
READY = "ready"
# What a demo keeps in its folder; nothing else there is ever touched.
KEPT = (READY, "advance.lock", "rollbook.db", "rollbook.db-wal", "rollbook.db-shm", "rollbook.db.key")
# What --advance takes.
TARGETS = f"a number of days, {', '.join(STORIES)}; or approve or discard, for what is held"


@click.command()
@click.option("--host", help="Address to listen on; default 127.0.0.1.")
@click.option("--port", type=int, help="Port to listen on; default 8400.")
@click.option("--students", type=int, default=1000, show_default=True, help="How many students the district has.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same district.")
@click.option("--folder", type=click.Path(path_type=Path), default=DEFAULT_FOLDER, show_default=True, help="Where it is kept.")
@click.option("--fresh", is_flag=True, help="Start over with a new district.")
@click.option("--advance", metavar="X", help=f"Move the district on and exit: {TARGETS}.")
@json_option
def demo(
    host: str | None, port: int | None, students: int, seed: int, folder: Path, fresh: bool, advance: str | None, as_json: bool
) -> None:
    """Serve an invented district for trying things out; its state survives a restart.

    With --advance, the district lives on instead: files of a later day are invented and synced, and events are published. A
    server that runs on the same folder shows it at once.
    """
    settings = read_settings(host=host, port=port, database=str(folder / "rollbook.db"), key_file=str(folder / "rollbook.db.key"))
    if advance is None:
        server.check_port(settings)
    if fresh or not (folder / READY).exists():
        _clear(folder)
        click.echo(f"Making a district of about {students:,} students in {folder} ...", err=as_json)
        _prepare(folder, students, seed)
    if advance is None:
        _serve(settings)
    else:
        # Loaded only here: the engine's memory is nothing that the server should spend.
        import_module("rollbook.commands.advance").tell(folder, advance, settings, as_json=as_json)


def _serve(settings: Settings) -> None:
    base = f"http://{settings.host}:{settings.port}"
    click.echo(f"""
Rollbook demo: {DISTRICT}, served at {base}

  District token   {published.DISTRICT_TOKEN}
  Basic header     {published.BASIC}  (for /oauth/tokens)

Try:""")
    for line in curl_lines(base, published.DISTRICT_TOKEN, published.BASIC):
        click.echo(f"  {line}")
    click.echo(f"""
  {base}/           what this server is
  {base}/explorer   the API, to try out in the browser
  {base}/demo       what happens next: a day, a term, a year, a scenario
  {base}/login      sign in as anybody in the district

User tokens: {", ".join(token for token, _ in published.USER_TOKENS)}

These tokens are published: keep real data out of a demo. Stop with Ctrl+C.""")
    server.run(settings, Demo(published.DISTRICT_TOKEN, published.BASIC, DISTRICT))


def _clear(folder: Path) -> None:
    """Make the folder, and remove a demo from it, also one that was never finished; other files there are left alone."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(folder / "files", ignore_errors=True)
        for name in KEPT:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise Refused(f"folder: {folder} cannot be used: {error.strerror}; choose another one with --folder") from None


def _prepare(folder: Path, students: int, seed: int) -> None:
    """Make the district in a process of its own: the engine's memory is given back before the server starts."""
    command = [sys.executable, "-m", "rollbook.commands.sandbox", str(folder), DISTRICT, str(students), str(seed)]
    outcome = subprocess.run(command, check=False)  # noqa: S603 - our own program, with checked arguments
    if outcome.returncode:
        sys.exit(outcome.returncode)
    (folder / READY).touch()

"""`rollbook demo`: a sandbox with a realistic district and published test tokens."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import click

from rollbook.auth import published
from rollbook.commands.options import read_settings
from rollbook.web import server
from rollbook.web.app import Demo
from rollbook.web.explorer import curl_lines

DISTRICT = "#DEMO Rollbook Unified School District"
READY = "ready"


@click.command()
@click.option("--host", help="Address to listen on; default 127.0.0.1.")
@click.option("--port", type=int, help="Port to listen on; default 8400.")
@click.option("--students", type=int, default=1000, show_default=True, help="How many students the district has.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same district.")
@click.option(
    "--folder", type=click.Path(path_type=Path), default=Path("rollbook-demo"), show_default=True, help="Where it is kept."
)
@click.option("--fresh", is_flag=True, help="Start over with a new district.")
def demo(host: str | None, port: int | None, students: int, seed: int, folder: Path, fresh: bool) -> None:
    """Serve an invented district for trying things out; its state survives a restart."""
    settings = read_settings(host=host, port=port, database=str(folder / "rollbook.db"), key_file=str(folder / "rollbook.db.key"))
    server.check_port(settings)
    if fresh:
        shutil.rmtree(folder, ignore_errors=True)
    if not (folder / READY).exists():
        click.echo(f"Making a district of about {students:,} students in {folder} ...")
        _prepare(folder, students, seed)
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

These tokens are published: keep real data out of a demo. Stop with Ctrl+C.""")
    server.run(settings, Demo(published.DISTRICT_TOKEN, published.BASIC, DISTRICT))


def _prepare(folder: Path, students: int, seed: int) -> None:
    """Make the district in a process of its own: the engine's memory is given back before the server starts."""
    command = [sys.executable, "-m", "rollbook.commands.sandbox", str(folder), DISTRICT, str(students), str(seed)]
    outcome = subprocess.run(command, check=False)  # noqa: S603 - our own program, with checked arguments
    if outcome.returncode:
        sys.exit(outcome.returncode)
    (folder / READY).touch()

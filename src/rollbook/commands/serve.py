"""`rollbook serve`: the server."""

from __future__ import annotations

import click

from rollbook.commands.options import database_option, read_settings, warn_of_readers
from rollbook.operations import team
from rollbook.settings import listening_address
from rollbook.store.engine.opening import opened
from rollbook.web import server
from rollbook.web.http import listening


@click.command()
@click.option("--host", help="Address to listen on; else ROLLBOOK_HOST, else 127.0.0.1.")
@click.option("--port", type=int, help="Port to listen on; else ROLLBOOK_PORT, else 8400.")
@click.option("--workers", type=int, help="Server processes; else ROLLBOOK_WORKERS, else 1.")
@click.option("--no-work", is_flag=True, help="Run no jobs here; `rollbook work` runs them elsewhere.")
@database_option
def serve(
    host: str | None, port: int | None, workers: int | None, no_work: bool, database: str | None
) -> None:
    """Serve the API, and do the jobs of the queue. Published test tokens do not work here; see `rollbook demo` for those."""
    settings = read_settings(host=host, port=port, workers=workers, database=database)
    listening.check_port(settings)
    with opened(settings) as store:
        warn_of_readers(settings)
        link = team.first_link(store, settings)
    click.echo(f"Rollbook serves {listening_address(settings)} (stop with Ctrl+C)")
    if link:
        click.echo(
            f"The console has no operator yet. Become the first one at this link, which works once:\n  {link}"
        )
    server.run(settings, works=not no_work)

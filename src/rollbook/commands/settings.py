"""`rollbook settings`: the settings in force."""

from __future__ import annotations

import click

from rollbook.commands.options import database_option, json_option, read_settings, show_json
from rollbook.settings import PREFIX, masked


@click.command()
@database_option
@json_option
def settings(database: str | None, as_json: bool) -> None:
    """Print every setting in force, with secrets masked. Set each by ROLLBOOK_ and its name in capitals."""
    shown = masked(read_settings(database=database))
    if as_json:
        show_json(shown)
        return
    for name, value in shown.items():
        click.echo(f"{PREFIX}{name.upper()}={value}")

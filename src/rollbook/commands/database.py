"""`rollbook database`: move to another database."""

from __future__ import annotations

import click

from rollbook.commands.options import json_option, show_json
from rollbook.operations import backing_up


@click.group()
def database() -> None:
    """Copy a database into another one."""


@database.command("copy")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@json_option
def copy_(source: str, target: str, as_json: bool) -> None:
    """Copy everything of the database FROM into the empty database TO, and compare the two.

    Each is a file path or a postgresql:// URL. Stop the server first, so that nothing is written to FROM afterwards.
    Let ROLLBOOK_KEY_FILE name the same key as before.
    """
    copied = backing_up.copy_database(source, target)
    if as_json:
        show_json(copied)
    else:
        click.echo(
            f"copied {sum(copied.values()):,} rows of {len(copied)} tables; counts and digests are equal"
        )

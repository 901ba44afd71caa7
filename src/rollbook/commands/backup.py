"""`rollbook backup` and `rollbook restore`: the whole database in one file."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path

import click

from rollbook.commands.jobs import moment
from rollbook.commands.options import database_option, json_option, read_settings, show_json
from rollbook.operations import backing_up
from rollbook.settings import key_path
from rollbook.store.engine.opening import opened


@click.command()
@click.argument("file", type=click.Path(path_type=Path, readable=False))
@database_option
@json_option
def backup(file: Path, database: str | None, as_json: bool) -> None:
    """Write the whole database into FILE, as it is at one moment, while the server runs.

    An existing FILE is replaced when the new one is complete. The key is not in it: keep a copy of the key
    elsewhere.
    """
    settings, begun = read_settings(database=database), time.monotonic()
    with opened(settings) as store:
        kept = backing_up.backup(store, file)
    seconds = time.monotonic() - begun
    if as_json:
        told = {**asdict(kept.manifest), "created": moment(kept.manifest.created * 1000)}
        show_json({"file": str(file), "bytes": kept.bytes, "seconds": round(seconds, 3), **told})
    else:
        click.echo(f"{file}: {kept.manifest.rows:,} rows, {kept.bytes / 1e6:,.1f} MB, in {seconds:,.1f} s")
        click.echo(f"Keep a copy of the key, too, in another place: {key_path(settings)}")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, readable=False))
@click.option("--replace", is_flag=True, help="Put it in place of what is in the database now.")
@database_option
def restore(file: Path, replace: bool, database: str | None) -> None:
    """Restore the backup in FILE into the database, for the same version and the same key.

    A damaged backup, or one of another version or key, is refused before anything is touched. Stop the server
    first. Sync the newest files afterwards.
    """
    settings = read_settings(database=database)
    found = backing_up.restore(file, settings, replaces=replace)
    click.echo(
        f"restored {found.rows:,} rows, as they were at {moment(found.created * 1000)}; now sync the newest files"
    )

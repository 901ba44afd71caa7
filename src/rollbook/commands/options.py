"""What commands share: the option that names the database, and the database opened and brought up to date."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from rollbook import settings as setting_rows
from rollbook.errors import BadSetting
from rollbook.roster.listing import ROWS_MAX
from rollbook.roster.rules import SWITCHES
from rollbook.settings import Settings
from rollbook.store import facts
from rollbook.store.database import Database, open_database
from rollbook.store.keys import Sealer, key_path
from rollbook.store.migrations import migrate

PORT_MAX = 65_535
KEY_MARK = "key_mark"

database_option = click.option(
    "--database", metavar="FILE|URL", help="A file path or a postgresql:// URL; else ROLLBOOK_DATABASE, else rollbook.db."
)
problems_option = click.option(
    "--problems",
    "problems_file",
    type=click.Path(path_type=Path),
    metavar="FILE.csv",
    help=f"Write all problems into a CSV file, the first {ROWS_MAX:,}: file, row, column, code, severity, message.",
)
rules_option = click.option(
    "--set", "wanted", multiple=True, metavar="NAME=on|off", help=f"Switch a rule: {', '.join(SWITCHES)}; may be repeated."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for a program to read.")


def read_settings(**options: object) -> Settings:
    settings = setting_rows.read(os.environ, **options)
    if settings.port > PORT_MAX:
        raise BadSetting(f"port: expected at most {PORT_MAX}, got {settings.port}")
    return settings


def read_choices(wanted: Iterable[str]) -> dict[str, bool]:
    """Rules as `rules_option` takes them. Errors: BadSetting."""
    choices = {}
    for text in wanted:
        name, _, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if name not in SWITCHES or value not in ("on", "off"):
            raise BadSetting(f"set: expected NAME=on or NAME=off, NAME one of {', '.join(SWITCHES)}; got {text!r}")
        choices[name] = value == "on"
    return choices


@contextmanager
def opened(settings: Settings) -> Iterator[Database]:
    """The database of the settings, with its schema up to date."""
    database = open_database(settings.database)
    try:
        migrate(database)
        is_known = _check_key(database, settings)
        yield database
        if not is_known:
            _check_key(database, settings)  # the command may have made the first key
    finally:
        database.close()


def _check_key(database: Database, settings: Settings) -> bool:
    """Go on with the key that the database was used with, and no other; whether there is one yet. Errors: BadSetting."""
    with database.read() as connection:
        known = None if settings.key_lost else facts.read(connection, KEY_MARK)
    mark = Sealer(key_path(settings)).check(known) or ("" if settings.key_lost else None)
    if mark is not None and mark != known:
        with database.write() as connection:
            facts.write(connection, KEY_MARK, mark)
    return bool(mark)

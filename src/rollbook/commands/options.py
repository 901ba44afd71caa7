"""The parts that commands share: common options, the settings, and JSON output."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import click

from rollbook import settings as setting_rows
from rollbook.domain.reading_rules import SWITCHES
from rollbook.errors import BadSetting
from rollbook.roster.problems_csv import ROWS_MAX
from rollbook.settings import Settings

PORT_MAX = 65_535

database_option = click.option(
    "--database",
    metavar="FILE|URL",
    help="A file path or a postgresql:// URL; else ROLLBOOK_DATABASE, else rollbook.db.",
)
problems_option = click.option(
    "--problems",
    "problems_file",
    type=click.Path(path_type=Path, readable=False),
    metavar="FILE.csv",
    help=(
        f"Write all problems into a CSV file, the first {ROWS_MAX:,}: file, row, column, code, "
        "severity, message, value, expected, what to do."
    ),
)
rules_option = click.option(
    "--set",
    "wanted",
    multiple=True,
    metavar="NAME=on|off",
    help=f"Switch a rule: {', '.join(SWITCHES)}; may be repeated.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for a program to read.")


def read_settings(**options: object) -> Settings:
    settings = setting_rows.read(os.environ, **options)
    if settings.port > PORT_MAX:
        raise BadSetting(f"port: expected at most {PORT_MAX}, got {settings.port}")
    return settings


def warn_of_readers(settings: Settings) -> None:
    """Name the database and the key if other accounts of this machine may read them.

    SQLite's other files have the database's mode.
    """
    database = [] if "://" in settings.database else [settings.database]
    for path in map(Path, [*database, str(setting_rows.key_path(settings))]):
        mode = path.stat().st_mode & 0o777 if path.exists() else 0
        if mode & 0o044:
            click.echo(
                f"rollbook: warning: other accounts of this machine may read {path} (mode {mode:o});"
                f" let only the owner read it: chmod 600 {shlex.quote(str(path))}",
                err=True,
            )


def read_choices(wanted: Iterable[str]) -> dict[str, bool]:
    """The rules that `rules_option` takes, as a mapping. Errors: BadSetting."""
    choices = {}
    for text in wanted:
        name, _, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if name not in SWITCHES or value not in ("on", "off"):
            raise BadSetting(
                f"set: expected NAME=on or NAME=off, NAME one of {', '.join(SWITCHES)}; got {text!r}"
            )
        choices[name] = value == "on"
    return choices


def show_json(told: object) -> None:
    """Print JSON for a program. A path may hold bytes that are not text: each is printed as `?`."""
    click.echo(json.dumps(told, indent=2, ensure_ascii=False, default=asdict).encode("utf-8", "replace"))

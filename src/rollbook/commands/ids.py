"""`rollbook ids`: people and sections of a held run that come back under other SIS ids."""

from __future__ import annotations

import csv
import os
from collections import Counter
from pathlib import Path

import click

from rollbook.commands import report
from rollbook.commands.options import database_option, json_option, read_settings, show_json
from rollbook.errors import BadSetting
from rollbook.operations import keeping_ids
from rollbook.roster.views.id_pairs import STRENGTHS
from rollbook.store.engine.opening import opened


@click.command()
@click.argument("district")
@click.option(
    "--strength",
    "least",
    type=click.Choice(STRENGTHS),
    default="doubtful",
    show_default=True,
    help="List only pairs of this strength or a greater one.",
)
@click.option(
    "--csv",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.csv",
    help="Write the pairs into this file. Check it, then give it to `rollbook approve --keep-ids`.",
)
@database_option
@json_option
def ids(district: str, least: str, file: Path | None, database: str | None, as_json: bool) -> None:
    """List records of a held sync that come back under other SIS ids: people and sections of DISTRICT."""
    settings = read_settings(database=database)
    with opened(settings) as store:
        found = keeping_ids.find(store, settings, district)
    pairs = [pair for pair in found if STRENGTHS.index(pair.strength) <= STRENGTHS.index(least)]
    if file:
        try:
            opener = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(opener, "w", newline="", encoding="utf-8") as written:
                csv.writer(written, lineterminator="\n").writerows(keeping_ids.rows(pairs))
        except OSError as error:
            raise BadSetting(f"csv: {file} cannot be written: {error.strerror}") from None
    if as_json:
        show_json(pairs)
        return
    counts = Counter((pair.source, pair.strength) for pair in pairs)
    report.say(
        [
            *(
                f"{pair.source:16} {pair.old} -> {pair.new}  {pair.strength} ({pair.why})  {pair.name}"
                for pair in pairs[:50]
            ),
            *(f"{count:,} {source} {strength}" for (source, strength), count in sorted(counts.items())),
        ]
    )
    if not pairs:
        click.echo("no record comes back under another SIS id")

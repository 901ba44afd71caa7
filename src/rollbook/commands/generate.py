"""`rollbook generate`: SIS files of an invented district."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from rollbook.commands.options import json_option, show_json
from rollbook.synthetic import writer


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, readable=False))
@click.option(
    "--students", type=int, default=1000, show_default=True, help="How many students, 50 to 1,000,000."
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same district.")
@click.option("--day", type=int, default=0, show_default=True, help="The same district this many days later.")
@click.option("--problems", type=float, default=0.0, show_default=True, help="Share of bad rows, 0 to 1.")
@click.option(
    "--scenario", "scenarios", multiple=True, help="A named change on top of the day; may be repeated."
)
@click.option(
    "--format", type=click.Choice(["clever"]), default="clever", expose_value=False, help="Form of the files."
)
@json_option
def generate(
    folder: Path,
    students: int,
    seed: int,
    day: int,
    problems: float,
    scenarios: tuple[str, ...],
    as_json: bool,
) -> None:
    """Write the SIS files of an invented district into FOLDER. The same arguments give the same files."""
    summary = writer.write(
        folder, students=students, seed=seed, day=day, problems=problems, scenarios=scenarios
    )
    if as_json:
        show_json(asdict(summary))
        return
    for name, rows in summary.rows.items():
        click.echo(f"{name:20} {rows:>10,} rows")
    for code, rows in summary.problems.items():
        click.echo(f"  bad rows: {code:30} {rows:>7,}")

"""`rollbook schools` and `rollbook sections`: what a district has, with counts and what is missing."""

from __future__ import annotations

from dataclasses import asdict

import click

from rollbook.commands.options import database_option, json_option, read_settings, show_json
from rollbook.operations import places_browsing
from rollbook.store.engine.opening import opened
from rollbook.store.records.school_lists import LACKS


@click.command()
@click.argument("district")
@database_option
@json_option
def schools(district: str, database: str | None, as_json: bool) -> None:
    """List the schools of a DISTRICT (name or id) with their counts of students, teachers and sections."""
    with opened(read_settings(database=database)) as store:
        found = places_browsing.schools(store, district)
    if as_json:
        show_json(found)
        return
    for each in found:
        click.echo(
            f"{each.sis_id:12}  {each.name:40}  {each.students:,} students, {each.teachers:,} teachers,"
            f" {each.sections:,} sections"
        )
    if not found:
        click.echo("The district has no school.")


@click.command()
@click.argument("district")
@click.option(
    "--text", default="", help="Only sections with words that begin with this text, in name or SIS id."
)
@click.option("--school", default="", help="Only sections of the school with this id.")
@click.option("--only", "lacks", type=click.Choice(tuple(LACKS)), help="Only sections that lack this.")
@click.option("--after", default="", help="Begin after the section with this id.")
@database_option
@json_option
def sections(
    district: str, text: str, school: str, lacks: str | None, after: str, database: str | None, as_json: bool
) -> None:
    """List sections of a DISTRICT (name or id) and what they lack, 50 at a time."""
    with opened(read_settings(database=database)) as store:
        found, onward = places_browsing.sections(
            store, district, text=text, school=school, lacks=lacks or "", after=after
        )
    if as_json:
        show_json({"sections": [asdict(each) for each in found], "after": onward})
        return
    for each in found:
        missing = f"  ({', '.join(each.lacks)})" if each.lacks else ""
        click.echo(
            f"{each.sis_id:12}  {each.name:40}  {each.school:30}  {each.teachers} teachers, {each.students} students{missing}"
        )
    if not found:
        is_picked = text or school or lacks or after
        click.echo("No section fits." if is_picked else "The district has no section.")
    if onward:
        click.echo(f"next page: --after {onward}")

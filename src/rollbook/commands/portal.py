"""`rollbook portal`: the portal of a person, as they see it."""

from __future__ import annotations

import click

from rollbook.commands import report
from rollbook.commands.options import database_option, json_option, read_settings, show_json
from rollbook.operations import portals
from rollbook.store.engine.opening import opened


@click.command()
@click.argument("district")
@click.argument("person")
@database_option
@json_option
def portal(district: str, person: str, database: str | None, as_json: bool) -> None:
    """Show the portal as a PERSON of a DISTRICT sees it. Nobody is signed in.

    PERSON is an id, SIS id, username or email; DISTRICT is a name or id.
    """
    with opened(read_settings(database=database)) as store:
        found = portals.as_person(store, district, person)
    told = {
        "name": found.person.name,
        "applications": [one.name for one in found.applications],
        "of_others": [{"application": name, "for": who} for name, who in found.of_others],
        "let_in": [one.name for one in found.let_in],
    }
    if as_json:
        show_json(told)
        return
    count = len(found.applications)
    lines = [f"{found.person.name} sees {count} application{'s' if count != 1 else ''} in the portal"]
    lines += [f"  {one.name}" for one in found.applications]
    lines += [f"  {name} is made for {who}" for name, who in found.of_others]
    report.say([*lines, *(f"  they let {one.name} in" for one in found.let_in)])

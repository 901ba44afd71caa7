"""`rollbook explain`: why an application sees or does not see a person."""

from __future__ import annotations

from collections.abc import Iterator

import click

from rollbook.commands import report
from rollbook.commands.options import database_option, json_option, read_settings, show_json
from rollbook.operations import explaining
from rollbook.operations.explaining import Explanation
from rollbook.store.engine.opening import opened

SIGNS = {"yes": "+", "no": "x", "note": "!"}


@click.command()
@click.argument("district")
@click.argument("person")
@click.argument("application")
@click.option("--field", help="Also explain one field, such as student.dob.")
@database_option
@json_option
def explain(
    district: str,
    person: str,
    application: str,
    field: str | None,
    database: str | None,
    as_json: bool,
) -> None:
    """Say why an APPLICATION (name or client id) sees or does not see a PERSON of a DISTRICT (name or id).

    PERSON is an id, SIS id, username, number or email. The lines go from the file to the last read: `+` holds,
    `x` breaks the chain, `!` is a remark.
    """
    settings = read_settings(database=database)
    with opened(settings) as store:
        found = explaining.explain(store, settings, district, person, application, field)
    if as_json:
        show_json(found.as_json())
        return
    report.say(_lines(found))


def _lines(found: Explanation) -> Iterator[str]:
    yield found.sentence
    for link in found.links:
        yield f"{SIGNS[link.state]} {link.text}"
        yield from (f"    {detail}" for detail in link.details)
        if link.state == "no":
            yield f"    {link.who} must act: {link.mend}"

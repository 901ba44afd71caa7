"""`rollbook rules`: how to read a district's files."""

from __future__ import annotations

import click

from rollbook.commands.options import (
    database_option,
    json_option,
    read_choices,
    read_settings,
    rules_option,
    show_json,
)
from rollbook.domain.reading_rules import DEFAULTS, SWITCHES
from rollbook.operations import district_setup
from rollbook.store.district import choices, districts
from rollbook.store.engine.opening import opened


@click.command("rules")
@click.argument("district")
@rules_option
@database_option
@json_option
def show_rules(district: str, wanted: tuple[str, ...], database: str | None, as_json: bool) -> None:
    """Show or set how the files of a DISTRICT (name or id) are read, from its next sync on.

    A rule may change most sections or students at once, and such a sync is held. Look first with `rollbook
    sync --plan`.
    """
    changed = read_choices(wanted)
    with opened(read_settings(database=database)) as store:
        rules = (
            district_setup.set_rules(store, district, changed)
            if changed
            else choices.read(store, districts.find(store, district))
        )
    if as_json:
        show_json(rules.switches())
        return
    for name, is_on in rules.switches().items():
        mark = " " if is_on == DEFAULTS[name] else "*"
        click.echo(f"{mark} {name:22} {'on' if is_on else 'off':4} {SWITCHES[name]}")
    if rules.own():
        click.echo("* differs from the default")

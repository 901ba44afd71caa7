"""A district's own reading rules: those that differ from the defaults."""

from __future__ import annotations

import json
from collections.abc import Mapping

from rollbook.domain.reading_rules import SWITCHES, Rules
from rollbook.errors import BadSetting, Refused
from rollbook.store.district import districts
from rollbook.store.district.districts import District
from rollbook.store.engine.database import Database, Transaction


def read(database: Database, district: District) -> Rules:
    """The rules for a district's next sync."""
    with database.read() as transaction:
        return Rules().switched(_chosen(transaction, district))


def write(database: Database, district: District, choices: Mapping[str, bool]) -> Rules:
    """Change some of a district's rules, from its next sync on; returns all of them.

    Errors: BadSetting for an unknown rule, Refused for a clone, which has no files.
    """
    for name in choices:
        if name not in SWITCHES:
            raise BadSetting(f"rule: expected one of {', '.join(SWITCHES)}, got {name!r}")
    if district.given:
        raise Refused(f"{district.name!r} was cloned and takes no files; rules say how files are read")
    with database.write() as transaction:
        chosen = {**_chosen(transaction, district), **choices}
        districts.update(transaction, district, rules=json.dumps(chosen))
    return Rules().switched(chosen)


def _chosen(transaction: Transaction, district: District) -> dict[str, bool]:
    found = transaction.row("SELECT rules FROM districts WHERE number = ?", (district.number,))
    return dict(json.loads(found[0])) if found else {}

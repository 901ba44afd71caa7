"""Views: what a connection sees of a district, kept as records of its own.

A read needs nothing but the view's number, so it costs the same whatever the view hides, and cannot reach what is not in it.
Connections that see the same share one view.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from rollbook.contract.access import SENSITIVE
from rollbook.store.database import Connection


@dataclass(frozen=True, slots=True)
class Spec:
    """What a view shows: `scopes` are those of the sensitive fields in it."""

    scopes: tuple[str, ...] = ()

    @staticmethod
    def of(scopes: tuple[str, ...]) -> Spec:
        """The spec for an application of these scopes."""
        return Spec(tuple(scope for scope in SENSITIVE if scope in scopes))

    def as_text(self) -> str:
        return json.dumps({"scopes": self.scopes})


@dataclass(frozen=True, slots=True)
class View:
    """A view of one district; `number` is the store's own."""

    number: int
    spec: Spec


def ensure(connection: Connection, district: int, spec: Spec) -> tuple[View, bool]:
    """The view of that spec of a district (by its number), and whether it was made just now and is still empty."""
    asked = (district, spec.as_text())
    found = connection.row("SELECT number FROM views WHERE district = ? AND spec = ?", asked)
    if found:
        return View(found[0], spec), False
    made = connection.row("INSERT INTO views (district, spec) VALUES (?, ?) RETURNING number", asked)
    return View(made[0] if made else 0, spec), True


def list_all(connection: Connection, district: int) -> list[View]:
    """All views of a district (by its number); the first one shows everything but sensitive fields."""
    rows = connection.rows("SELECT number, spec FROM views WHERE district = ? ORDER BY number", (district,))
    return [View(number, Spec(tuple(json.loads(spec)["scopes"]))) for number, spec in rows]

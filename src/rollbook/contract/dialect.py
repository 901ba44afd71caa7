"""A dialect says how the API's form of stored records is written: one value, which every read for the API
takes.

A dialect is a row of a folder beside this file; a version of the Clever API is one
(`contract.clever.versions`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Dialect:
    """One dialect. `name` begins its paths (`v3.0`). `forms` has the kinds with a form of their own.

    All dialects share the records of form 0. The store keeps a record in another form only if it differs
    there.
    """

    name: str
    forms: Mapping[str, int] = field(default_factory=dict)

    @property
    def prefix(self) -> str:
        """The beginning of the dialect's paths."""
        return f"/{self.name}"

    def address(self, kind: str, id_: str) -> str:
        """The path of a record."""
        return f"/{self.name}/{kind}/{id_}"

    def around(self, kind: str) -> tuple[str, str, str]:
        """The text in a list before a record's JSON, between the JSON and the record's id, and after the
        id."""
        return '{"data":', f',"uri":"/{self.name}/{kind}/', '"}'

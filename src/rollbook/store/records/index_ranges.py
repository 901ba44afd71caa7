"""The index ranges of a list, and how to walk through them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rollbook.contract.clever.query import LAST, Query
from rollbook.domain.access import Access
from rollbook.domain.kinds import masks_with


@dataclass(frozen=True, slots=True)
class Direction:
    """The direction of a page: the condition that the cursor sets on ids, and the order of the walk."""

    where: str
    order: str
    values: tuple[str, ...]

    @staticmethod
    def of(query: Query) -> Direction:
        if query.before == LAST:
            return Direction("", " DESC", ())
        if query.before:
            return Direction(" AND id < ?", " DESC", (query.before,))
        if query.after:
            return Direction(" AND id > ?", "", (query.after,))
        return Direction("", "", ())

    def beyond(self, id_: str) -> Direction:
        """The same direction, starting after an id."""
        return Direction(" AND id < ?" if self.order else " AND id > ?", self.order, (id_,))

    def forwards(self, first: str | None) -> Direction:
        """The other direction, up to where this one begins: from an id, or from the start of the list."""
        if first is None:
            return Direction(self.where, "", self.values)
        return Direction(f"{self.where} AND id >= ?", "", (*self.values, first))


def conditions(kind: str, role: str | None) -> list[str]:
    """One condition for each index range that holds the wanted records in id order."""
    if role is None:
        return [f"view = ? AND form = 0 AND kind = '{kind}'"]
    return [f"view = ? AND roles = {mask}" for mask in masks_with(role)]


def in_order(
    columns: str, ranges: Sequence[str], access: Access, direction: Direction, limit: int
) -> tuple[str, list[Any]]:
    """SQL for the first rows of one or several ranges, in the direction's order, and its values."""
    selects = [f"SELECT {columns} FROM records WHERE {condition}{direction.where}" for condition in ranges]
    ending = f" ORDER BY id{direction.order} LIMIT ?"
    bound = (access.view, *direction.values, limit)
    if len(selects) == 1:
        return f"{selects[0]}{ending}", [*bound]
    union = " UNION ALL ".join(f"SELECT * FROM ({one}{ending}) AS one" for one in selects)
    return f"SELECT * FROM ({union}) AS united{ending}", [*bound * len(selects), limit]

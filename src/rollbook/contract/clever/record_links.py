"""Which fields of a record hold ids of other records.

They follow from the paths that walk along them, plus a few fields that no path uses.
"""

from __future__ import annotations

from dataclasses import dataclass

from rollbook.contract.clever.endpoints import ENDPOINTS, Hop, Ids
from rollbook.contract.clever.fields import SHAPES
from rollbook.domain.kinds import KIND, KINDS


@dataclass(frozen=True, slots=True)
class FieldLink:
    """A field of `kind` that holds an id, or ids, of `target`.

    `path` leads to the field inside the record.
    """

    kind: str
    path: tuple[str, ...]
    target: str

    @property
    def field(self) -> str:
        return ".".join(self.path)


def _target(hop: Hop | None, returns: str) -> str:
    """The kind where a hop begins, that is where the hop before it ended; `returns` after the last hop."""
    if hop is None:
        return returns
    owner = hop.kind if isinstance(hop, Ids) else hop.name.partition(".")[0]
    return owner if owner in KIND else "users"  # lists of students and teachers are lists of users


def _walked() -> set[FieldLink]:
    return {
        FieldLink(hop.kind, hop.path, _target(following, row.returns))
        for row in ENDPOINTS
        for route in row.routes
        for hop, following in zip(route.hops, (*route.hops[1:], None), strict=True)
        if isinstance(hop, Ids)
    }


def _of_districts() -> set[FieldLink]:
    """Every kind except districts has the district's id."""
    owned = (kind for kind in KINDS if any(row.name == "district" for row in SHAPES[kind.shape]))
    return {FieldLink(kind.name, ("district",), "districts") for kind in owned}


# No path walks along these fields.
_UNWALKED = {FieldLink("sections", ("teacher",), "users")}

FIELD_LINKS: tuple[FieldLink, ...] = tuple(
    sorted(
        _walked() | _of_districts() | _UNWALKED,
        key=lambda link: ([*KIND].index(link.kind), link.path),
    )
)


def by_path_alone() -> tuple[tuple[str, str], ...]:
    """Pairs of kinds that one step of a path connects although neither has a field with the other's id."""
    joined = {frozenset((link.kind, link.target)) for link in FIELD_LINKS}
    return tuple(
        (row.source, row.returns)
        for row in ENDPOINTS
        if any(len(route.hops) == 1 for route in row.routes)
        and frozenset((row.source, row.returns)) not in joined
        and KINDS.index(KIND[row.source]) < KINDS.index(KIND[row.returns])
    )

"""What a request asks of an endpoint: its query string, checked against the row, and the links of the answer.

All of this happens before the database is used: a bad `limit` never opens a connection.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from json.encoder import encode_basestring_ascii
from urllib.parse import unquote_plus

from rollbook.contract.clever.endpoints import LINKS, USER_LINKS, Endpoint
from rollbook.domain import snapshot_names
from rollbook.domain.kinds import KIND, ROLE
from rollbook.domain.snapshot_names import SnapshotName
from rollbook.errors import BadParameter, TooLarge

LIMIT_DEFAULT = 100
LIMIT_MAX = 10_000
LAST = "last"
# Rollbook's own parameter, opt-in: /events then gives the full difference from a kept snapshot to now, not
# the feed.
SINCE_SNAPSHOT = "since_snapshot"
# The one parameter with several values.
RECORD_TYPE = "record_type"

_ID = re.compile(r"[0-9a-fA-F]{24}")
_DIGITS = re.compile(r"[0-9]+")
# The parameters that hold a position in a list.
CURSORS = ("starting_after", "ending_before")
# A position at the end of a raw query, where our links write it.
_LAST_CURSOR = re.compile(rf"(?:^|&)({'|'.join(CURSORS)})=([0-9a-f]{{24}})\Z")
# Where the id stands in the links of a record before it is known. Neither a path nor JSON's links have it otherwise.
_HOLE = "{}"
LINK_FORMS_MAX = 1_000
# The name of a position parameter, and the id in it.
Cursor = tuple[str, str]
# Clients write lists as `role[]` (PHP, axios) or `role[0]` (Typhoeus): this is the part after the name.
_INDEX = re.compile(r"\[[0-9]*\]")


@dataclass(frozen=True, slots=True)
class Query:
    """A checked query: a position, a size and filters.

    The position is `after` or `before` an id; `before` may also be `last`.
    """

    limit: int = LIMIT_DEFAULT
    after: str | None = None
    before: str | None = None
    count: bool = False
    role: str | None = None
    primary: bool = False
    school: str | None = None
    record_types: tuple[str, ...] = ()
    since_snapshot: SnapshotName | None = None

    @property
    def cursor(self) -> Cursor | None:
        """The cursor from which the query goes on; None at either end of the list."""
        if self.after:
            return "starting_after", self.after
        return ("ending_before", self.before) if self.before and self.before != LAST else None

    @property
    def takes_cursor(self) -> bool:
        """Whether a cursor can be added: there is no position yet, and not just a count is asked for."""
        return not (self.after or self.before or self.count)

    def at(self, name: str, id_: str) -> Query:
        """The same query at a cursor, which it takes."""
        after, before = (id_, None) if name == "starting_after" else (None, id_)
        return Query(
            self.limit,
            after,
            before,
            self.count,
            self.role,
            self.primary,
            self.school,
            self.record_types,
            self.since_snapshot,
        )


_PLAIN = Query()


def is_id(text: str) -> bool:
    """Whether the text has the form of an id: 24 hex characters."""
    return _ID.fullmatch(text) is not None


def parse(endpoint: Endpoint, raw: str) -> Query:
    """Check the raw query string against the endpoint's row. Parameters that the row does not name are
    ignored.

    A parameter with an empty value counts as absent. The last value of a repeated parameter counts. `role[]`
    and `role[0]` mean `role`. Errors: BadParameter (400) names the parameter and what was expected; TooLarge
    (413) for a limit above 10,000.
    """
    if not raw:
        return _PLAIN
    values = values_of(raw, _known(endpoint))
    given = {name: each[-1] for name, each in values.items()}
    if not given:
        return _PLAIN
    if given.get("count") == "true":
        # The documentation says that `count` cannot be combined: it counts all records that the token sees.
        # `role` works with it all the same.
        return Query(count=True, role=_role(endpoint, given))
    after = _cursor("starting_after", given.get("starting_after"))
    before = _cursor("ending_before", given.get("ending_before"))
    if after == LAST:
        raise BadParameter(
            "starting_after: expected an id of 24 hex characters, got 'last' (which ending_before takes)"
        )
    if after and before:
        raise BadParameter("starting_after, ending_before: expected one of the two, got both")
    return Query(
        _limit(given.get("limit")),
        after,
        before,
        role=_role(endpoint, given),
        primary=_primary(given),
        school=_school(given.get("school")),
        record_types=_record_types(values.get(RECORD_TYPE, [])),
        since_snapshot=_snapshot(given.get(SINCE_SNAPSHOT)),
    )


def split(raw: str) -> tuple[str, Cursor | None]:
    """A raw query as what is before its last parameter, and that one if it is a cursor as our links write it.

    What is before it is the same on all pages of a pull.
    """
    found = _LAST_CURSOR.search(raw)
    return (raw[: found.start()], (found[1], found[2])) if found else (raw, None)


def without_cursors(raw: str) -> str:
    """A raw query without its position."""
    return "&".join(part for part in raw.split("&") if part and name_of(part) not in CURSORS)


def parse_unpaged(endpoint: Endpoint, raw: str) -> Query:
    """Check a user token's query.

    Paging has no meaning for it: it gets everything in its scope (protocol.md 2.4).
    """
    kept = (part for part in raw.split("&") if name_of(part) not in ("limit", "count", *CURSORS))
    return replace(parse(endpoint, "&".join(kept)), limit=LIMIT_MAX)


@cache
def _known(endpoint: Endpoint) -> frozenset[str]:
    own = {SINCE_SNAPSHOT} if endpoint.has_record_types else set()
    return frozenset({*endpoint.parameters, *own})


def name_of(part: str) -> str:
    """The parameter's name in `name=value`, without a list index."""
    return _decoded(part.partition("=")[0]).partition("[")[0]


def _decoded(text: str) -> str:
    """The decoded text. Most texts are not encoded."""
    return unquote_plus(text) if "%" in text or "+" in text else text


def names(raw: str, name: str) -> bool:
    """Whether a raw query string names a parameter, in any encoding of its letters."""
    return bool(raw) and any(name_of(part) == name for part in raw.split("&"))


def values_of(raw: str, known: Collection[str]) -> dict[str, list[str]]:
    """The values of each known parameter, in their order; empty values are left out.

    Errors: BadParameter for brackets without an index, and for a list where one value is expected. A filter
    that cannot be applied is never silently dropped.
    """
    values: dict[str, list[str]] = {}
    for part in raw.split("&"):
        key, _, value = part.partition("=")
        key, value = _decoded(key), _decoded(value)
        name = key.partition("[")[0]
        if not value or name not in known:
            continue
        each = values.setdefault(name, [])
        if name != key:
            if not _INDEX.fullmatch(key, len(name)):
                raise BadParameter(f"{name}: expected {name}=..., got {key[:40]!r}")
            if name != RECORD_TYPE and each and each[-1] != value:
                raise BadParameter(f"{name}: expected one value, got a list")
        each.append(value)
    return values


def _limit(text: str | None) -> int:
    if text is None:
        return LIMIT_DEFAULT
    digits = text.lstrip("0")
    if not digits or not _DIGITS.fullmatch(text):
        raise BadParameter(f"limit: expected a whole number from 1 to {LIMIT_MAX}, got {text[:40]!r}")
    # Compare lengths first: a number may be as long as a query string, and int() refuses very long ones.
    if len(digits) > len(str(LIMIT_MAX)) or int(digits) > LIMIT_MAX:
        raise TooLarge("Request entity too large")
    return int(digits)


def _cursor(name: str, text: str | None) -> str | None:
    if text is None or text == LAST:
        return text
    if not is_id(text):
        raise BadParameter(f"{name}: expected an id of 24 hex characters, got {text[:40]!r}")
    return text.lower()


def _snapshot(text: str | None) -> SnapshotName | None:
    if text is None:
        return None
    name = snapshot_names.parse(text)
    if name is None:
        raise BadParameter(
            f"{SINCE_SNAPSHOT}: expected what x-rollbook-snapshot said, such as "
            f"41-9f86d081, got {text[:40]!r}"
        )
    return name


def _school(text: str | None) -> str | None:
    if text is not None and not is_id(text):
        raise BadParameter(f"school: expected an id of 24 hex characters, got {text[:40]!r}")
    return text.lower() if text else None


def _role(endpoint: Endpoint, given: dict[str, str]) -> str | None:
    role = given.get("role")
    if role is not None and role not in endpoint.roles:
        raise BadParameter(f"role: expected one of {', '.join(endpoint.roles)}, got {role[:40]!r}")
    return role


def _primary(given: dict[str, str]) -> bool:
    value = given.get("primary")
    if value not in (None, "true"):
        raise BadParameter(f"primary: expected 'true' or nothing, got {value[:40]!r}")
    return value == "true"


def _record_types(values: list[str]) -> tuple[str, ...]:
    """Kinds of record.

    The parameter may be repeated, and each value may hold several kinds, separated by commas.
    """
    kinds = tuple(kind.strip() for value in values for kind in value.split(",") if kind.strip())
    for kind in kinds or values:
        if kind not in KIND:
            raise BadParameter(f"record_type: expected some of {', '.join(sorted(KIND))}, got {kind[:40]!r}")
    return kinds


def link(rel: str, uri: str) -> str:
    """One link as JSON text. `uri` may hold any text that a client sent."""
    return f'{{"rel":"{rel}","uri":{encode_basestring_ascii(uri)}}}'


def page_links(
    path: str, raw: str, rest: str, query: Query, first: str | None, last: str | None, has_more: bool
) -> str:
    """The links of a list page, as JSON text: self, then prev, then next, as recorded.

    `raw` is the query, `rest` the same without its position. `first` and `last` are the first and last id of the
    page, None if it is empty. `has_more` says that the page is full and more records follow in its direction. A
    page reached with a cursor always has a link back, even if nothing is there. An empty page links back to the
    position it was asked from.
    """
    links = [link("self", f"{path}?{raw}" if raw else path)]
    base = f"{path}?{rest}&" if rest else f"{path}?"
    if query.before:
        if has_more and first:
            links.append(link("prev", f"{base}ending_before={first}"))
        if query.before != LAST:
            links.append(link("next", f"{base}starting_after={last or query.before}"))
    else:
        if query.after:
            links.append(link("prev", f"{base}ending_before={first or query.after}"))
        if has_more and last:
            links.append(link("next", f"{base}starting_after={last}"))
    return f"[{','.join(links)}]"


def cursors(query: Query, first: str | None, last: str | None) -> tuple[Cursor, ...]:
    """The cursors with which a client may go on from a page, by its links or its end ids; arguments as for
    `page_links`."""
    is_first = query.cursor is None and query.before is None  # nothing is before this page
    ends = (
        ("ending_before", None if is_first else first or query.after),
        ("starting_after", last or query.before),
    )
    return tuple((name, id_) for name, id_ in ends if id_ and id_ != LAST)


def record_links(prefix: str, kind: str, id_: str, roles: int, missing: frozenset[str] = frozenset()) -> str:
    """The links of a single record, as JSON text.

    `prefix` is the version part of the path (`/v3.0`). `roles` is the role mask of a user, 0 for other kinds.
    `missing` names the links that lead to nothing for this record.
    """
    return _links_form(prefix, kind, roles, missing).replace(_HOLE, id_)


@lru_cache(LINK_FORMS_MAX)
def _links_form(prefix: str, kind: str, roles: int, missing: frozenset[str]) -> str:
    """The links of all records with the same tails; each request of a single record needs them."""
    path = f"{prefix}/{kind}/{_HOLE}"
    tails = _user_tails(roles) if kind == "users" else LINKS[kind]
    shown = [link("self", path), *(link(tail, f"{path}/{tail}") for tail in tails if tail not in missing)]
    return f"[{','.join(shown)}]"


@cache
def _user_tails(roles: int) -> tuple[str, ...]:
    return tuple(tail for tail, names in USER_LINKS if any(ROLE[name].bit & roles for name in names))

"""A request to the Data API: its relevant parts, and the row of the contract that it asks for."""

from __future__ import annotations

from collections.abc import MutableMapping
from functools import lru_cache
from typing import Any, NamedTuple

from rollbook.contract.clever import query as queries
from rollbook.contract.clever import role_records, versions
from rollbook.contract.clever.endpoints import ENDPOINTS, EVENTS, Endpoint
from rollbook.contract.clever.query import Query
from rollbook.contract.clever.versions import Version
from rollbook.errors import ApiError
from rollbook.web.data import restricted_tokens
from rollbook.web.http.answers import takes_gzip

# Without a version: an alias, which old clients still call (protocol.md 2.1).
ME = "/me"

_LISTS = {
    endpoint.source: endpoint
    for endpoint in (*ENDPOINTS, *EVENTS, restricted_tokens.ME)
    if endpoint.shape == "list"
}
_GETS = {endpoint.source: endpoint for endpoint in (*ENDPOINTS, *EVENTS) if endpoint.shape == "get"}
_RELATED = {
    (endpoint.source, endpoint.tail): endpoint for endpoint in ENDPOINTS if endpoint.shape in ("one", "many")
}


# How many calls are remembered, and how long such a call may be: those of a busy server come again and again. With more,
# the memory of a call that is dropped is cold, and that costs more than the call.
REMEMBERED_MAX, REMEMBERED_CHARACTERS_MAX = 512, 400


class Request(NamedTuple):
    """What of a request matters; `query` is raw."""

    method: str
    path: str
    query: str
    authorization: str
    if_none_match: str
    takes_gzip: bool

    @staticmethod
    def of(scope: MutableMapping[str, Any]) -> Request:
        headers = dict(scope["headers"])
        return Request(
            scope["method"],
            scope["path"],
            scope["query_string"].decode("latin-1"),
            headers.get(b"authorization", b"").decode("latin-1"),
            headers.get(b"if-none-match", b"").decode("latin-1"),
            takes_gzip(headers.get(b"accept-encoding", b"").decode("latin-1")),
        )


class Call(NamedTuple):
    """What a request asks for: a row of the contract, in a version of the API, and the id in its path (blank
    for a list). `path` is the path as the answer's links write it, `query` the raw query, `rest` the same without its
    position in a list.

    `checked` is the query checked against the row, None if it is refused. `reads_long`: it asks for a difference.
    """

    version: Version
    endpoint: Endpoint
    id: str
    path: str
    query: str
    rest: str
    is_id_valid: bool
    checked: Query | None
    reads_long: bool

    def parsed(self) -> Query:
        """The checked query. Errors: as `queries.parse`."""
        return self.checked or queries.parse(self.endpoint, self.query)


def call_of(request: Request) -> Call | None:
    """What a request asks for; None if the path or method is unknown.

    This follows from the method, the path and the query alone, so it is remembered, for all pages of a pull together.
    """
    method, path, raw = request.method, request.path, request.query
    is_short = len(path) + len(raw) <= REMEMBERED_CHARACTERS_MAX
    call_to = _remembered if is_short else _call
    rest, cursor = queries.split(raw)
    call = call_to(method, path, rest)
    if cursor is None or call is None:
        return call
    if not call.endpoint.has_paging or call.checked is None or not call.checked.takes_cursor:
        return call_to(method, path, raw)
    return call._replace(query=raw, checked=call.checked.at(*cursor))


def _call(method: str, path: str, query: str) -> Call | None:
    """Words are matched in any case, as links spell `myStudents` in camel case while paths are documented in
    lower case."""
    segments = (versions.DEFAULT, "me") if path == ME else tuple(filter(None, path.split("/")))
    name, kind, id_, tail, *more = (*segments, "", "", "", "")
    kind, id_, tail = kind.lower(), id_.lower(), tail.lower()
    if method not in ("GET", "HEAD") or any(more):
        return None
    row, version = None, versions.VERSION.get(name, versions.FIRST)
    if name in versions.VERSION:
        row = _RELATED.get((kind, tail)) if tail else (_GETS if id_ else _LISTS).get(kind)
    elif name == role_records.VERSION and not tail:
        row = role_records.RECORDS.get(kind) if id_ else role_records.ME if kind == "me" else None
    if row is None:
        return None
    try:
        checked = queries.parse(row, query)
    except ApiError:  # it is refused once it is known who asks
        checked = None
    reads_long = kind == "events" and queries.names(query, queries.SINCE_SNAPSHOT)
    is_id_valid = not id_ or queries.is_id(id_)
    rest = queries.without_cursors(query)
    return Call(version, row, id_, "/" + "/".join(segments), query, rest, is_id_valid, checked, reads_long)


_remembered = lru_cache(REMEMBERED_MAX)(_call)

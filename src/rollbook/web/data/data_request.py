"""A request to the Data API: what of it matters, and the row of the contract that it asks for."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, NamedTuple

from rollbook.contract.clever import query as queries
from rollbook.contract.clever import role_records, versions
from rollbook.contract.clever.endpoints import ENDPOINTS, EVENTS, Endpoint
from rollbook.contract.clever.versions import Version
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


class Request(NamedTuple):
    """What of a request matters: `segments` are the parts of its path, without empty ones; `query` is raw."""

    method: str
    path: str
    segments: tuple[str, ...]
    query: str
    authorization: str
    if_none_match: str
    takes_gzip: bool

    @staticmethod
    def of(scope: MutableMapping[str, Any]) -> Request:
        headers, path = dict(scope["headers"]), scope["path"]
        return Request(
            scope["method"],
            path,
            (versions.DEFAULT, "me") if path == ME else tuple(filter(None, path.split("/"))),
            scope["query_string"].decode("latin-1"),
            headers.get(b"authorization", b"").decode("latin-1"),
            headers.get(b"if-none-match", b"").decode("latin-1"),
            takes_gzip(headers.get(b"accept-encoding", b"").decode("latin-1")),
        )

    @property
    def reads_long(self) -> bool:
        """Whether a difference is asked for, however the letters of the parameter are encoded."""
        is_feed = bool(self.query) and len(self.segments) > 1 and self.segments[1].lower() == "events"
        return is_feed and queries.names(self.query, queries.SINCE_SNAPSHOT)


class Call(NamedTuple):
    """What a request asks for: a row of the contract, in a version of the API, and the id in its path (blank
    for a list). `path` is the path as the answer's links write it, `query` the raw query."""

    version: Version
    endpoint: Endpoint
    id: str
    path: str
    query: str


def call_of(request: Request) -> Call | None:
    """What a request asks for; None if the path or method is unknown.

    Words are matched in any case, as links spell `myStudents` in camel case while paths are documented in
    lower case.
    """
    name, kind, id_, tail, *more = (*request.segments, "", "", "")
    kind, id_, tail = kind.lower(), id_.lower(), tail.lower()
    if request.method not in ("GET", "HEAD") or any(more):
        return None
    row, version = None, versions.VERSION.get(name, versions.FIRST)
    if name in versions.VERSION:
        row = _RELATED.get((kind, tail)) if tail else (_GETS if id_ else _LISTS).get(kind)
    elif name == role_records.VERSION and not tail:
        row = role_records.RECORDS.get(kind) if id_ else role_records.ME if kind == "me" else None
    return Call(version, row, id_, "/" + "/".join(request.segments), request.query) if row else None

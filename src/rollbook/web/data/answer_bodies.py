"""The body of an answer, for each form of path: a record, a related record, a page, a count, events."""

from __future__ import annotations

from rollbook.contract.clever import query as queries
from rollbook.contract.clever.query import Query
from rollbook.store.records import catchup, event_feed, record_pages, related_lists
from rollbook.store.records.joined_rows import Page, Pieces
from rollbook.store.records.reading import Reading
from rollbook.store.records.record_pages import Record
from rollbook.web.data.data_request import Call


def body(reading: Reading, call: Call, query: Query) -> tuple[Pieces, str]:
    """An answer's body in pieces, and the first and last id of a page that has records, as one text."""
    endpoint, prefix = call.endpoint, call.version.prefix
    if endpoint.shape == "get":
        record = record_pages.get(reading, endpoint.source, call.id)
        return _record(record, queries.record_links(prefix, endpoint.source, record.id, record.roles)), ""
    if endpoint.shape == "one":
        record = related_lists.one(reading, endpoint, call.id)
        # A to-one path answers with the target, and links to the target's own path, as recorded.
        return _record(record, f"[{queries.link('self', f'{prefix}/{endpoint.returns}/{record.id}')}]"), ""
    if query.count:
        total = record_pages.count(reading, endpoint.source, query.role)
        links = queries.link("self", f"{call.path}?{call.query}")
        return (f'{{"count":{total},"links":[{links}]}}'.encode(),), ""
    if endpoint.shape == "list":
        page = record_pages.page(reading, endpoint.source, query)
    else:
        page = related_lists.related(reading, endpoint, call.id, query)
    links = queries.page_links(call.path, call.query, call.rest, query, page.first, page.last, page.has_more)
    # Clients of both documented forms find their key if there is no resource (protocol.md 5.7).
    also = b',"resources":[]' if endpoint.returns == "resources" and not page.pieces else b""
    return _list(page, links, also), f"{page.first}{page.last}" if page.first else ""


def events(
    reading: Reading, call: Call, query: Query, floor: str, differences: catchup.Differences
) -> Pieces:
    """The caller's feed, or one event of it. `floor` is the id below which events are too old."""
    if call.id:
        found = event_feed.get(reading, call.id, floor)
        links = queries.record_links(call.version.prefix, "events", call.id, 0)
        return (f'{{"data":{found},"links":{links}}}'.encode(),)
    if query.since_snapshot is None:
        page = event_feed.page(reading, query, floor)
    else:
        page = differences.page(reading, query, query.since_snapshot)
    links = queries.page_links(call.path, call.query, call.rest, query, page.first, page.last, page.has_more)
    if not call.query:
        # Without parameters the list's own link ends with a stray `?`, as recorded.
        links = links.replace(f'"{call.path}"', f'"{call.path}?"', 1)
    return _list(page, links)


def _list(page: Page, links: str, also: bytes = b"") -> Pieces:
    return b'{"data":[', *page.pieces, b"".join((b'],"links":', links.encode(), also, b"}"))


def _record(record: Record, links: str) -> Pieces:
    return (f'{{"data":{record.body},"links":{links}}}'.encode(),)

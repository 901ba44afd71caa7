"""What a client reads, as plans: lists page by page, single records, counts, and events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Generic
from urllib.parse import quote

import msgspec

from rollbook.client.client_errors import BadArgument, UnexpectedAnswer
from rollbook.client.conversation import Conversation, Count, Give, Link, Plan, Step
from rollbook.client.record_types import KINDS, R, Record

BY_NAME: dict[str, type[Record]] = {kind.KIND: kind for kind in KINDS}
Query = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """The records of one page; `next` is the path of the next page, None at the end."""

    records: list[R]
    next: str | None


class EventBody(msgspec.Struct, frozen=True, gc=False):
    """The part of an event about its record."""

    object: msgspec.Raw
    previous_attributes: dict[str, Any] = {}


class Event(msgspec.Struct, frozen=True, gc=False):
    """One change of one record; `type` is a kind and a verb, such as `users.updated`."""

    id: str
    type: str
    created: str
    data: EventBody

    @property
    def kind(self) -> str:
        """The kind of the record, such as `users`."""
        return self.type.partition(".")[0]

    @property
    def verb(self) -> str:
        """`created`, `updated` or `deleted`."""
        return self.type.partition(".")[2]

    @property
    def record(self) -> Record:
        """The record after the change; of a deleted record, its last state."""
        return msgspec.json.decode(self.data.object, type=BY_NAME[self.kind])

    @property
    def previous(self) -> dict[str, Any]:
        """The old values of changed fields, nested as in the record."""
        return self.data.previous_attributes


class EventElement(msgspec.Struct, frozen=True, gc=False):
    data: Event


class EventList(msgspec.Struct, frozen=True, gc=False):
    data: list[EventElement] = []
    resources: ClassVar[tuple[()]] = ()
    links: list[Link] = []


def walk(
    talk: Conversation, path: str, query: Query, form: Any, step: Callable[[Any, str | None], Step]
) -> Plan[None]:
    """Take a step for each page of a list, along its `next` links. An empty page ends the list."""
    asked = talk.address(path, query)
    found = yield from talk.first_page(path, query, form)
    while True:
        following = talk.next_path(found.links, asked) if found.data or found.resources else None
        if following == asked:
            raise UnexpectedAnswer(asked, "`next` leads to the page itself")
        yield step(found, following)
        if following is None:
            return
        asked = following
        found = yield from talk.get(asked, form)


def pages(talk: Conversation, kind: type[R], path: str, query: Query) -> Plan[None]:
    """Give each page of a list."""

    def shown(found: Any, following: str | None) -> Step:
        return Give(Page([element.data for element in found.data or found.resources], following))

    yield from walk(talk, path, query, _list_of(kind), shown)


def record(talk: Conversation, kind: type[R], path: str) -> Plan[R]:
    """The one record that a path shows."""
    found: Any = yield from talk.get(talk.address(path, {}), _element_of(kind))
    one: R = found.data
    return one


def count(talk: Conversation, kind: type[Record], query: Query) -> Plan[int]:
    """How many records a list has."""
    path = talk.address(f"/{kind.KIND}", {**query, "count": True})
    return (yield from talk.get(path, Count)).count


def events(talk: Conversation, query: Query) -> Plan[None]:
    """Give the events of each page, oldest first."""
    yield from walk(
        talk, "/events", query, EventList, lambda found, _: Give([element.data for element in found.data])
    )


def newest_event(talk: Conversation) -> Plan[str]:
    """The id of the last event of the feed; "" if there is none."""
    found = yield from talk.get(talk.address("/events", {"ending_before": "last", "limit": 1}), EventList)
    return found.data[-1].data.id if found.data else ""


def path_of(kind: type[Record], *parts: str) -> str:
    """The path of a kind, of one of its records, or of a related list.

    Errors: BadArgument for an empty part.
    """
    for part in parts:
        if not part:
            raise BadArgument(f"/{kind.KIND}", "expected the id of a record, got an empty text")
    return "/".join(("", kind.KIND, *(quote(part, safe="") for part in parts)))


@cache
def _element_of(kind: type[Record]) -> Any:
    return msgspec.defstruct("Element", [("data", kind)], frozen=True, gc=False)


@cache
def _list_of(kind: type[Record]) -> Any:
    """The form of a list's answer. An empty list of resources may have another key (protocol.md 5.7)."""
    elements: Any = list.__class_getitem__(_element_of(kind))
    rows: list[tuple[str, Any, Any]] = [
        ("data", elements, []),
        ("resources", elements, []),
        ("links", list[Link], []),
    ]
    return msgspec.defstruct("List", rows, frozen=True, gc=False)

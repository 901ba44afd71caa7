"""Make a local copy and keep it up to date: a full pull, then events, as plans."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import msgspec

from rollbook.client.client_errors import BadArgument, BadRequest, NotFound
from rollbook.client.conversation import Conversation, Link, Plan, RawElement, RawList, Work
from rollbook.client.local_copies import Change, Draft, LocalCopy, State
from rollbook.client.reading_plans import Query, newest_event, walk
from rollbook.client.record_types import KINDS, Record

# Events are kept for 30 days. A copy without any event that was not updated for 25 days is read again.
EVENT_SECONDS = 25 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Update:
    """The result of an update.

    `how` is `pull` (everything was read), `events`, or `difference` (the server gave the difference to the
    copy's snapshot). `count` is the number of read records, or of applied changes.
    """

    how: str
    count: int


class _Key(msgspec.Struct, frozen=True, gc=False):
    id: str


class _Standing(msgspec.Struct, frozen=True, gc=False):
    id: str
    last_sync: str = ""


class _StandingElement(msgspec.Struct, frozen=True, gc=False):
    data: _Standing


class _Districts(msgspec.Struct, frozen=True, gc=False):
    data: list[_StandingElement] = []


class _ChangeBody(msgspec.Struct, frozen=True, gc=False):
    object: msgspec.Raw


class _Change(msgspec.Struct, frozen=True, gc=False):
    """An event without its old values, which a copy does not need."""

    id: str
    type: str
    data: _ChangeBody


class _ChangeElement(msgspec.Struct, frozen=True, gc=False):
    data: _Change


class _ChangeList(msgspec.Struct, frozen=True, gc=False):
    data: list[_ChangeElement] = []
    resources: ClassVar[tuple[()]] = ()
    links: list[Link] = []


_key = msgspec.json.Decoder(_Key).decode


def pull(talk: Conversation, copy: LocalCopy, kinds: Iterable[type[Record]] = KINDS) -> Plan[Update]:
    """Read everything. The last event is noted first, so changes during the pull come again as events."""
    names, begun, counts = tuple(kind.KIND for kind in kinds), time.time(), []
    last, districts = (yield from newest_event(talk)), (yield from _districts(talk))
    _check(copy, districts)
    snapshot = talk.snapshot

    def put(draft: Draft, kind: str, found: RawList, _: str | None) -> Work:
        elements = found.data or found.resources
        counts.append(len(elements))
        return Work(partial(draft.put, kind, _keyed(elements)))

    with (yield Work(copy.draft)) as draft:
        for name in names:
            yield from walk(talk, f"/{name}", {}, RawList, partial(put, draft, name))
        yield Work(partial(draft.finish, State(last, snapshot, begun, names, districts)))
    return Update("pull", sum(counts))


def update(talk: Conversation, copy: LocalCopy, kinds: Iterable[type[Record]] | None = None) -> Plan[Update]:
    """Update a copy in the cheapest safe way: by events, by the difference to its snapshot, or by a full
    pull."""
    state = copy.state
    wanted = tuple(kind.KIND for kind in kinds) if kinds is not None else None
    if state is None or (wanted is not None and set(wanted) != set(state.kinds)):
        return (yield from pull(talk, copy, KINDS if kinds is None else kinds))
    begun, districts = time.time(), (yield from _districts(talk))
    _check(copy, districts)
    whole = [kind for kind in KINDS if kind.KIND in state.kinds]
    after = State(state.last_event, talk.snapshot, begun, state.kinds, districts)
    if not (yield from _is_kept(talk, state, begun)):
        return (yield from _difference(talk, copy, after)) or (yield from pull(talk, copy, whole))
    since: Query = {"starting_after": state.last_event or None}
    found = yield from _read(talk, state.kinds, since)
    if not found and _has_moved(state, after):
        # The copy steps over events of other kinds: else its last one would expire. A feed without any event may be
        # switched off: nothing in it says so.
        newest = yield from newest_event(talk)
        if not newest:
            return (yield from pull(talk, copy, whole))
        found = yield from _read(talk, state.kinds, since)
        after = msgspec.structs.replace(after, last_event=newest)
    yield Work(partial(_apply, copy, found, after))
    return Update("events", len(found))


def _difference(talk: Conversation, copy: LocalCopy, after: State) -> Plan[Update | None]:
    """Apply the difference to the copy's snapshot; None if the server no longer knows the snapshot."""
    state = copy.state
    if state is None or not state.snapshot:
        return None
    last = yield from newest_event(talk)
    try:
        found = yield from _read(talk, state.kinds, {"since_snapshot": state.snapshot})
    except (NotFound, BadRequest):
        return None
    if not found and not last and _has_moved(state, after):
        return None
    noted = State(last, after.snapshot, after.asked, after.kinds, after.districts)
    yield Work(partial(_apply, copy, found, noted, notes_events=False))
    return Update("difference", len(found))


def _is_kept(talk: Conversation, state: State, now: float) -> Plan[bool]:
    """Whether the feed still has all events after the copy's last one."""
    if not state.last_event:
        return now - state.asked < EVENT_SECONDS
    try:
        yield from talk.answer(talk.address(f"/events/{state.last_event}", {}))
    except NotFound:
        return False
    return True


def _read(talk: Conversation, kinds: tuple[str, ...], query: Query) -> Plan[list[_Change]]:
    """The events of these kinds; the others, which may be most of them, are not sent."""
    events: list[_Change] = []
    chosen = None if len(kinds) == len(KINDS) else kinds

    def kept(found: _ChangeList, _: str | None) -> Work:
        return Work(partial(events.extend, [element.data for element in found.data]))

    yield from walk(talk, "/events", {**query, "record_type": chosen}, _ChangeList, kept)
    return events


def _apply(copy: LocalCopy, events: list[_Change], after: State, *, notes_events: bool = True) -> None:
    last = events[-1].id if events and notes_events else after.last_event
    state = State(last, after.snapshot, after.asked, after.kinds, after.districts)
    copy.apply(_changes(events, state.kinds), state)


def _changes(events: list[_Change], kinds: tuple[str, ...]) -> Iterator[Change]:
    """The change that each event makes to its record; events of kinds outside the copy are skipped."""
    for event in events:
        kind, _, verb = event.type.partition(".")
        if kind in kinds:
            body = event.data.object
            yield kind, _key(body).id, None if verb == "deleted" else bytes(body)


def _keyed(elements: list[RawElement]) -> Iterator[tuple[str, bytes]]:
    return ((_key(element.data).id, bytes(element.data)) for element in elements)


def _districts(talk: Conversation) -> Plan[dict[str, str]]:
    """The districts that the token reads, each with its last sync."""
    talk.snapshot = ""
    found = yield from talk.get(talk.address("/districts", {}), _Districts)
    return {element.data.id: element.data.last_sync for element in found.data}


def _has_moved(state: State, after: State) -> bool:
    return (state.snapshot, state.districts) != (after.snapshot, after.districts)


def _check(copy: LocalCopy, districts: dict[str, str]) -> None:
    """Errors: BadArgument if the copy is of another district than the token's."""
    held = copy.state.districts if copy.state else districts
    if held.keys() != districts.keys():
        raise BadArgument(
            "",
            f"the copy is of the district {_names(held)}, and the token reads {_names(districts)};"
            " give each district a copy of its own",
        )


def _names(districts: dict[str, str]) -> str:
    return ", ".join(sorted(districts)) or "none"

"""The feed of each view: the events of a commit, stored as the bytes of the wire, and read by id like any
list.

Events are opt-in (a connection's `events_after`). None are made for a view while no connection of it has them
on. A connection sees only the events after it switched them on.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from rollbook.contract.clever import event_rows as rows
from rollbook.contract.clever import versions
from rollbook.contract.clever.query import LAST, Query
from rollbook.contract.dialect import Dialect
from rollbook.errors import NotFound
from rollbook.store.district import views
from rollbook.store.district.districts import IdBatch
from rollbook.store.district.views import View
from rollbook.store.engine.database import Database, Transaction
from rollbook.store.engine.text_spans import text_of
from rollbook.store.records.joined_rows import EMPTY, Page, whole_elements
from rollbook.store.records.reading import Reading

BATCH_ROWS = 2_000
# The form of records that `later_body` shows.
LATER = 1
_LATER_KINDS = sorted({kind for kind, form in versions.FORMS.values() if form == LATER})
# The body to which a view's row `r` may refer; it binds the number of the view's base.
_BASE = (
    " LEFT JOIN records base ON base.view = ? AND base.form = r.form AND base.kind = r.kind AND base.id = r.id"
    " AND r.spans IS NOT NULL"
)
# A kind, and four bodies: before and after, and both in a later version's own form.
_Bodies = tuple[str, str | None, str | None, str | None, str | None]
COLUMNS = "view, id, kind, verb, schools, body, later_body"


class Event(NamedTuple):
    """One event. Its type is the kind and the verb; `schools` are the ids by which it is found."""

    id: str
    kind: str
    verb: str
    schools: str
    body: str


def switch(database: Database, application: int, *, on: bool) -> None:
    """Switch the events of all connections of an application (by number) on, from now, or off.

    They begin after the last committed run. A run in progress has reserved its ids already, and will be seen
    whole.
    """
    now = (
        (
            "coalesce((SELECT max(last_event) FROM syncs WHERE syncs.district = "
            f"connections.district), '{'0' * 24}')"
        )
        if on
        else "NULL"
    )
    with database.write() as transaction:
        # If a switch and a commit happen at once, PostgreSQL refuses one here: a commit that misses the
        # switch would publish nothing.
        transaction.run(
            (
                "UPDATE districts SET head = head WHERE number IN (SELECT district FROM "
                "connections WHERE application = ?)"
            ),
            (application,),
        )
        transaction.run(
            (
                f"UPDATE connections SET events_after = {now} WHERE application = ? AND "
                "(events_after IS NULL) = ?"
            ),
            (application, on),
        )


def is_published(transaction: Transaction, view: View) -> bool:
    """Whether any connection of the view has its events on."""
    return (
        transaction.row(
            "SELECT 1 FROM connections WHERE view = ? AND events_after IS NOT NULL LIMIT 1", (view.number,)
        )
        is not None
    )


# Reading ---------------------------------------------------------------------------------------------


def page(reading: Reading, query: Query, floor: str) -> Page:
    """One page of the caller's feed, oldest first.

    `floor` is the id below which events are no longer kept.
    """
    access = reading.access
    if access.events_after is None:
        return EMPTY
    values: list[Any] = [access.view, max(access.events_after, floor, query.after or "")]
    where, order = "view = ? AND id > ?", ""
    if query.before:
        order = " DESC"
        if query.before != LAST:
            where, values = f"{where} AND id < ?", [*values, query.before]
    if query.record_types:
        where = f"{where} AND kind IN ({', '.join('?' for _ in query.record_types)})"
        values += query.record_types
    body = _body(reading.dialect)
    where = f"{where} AND {body} <> ''"
    if query.school:
        where, values = f"{where} AND schools LIKE ?", [*values, f"%{query.school}%"]
    inner = f"SELECT id, {body} AS body FROM events WHERE {where} ORDER BY id{order} LIMIT ?"
    if order:
        inner = f"SELECT * FROM ({inner}) AS ordered ORDER BY id"
    found = whole_elements(reading, "events", inner, (*values, query.limit))
    if found is None:
        return EMPTY
    pieces, first, last, size = found
    beyond = ("<", first) if order else (">", last)
    has_more = size == query.limit and reading.transaction.row(
        f"SELECT 1 FROM events WHERE {where} AND id {beyond[0]} ? LIMIT 1", (*values, beyond[1])
    )
    return Page(pieces, first, last, bool(has_more))


def get(reading: Reading, id_: str, floor: str) -> str:
    """One event as JSON. Errors: NotFound if it does not exist, or if the caller may not see it."""
    found, access = None, reading.access
    if access.events_after is not None and id_ > max(access.events_after, floor):
        found = reading.transaction.row(
            f"SELECT {_body(reading.dialect)} FROM events WHERE view = ? AND id = ?", (access.view, id_)
        )
    if not found or not found[0]:
        raise NotFound("Resource not found")
    return str(found[0])


class Told(NamedTuple):
    """What an event is about, without a value of a record: its type, the record's id, and the names of the
    changed fields."""

    id: str
    type: str
    record: str
    changed: tuple[str, ...]

    @property
    def moment(self) -> datetime:
        return datetime.fromtimestamp(int(self.id[:8], 16), UTC)


def newest(transaction: Transaction, view: int, after: str, count: int) -> list[Told]:
    """The newest events of a view after an id, newest first, for a person who watches."""
    found = transaction.rows(
        # A later version's body alone: the first version has no such event.
        "SELECT id, kind, verb, coalesce(nullif(body, ''), later_body) FROM events WHERE view = ? AND id > ?"
        " ORDER BY id DESC LIMIT ?",
        (view, after, count),
    )
    return [_told(*row) for row in found]


def _told(id_: str, kind: str, verb: str, body: str) -> Told:
    data = orjson.loads(body)["data"]
    return Told(id_, f"{kind}.{verb}", data["object"]["id"], tuple(data.get("previous_attributes", ())))


def _body(dialect: Dialect) -> str:
    """SQL for an event's body in a dialect; blank if the dialect has no such event."""
    return "coalesce(later_body, body)" if "users" in dialect.forms else "body"


def floor_at(moment: float) -> str:
    """The id below which all events are older than a time."""
    return f"{max(int(moment), 0):08x}{'0' * 16}"


def floor_now(event_days: int, *, in_demo: bool) -> str:
    """The id below which events are too old to be shown.

    In a demo, its moves drop old events, because its clock is not ours.
    """
    return "" if in_demo else floor_at(time.time() - event_days * 86_400)


# Publishing ------------------------------------------------------------------------------------------


def publish(transaction: Transaction, view: View, ids: IdBatch, run: int) -> None:
    """Publish what the table `incoming` brings to a view in a run, before it is moved in.

    Ids follow the documented order. A change of dates alone is no event.
    """
    hidden = views.by_number(transaction, view.number).spec.hidden
    is_edit = views.is_edited_by(transaction, view, run)
    counter = 0
    insert: list[tuple[Any, ...]] = []
    for kind, before, after, *own in _differences(transaction, view):
        id_ = ids.id(counter)
        made = event(id_, kind, before, after, hidden, is_edit=is_edit)
        columns: tuple[str | None, ...] | None = (*made, None) if made else None
        if any(own):
            was, now = own[0] or before, (own[1] or after) if after else None
            columns = _in_both(made, event(id_, kind, was, now, hidden, is_edit=is_edit))
        if columns:
            insert.append((view.number, *columns))
            counter += 1
        if len(insert) >= BATCH_ROWS:
            transaction.insert("events", COLUMNS, insert)
            insert = []
    transaction.insert("events", COLUMNS, insert)


def _in_both(first: Event | None, later: Event | None) -> tuple[str, ...] | None:
    """One event's columns, with its body in the first version and in a later one.

    A body is blank if its version has no such event; None if neither has one.
    """
    if first is None:
        return (*later._replace(body=""), later.body) if later else None
    return (*first, later.body if later else "")


def _differences(transaction: Transaction, view: View) -> Iterator[_Bodies]:
    """(kind, body before, body after) of each record that `incoming` changes in a view, in the order of
    publishing; then both bodies in a later version's own form, or None.

    Changes that only a later version shows come last: they are updates of existing records.
    """
    last = (-1, "")
    while True:
        found = transaction.rows(
            "SELECT i.rank, i.id, i.kind, base.body, r.body, r.spans, i.body, was.body,"
            " CASE WHEN own.id IS NULL THEN was.body ELSE own.body END FROM incoming i"
            f" LEFT JOIN records r ON r.view = i.view AND r.form = 0 AND r.kind = i.kind AND r.id = i.id{_BASE}"
            " LEFT JOIN records was ON was.view = i.view AND was.form = ? AND was.kind = i.kind AND was.id = i.id"
            " LEFT JOIN incoming own"
            " ON own.view = i.view AND own.rank = -1 AND own.form = ? AND own.kind = i.kind AND own.id = i.id"
            " WHERE i.view = ? AND i.rank >= 0 AND (i.rank > ? OR (i.rank = ? AND i.id > ?)) ORDER BY i.rank, i.id LIMIT ?",
            (view.base, LATER, LATER, view.number, last[0], last[0], last[1], BATCH_ROWS),
        )
        for rank, id_, kind, base, body, spans, *bodies in found:
            last = (rank, id_)
            after, was, now = bodies
            yield kind, text_of(base, body, spans) if body is not None else None, after, was, now
        if len(found) < BATCH_ROWS:
            break
    for kind in _LATER_KINDS:
        yield from _of_form_alone(transaction, view, kind)


def _of_form_alone(transaction: Transaction, view: View, kind: str) -> Iterator[_Bodies]:
    """The same for records of which only a later version's form changes."""
    last = ""
    while True:
        found = transaction.rows(
            "SELECT own.id, base.body, r.body, r.spans, was.body, own.body FROM incoming own"
            f" JOIN records r ON r.view = own.view AND r.form = 0 AND r.kind = own.kind AND r.id = own.id{_BASE}"
            " LEFT JOIN records was"
            " ON was.view = own.view AND was.form = own.form AND was.kind = own.kind AND was.id = own.id"
            " WHERE own.view = ? AND own.rank = -1 AND own.form = ? AND own.kind = ? AND own.id > ? AND NOT EXISTS"
            " (SELECT 1 FROM incoming i WHERE i.view = own.view AND i.rank >= 0 AND i.kind = own.kind AND i.id = own.id)"
            " ORDER BY own.id LIMIT ?",
            (view.base, view.number, LATER, kind, last, BATCH_ROWS),
        )
        for id_, base, body, spans, was, now in found:
            last, text = id_, text_of(base, body, spans)
            yield kind, text, text, was, now
        if len(found) < BATCH_ROWS:
            return


def event(
    id_: str,
    kind: str,
    before: str | None,
    after: str | None,
    hidden: Collection[str],
    *,
    is_edit: bool = False,
) -> Event | None:
    """One event; None if only dates changed.

    `hidden` are the fields that the view hides now: their values from before the edit of the share are not
    shown. `is_edit`: the share was edited in between, so a missing role may be hidden now. Then the event
    names the role, and does not show its values.
    """
    was, now = (rows.shown(kind, orjson.loads(body)) if body else None for body in (before, after))
    shown = now or rows.cut(kind, was or {}, hidden)
    data: dict[str, Any] = {"object": shown}
    if was and now:
        gone = rows.roles_gone(kind, was, now) if is_edit else ()
        data["previous_attributes"] = rows.veiled(kind, rows.previous_attributes(was, now), hidden, gone)
        if not data["previous_attributes"]:
            return None
    verb = "updated" if was and now else "created" if now else "deleted"
    created = datetime.fromtimestamp(int(id_[:8], 16), UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    body = orjson.dumps({"id": id_, "type": f"{kind}.{verb}", "created": created, "data": data})
    return Event(id_, kind, verb, _schools(kind, shown), body.decode())


def bare(body: str) -> str:
    """The rest of a record if an application may only learn that it was deleted."""
    record = orjson.loads(body)
    left: dict[str, Any] = {"id": record["id"]}
    if isinstance(record.get("roles"), dict):
        left["roles"] = {role: {} for role in record["roles"]}
    return orjson.dumps(left).decode()


def withdraw(
    transaction: Transaction,
    view: View,
    hidden: Collection[str],
    leaving: Collection[str],
    losing: Mapping[str, Collection[str]],
) -> None:
    """Remove what a view hides from now on from its published events.

    That is fields and roles (`hidden`), roles of single people (`losing`, by id), and all events of records
    that leave the view. A token that is used later finds nothing of them in old events, and no old event by
    them.
    """
    last = ""
    while True:
        found = transaction.rows(
            "SELECT id, kind, body, later_body FROM events WHERE view = ? AND id > ? ORDER BY id LIMIT ?",
            (view.number, last, BATCH_ROWS),
        )
        for id_, kind, *bodies in found:
            last = id_
            published = [orjson.loads(body) if body else body for body in bodies]
            of = next(body["data"]["object"]["id"] for body in published if body)
            if of in leaving:
                transaction.run("DELETE FROM events WHERE view = ? AND id = ?", (view.number, id_))
                continue
            less = (*hidden, *losing.get(of, ()))
            left = [_without(kind, body, less) if body else (body, "") for body in published]
            now = [body for body, _ in left]
            if now != bodies:
                transaction.run(
                    "UPDATE events SET schools = ?, body = ?, later_body = ? WHERE view = ? AND id = ?",
                    (left[0][1] or left[1][1], *now, view.number, id_),
                )
        if len(found) < BATCH_ROWS:
            return


def forget_contact(transaction: Transaction, view: int, before: str | None, after: str) -> None:
    """Remove a former contact from a view's published events.

    It compares the view's own record of the district (as JSON) before and after. No old event shows a person
    who is no longer the contact.
    """
    was, now = (orjson.loads(body).get(rows.CONTACT) if body else None for body in (before, after))
    if not was or was == now:
        return
    for id_, body in transaction.rows(
        "SELECT id, body FROM events WHERE view = ? AND kind = 'districts'", (view,)
    ):
        published = orjson.loads(body)
        published["data"]["object"].pop(rows.CONTACT, None)
        without, _ = _without("districts", published, ())
        if without != body:
            transaction.run("UPDATE events SET body = ? WHERE view = ? AND id = ?", (without, view, id_))


def _without(kind: str, published: dict[str, Any], hidden: Collection[str]) -> tuple[str, str]:
    """The body of an event without its hidden parts, and the schools by which it is then found."""
    data = published["data"]
    data["object"] = rows.cut(kind, data["object"], hidden)
    if "previous_attributes" in data:
        data["previous_attributes"] = rows.veiled(kind, data["previous_attributes"], hidden)
    return orjson.dumps(published).decode(), _schools(kind, data["object"])


def _schools(kind: str, shown: dict[str, Any]) -> str:
    schools = rows.schools_of(kind, shown)
    return f" {' '.join(schools)} " if schools else ""

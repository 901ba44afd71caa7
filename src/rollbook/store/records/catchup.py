"""The full difference from any kept snapshot to now, for an application that was away longer than events are
kept.

It compares the versions of records in force after the snapshot's run with those in force now. A snapshot is
kept for `history_days`. Which records differ is computed once for each snapshot (`Difference`); each page
then reads only the records of its own events.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from rollbook.contract.clever import versions
from rollbook.contract.clever.event_rows import rank
from rollbook.contract.clever.query import Query
from rollbook.contract.dialect import Dialect
from rollbook.domain.kinds import KIND
from rollbook.domain.snapshot_names import SnapshotName
from rollbook.errors import BadParameter, NotFound, Unknown
from rollbook.store.district import districts, views
from rollbook.store.district.districts import District, IdBatch
from rollbook.store.district.views import View
from rollbook.store.engine.database import Database, Transaction
from rollbook.store.records import event_feed, retention
from rollbook.store.records.joined_rows import EMPTY, ID_LENGTH, Page
from rollbook.store.records.reading import Reading
from rollbook.store.records.shared_bodies import current, superseded

# How many records all remembered differences of a server may have; each takes 28 bytes.
REMEMBERED_RECORDS_MAX = 4_000_000
# The most records that one page reads.
LOOKED_MAX = 10_001


@dataclass(frozen=True, slots=True)
class Part:
    """Records of one kind that differ in the same way.

    It has their ids, in ascending order and without separators. For each id it has the run that replaced the
    version of the snapshot (0: there was none).
    """

    kind: str
    ids: bytearray
    replaced_by: array[int]

    def __len__(self) -> int:
        return len(self.replaced_by)


@dataclass(frozen=True, slots=True)
class Difference:
    """Which records of a view differ between a snapshot and now, in the order of publishing."""

    view: View
    snapshot: int
    ids: IdBatch
    parts: tuple[Part, ...]
    dialect: Dialect

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def begin(self, after: str | None) -> int:
        """The place after a cursor.

        A cursor of an earlier run is less than all of these ids, so the difference starts again.
        """
        if not after or after < self.ids.id(0):
            return 0
        return int(after[-8:], 16) + 1 if after <= self.ids.id(len(self)) else len(self)

    def records(self, start: int) -> Iterator[tuple[int, str, str, int]]:
        """(place, kind, id, run that replaced it) of each record from a place on."""
        place = 0
        for part in self.parts:
            for at in range(max(start - place, 0), len(part)):
                yield (
                    place + at,
                    part.kind,
                    part.ids[at * ID_LENGTH : (at + 1) * ID_LENGTH].decode(),
                    part.replaced_by[at],
                )
            place += len(part)


class Differences:
    """The differences that were requested last."""

    def __init__(self) -> None:
        self._found: OrderedDict[tuple[object, ...], Difference] = OrderedDict()

    def page(self, reading: Reading, query: Query, since: SnapshotName) -> Page:
        """One page of a difference: see `page`.

        The first page reads all that differs. Only one thread at a time may call it.
        """
        return page(reading, query, self._difference(reading, since))

    def _difference(self, reading: Reading, since: SnapshotName) -> Difference:
        transaction, access, dialect = reading.transaction, reading.access, reading.dialect
        district = districts.by_number(transaction, access.district)
        _check_asked(reading, district, since)
        key = (access.district_id, access.head, access.view, access.view_mark, since.run, dialect.name)
        found = self._found.pop(key, None) or _difference(
            transaction,
            views.by_number(transaction, access.view),
            since.run,
            _ids(transaction, district),
            dialect,
        )
        self._found[key] = found
        while len(self._found) > 1 and sum(map(len, self._found.values())) > REMEMBERED_RECORDS_MAX:
            self._found.popitem(last=False)
        return found


def since(database: Database, district: District, snapshot: SnapshotName) -> Iterator[str]:
    """Every difference since a sync, each as one event in JSON.

    Errors: Unknown for a snapshot that is not kept.
    """
    with database.read() as transaction:
        current = districts.reread(transaction, district)
        _check(transaction, current, snapshot)
        view = views.whole(transaction, current.number)
        difference = _difference(transaction, view, snapshot.run, _ids(transaction, current), versions.FIRST)
        for record in difference.records(0):
            made = _event(transaction, difference, record)
            if made:
                yield made.body


def page(reading: Reading, query: Query, difference: Difference) -> Page:
    """One page of the difference, with ids that continue into the feed: a client follows the links, then
    polls as usual.

    If the share was edited after the snapshot, records that left are named only by id, and roles that left
    only by name. Errors: BadParameter for a page backwards.
    """
    if query.before:
        raise BadParameter("ending_before: a difference is read forwards; expected starting_after or nothing")
    is_bare = difference.snapshot < reading.access.shown_since
    shown: list[tuple[str, str]] = []
    for looked, record in enumerate(difference.records(difference.begin(query.after))):
        if looked == LOOKED_MAX:
            # If few records fit a filter, the page ends here, and its link continues after the last record
            # that was read.
            return _page(reading.dialect, shown, has_more=True, last=difference.ids.id(record[0] - 1))
        if query.record_types and record[1] not in query.record_types:
            continue
        made = _event(reading.transaction, difference, record, is_bare=is_bare)
        if made is None or (query.school and f" {query.school} " not in made.schools):
            continue
        if len(shown) == query.limit:
            return _page(reading.dialect, shown, has_more=True)
        shown.append((made.id, made.body))
    return _page(reading.dialect, shown, has_more=False)


def _page(dialect: Dialect, shown: list[tuple[str, str]], *, has_more: bool, last: str | None = None) -> Page:
    if not shown:
        return Page((), last, last, has_more) if last else EMPTY
    before, between, after = dialect.around("events")
    joined = ",".join([f"{before}{body}{between}{id_}{after}" for id_, body in shown])
    return Page((joined.encode(),), shown[0][0], last or shown[-1][0], has_more)


def _check_asked(reading: Reading, district: District, since: SnapshotName) -> None:
    """Errors: NotFound for a snapshot that is not kept, or that is older than the connection."""
    try:
        _check(reading.transaction, district, since)
        if since.run < reading.access.connected_since:
            raise Unknown(
                f"snapshot {since} is from before this connection began, with {reading.access.connected_since}"
            )
    except Unknown as error:
        raise NotFound(str(error)) from None


def _check(transaction: Transaction, district: District, snapshot: SnapshotName) -> None:
    found = transaction.row(
        "SELECT mark FROM syncs WHERE district = ? AND sync = ?", (district.number, snapshot.run)
    )
    if snapshot.mark and (found is None or found[0] != snapshot.mark):
        raise Unknown(
            f"snapshot {snapshot} of {district.name!r} belongs to another history: the database was restored from a backup;"
            " read everything anew"
        )
    oldest = retention.first_end(transaction, district)
    kept_from = oldest - 1 if oldest is not None else 0
    if found is None or snapshot.run < kept_from:
        raise Unknown(
            f"snapshot {snapshot} of {district.name!r} is not kept; kept are "
            f"{max(kept_from, 1)} to {district.head}"
        )


def _ids(transaction: Transaction, district: District) -> IdBatch:
    """Ids above all events of the district so far, and below all later ones: the second after its last run's,
    lowest range."""
    found = transaction.row(
        "SELECT last_event FROM syncs WHERE district = ? AND sync = ?", (district.number, district.head)
    )
    second = int(found[0][:8], 16) + 1 if found else 0
    return IdBatch(f"{second:08x}{'0' * 8}")


def _difference(
    transaction: Transaction, view: View, snapshot: int, ids: IdBatch, dialect: Dialect
) -> Difference:
    parts: dict[tuple[int, str], Part] = {}
    verbs = {(False, True): "created", (True, True): "updated", (True, False): "deleted"}
    for kind in KIND:
        changed = transaction.rows(
            "SELECT id, max(was), max(now), max(roles) FROM ("
            " SELECT id, until AS was, 0 AS now, coalesce(roles, 0) AS roles FROM versions"
            " WHERE view = ? AND form = 0 AND kind = ? AND since <= ? AND until > ?"
            " UNION ALL"
            " SELECT id, 0, 1, coalesce(roles, 0) FROM records WHERE view = ? AND form = 0 AND kind = ? AND since > ?"
            ") AS changed GROUP BY id ORDER BY id",
            (view.number, kind, snapshot, snapshot, view.number, kind, snapshot),
        )
        for id_, was, now, roles in changed:
            place = (rank(kind, roles, verbs[was > 0, now > 0]), kind)
            part = parts.setdefault(place, Part(kind, bytearray(), array("I")))
            part.ids.extend(id_.encode())
            part.replaced_by.append(was)
        if form := dialect.forms.get(kind):
            _add_form(transaction, view, snapshot, (form, kind), parts)
    return Difference(view, snapshot, ids, tuple(parts[place] for place in sorted(parts)), dialect)


def _add_form(
    transaction: Transaction,
    view: View,
    snapshot: int,
    key: tuple[int, str],
    parts: dict[tuple[int, str], Part],
) -> None:
    """Add, as updated, the records of which only a version's own form differs."""
    _, kind = key
    alone = transaction.rows(
        "SELECT id FROM ("
        " SELECT id FROM versions WHERE view = ? AND form = ? AND kind = ? AND since <= ? AND until > ?"
        " UNION SELECT id FROM records WHERE view = ? AND form = ? AND kind = ? AND since > ?"
        ") AS changed WHERE id IN"
        " (SELECT id FROM records WHERE view = ? AND form = 0 AND kind = ? AND since <= ?) ORDER BY id",
        (view.number, *key, snapshot, snapshot, view.number, *key, snapshot, view.number, kind, snapshot),
    )
    if alone:
        place = (rank(kind, versions.FORM_ROLES, "updated"), kind)
        found = parts.pop(place, Part(kind, bytearray(), array("I")))
        changed = {
            found.ids[at * ID_LENGTH : (at + 1) * ID_LENGTH].decode(): run
            for at, run in enumerate(found.replaced_by)
        }
        changed |= {id_: 0 for (id_,) in alone}
        every = sorted(changed)
        parts[place] = Part(
            kind, bytearray("".join(every).encode()), array("I", (changed[id_] for id_ in every))
        )


def _event(
    transaction: Transaction,
    difference: Difference,
    record: tuple[int, str, str, int],
    *,
    is_bare: bool = False,
) -> event_feed.Event | None:
    """The event of one difference; None if only dates changed.

    A bare event has only the record's id and the names of its roles.
    """
    place, kind, id_, replaced_by = record
    view = difference.view
    before = superseded(transaction, view, (0, kind, id_), "= ?", (replaced_by,))
    after = current(transaction, view, 0, kind, id_)
    was, now = before.body if before else None, after.body if after else None
    if form := difference.dialect.forms.get(kind):
        if after and after.since <= difference.snapshot:
            was = now  # only the version's own form of it differs
        key = (view.number, form, kind, id_)
        was = was and (_own_then(transaction, key, difference.snapshot) or was)
        now = now and (_own_now(transaction, key) or now)
    if was and is_bare and now is None:
        was = event_feed.bare(was)
    return event_feed.event(difference.ids.id(place), kind, was, now, view.spec.hidden, is_edit=is_bare)


def _own_now(transaction: Transaction, key: tuple[int, int, str, str]) -> str | None:
    """A record in its own form, by its key (view, form, kind, id); None if it has none."""
    found = transaction.row(
        "SELECT body FROM records WHERE view = ? AND form = ? AND kind = ? AND id = ?", key
    )
    return found[0] if found else None


def _own_then(transaction: Transaction, key: tuple[int, int, str, str], snapshot: int) -> str | None:
    """The same, as it was at a snapshot."""
    found = transaction.row(
        "SELECT body FROM records WHERE view = ? AND form = ? AND kind = ? AND id = ? AND since <= ?",
        (*key, snapshot),
    ) or transaction.row(
        "SELECT body FROM versions WHERE view = ? AND form = ? AND kind = ? AND id = ? AND since <= ? AND until IN"
        " (SELECT sync FROM syncs JOIN views ON views.district = syncs.district WHERE views.number = ? AND sync > ?)",
        (*key, snapshot, key[0], snapshot),
    )
    return found[0] if found else None

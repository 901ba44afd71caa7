"""Versions are found by their key alone, in each form and kind: those that have expired, and the first kept one."""

from __future__ import annotations

from rollbook.store.engine.database import Transaction
from rollbook.store.records import retention
from rollbook.store.records.retention import Keep
from tests import world
from tests.journeys.hub import Hub
from tests.journeys.test_broken_sync import CHANGED, with_events

FOR_EVER = Keep("0000", "0" * 24)
# All runs before the last one have expired, with their events.
NOTHING = Keep("9999", "f" * 24)


def counts(transaction: Transaction) -> tuple[int, int]:
    [found] = transaction.rows("SELECT (SELECT count(*) FROM versions), (SELECT count(*) FROM events)")
    return int(found[0]), int(found[1])


def test_every_stored_form_and_kind_is_known(synced_hub: Hub) -> None:
    synced_hub.sync(CHANGED)
    with synced_hub.database.read() as transaction:
        for table in ("records", "versions"):
            found = transaction.rows(f"SELECT DISTINCT form, kind FROM {table}")
            assert {form for form, _ in found} <= {*retention._FORMS}
            assert {kind for _, kind in found} <= {*retention._KINDS}
            assert len(found) > 3


def test_what_has_expired_is_dropped_and_counted(synced_hub: Hub) -> None:
    with_events(synced_hub)
    synced_hub.sync(CHANGED)
    synced_hub.sync(world.FILES)
    with synced_hub.database.write() as transaction:
        [(first,)] = transaction.rows("SELECT min(until) FROM versions")
        assert retention.first_end(transaction, synced_hub.district) == first
        before = counts(transaction)
        assert min(before) > 0
        assert retention.prune_now(transaction, synced_hub.district, FOR_EVER) == (0, 0)
        assert retention.prune_now(transaction, synced_hub.district, NOTHING) == before
        assert counts(transaction) == (0, 0)
        assert retention.first_end(transaction, synced_hub.district) is None


def test_no_index_repeats_the_key_of_versions(synced_hub: Hub) -> None:
    of = (
        "SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'versions'"
        if synced_hub.database.is_local
        else "SELECT indexname FROM pg_indexes WHERE tablename = 'versions' AND schemaname = current_schema()"
    )
    with synced_hub.database.read() as transaction:
        names = {name for (name,) in transaction.rows(of)}
    assert {name for name in names if "_by_" in name} == {"versions_by_role"}

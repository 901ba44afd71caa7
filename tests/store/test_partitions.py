"""Tables in partitions by a hash of the view, on PostgreSQL: the tests of other modules again, over partitions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from rollbook.errors import BadSetting
from rollbook.settings import Settings
from rollbook.store.engine import partitions
from rollbook.store.engine.database import Database, open_database
from rollbook.store.engine.migrations import migrate
from rollbook.store.engine.opening import opened
from rollbook.store.records import commits
from tests import test_sync as syncs
from tests import world
from tests.journeys.hub import Hub
from tests.store import test_events as events
from tests.store import test_shared_bodies as bodies
from tests.store.test_events import store

__all__ = ["store"]
PARTS = 3
pytestmark = pytest.mark.parametrize("database_address", ["postgresql"], indirect=True)


@pytest.fixture
def database(database_address: str) -> Iterator[Database]:
    """An empty database whose large tables are partitioned."""
    with closing(open_database(database_address)) as made:
        migrate(made)
        partitions.settle(made, PARTS)
        yield made


test_shared_bodies_answer_like_copies = bodies.test_shared_bodies_answer_like_copies
test_created_updated_and_deleted = (
    events.test_created_updated_and_deleted_show_the_record_as_it_was_at_that_moment
)
test_a_connection_sees_the_events_of_its_own_view_only = (
    events.test_a_connection_sees_the_events_of_its_own_view_only
)
test_a_commit_drops_events_older_than_the_retention = (
    events.test_a_commit_drops_events_older_than_the_retention
)
test_superseded_records_are_kept = (
    syncs.test_superseded_records_are_kept_as_versions_and_dropped_when_they_are_old
)


def test_a_database_in_use_is_partitioned_once_and_answers_as_before(
    database_address: str, tmp_path: Path
) -> None:
    with closing(open_database(database_address)) as whole:
        migrate(whole)
        with closing(Hub(whole, database_address, tmp_path)) as hub:
            hub.sync(world.FILES)
            reader = hub.client(hub.connect(), page_cache_bytes=0)
            before, indexes = reader.everything(), _indexes(whole)
            settings = Settings(database=database_address, partitions=PARTS, key_file=hub.settings.key_file)
            for _ in range(2):
                with opened(settings) as database, database.read() as transaction:
                    assert {partitions.count(transaction, table) for table in partitions.TABLES} == {PARTS}
                assert _indexes(whole) == indexes
            assert reader.everything() == before
            assert len(_partitions_of_a_page(whole)) == 1
            with pytest.raises(BadSetting, match=r"^partitions: the tables have 3 already"):
                partitions.settle(whole, PARTS + 1)
            assert commits.present(whole, hub.district).sync == 1


def _indexes(database: Database) -> set[tuple[str, ...]]:
    """The indexes and keys of the tables, each with its table."""
    with database.read() as transaction:
        found = transaction.rows(
            "SELECT tablename, indexname FROM pg_indexes WHERE schemaname = current_schema()"
        )
    return {row for row in found if row[0] in partitions.TABLES}


def _partitions_of_a_page(database: Database) -> set[str]:
    """The partitions into which the server looks for the users of a view."""
    with database.read() as transaction:
        plan = transaction.rows(
            "EXPLAIN SELECT body FROM records WHERE view = ? AND form = 0 AND kind = 'users' ORDER BY id LIMIT 9",
            (1,),
        )
    return {name for (line,) in plan for name in re.findall(r" on (records_\d+)", line)}


def test_a_file_has_no_partitions(database_address: str, small_database: Database) -> None:
    del database_address
    with pytest.raises(BadSetting, match=r"^partitions: only PostgreSQL"):
        partitions.settle(small_database, PARTS)

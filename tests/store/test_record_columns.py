"""The form of a record stands in its key; an upgrade takes it out of the name of the kind. On both databases."""

from __future__ import annotations

from rollbook.contract.clever.query import Query
from rollbook.contract.clever.versions import VERSIONS
from rollbook.domain.access import Access
from rollbook.store.engine import migrations
from rollbook.store.engine.database import Row
from rollbook.store.engine.migrations import migrate
from rollbook.store.records import record_pages
from rollbook.store.records.reading import Moment, Reading
from tests.store.old_database import opened_before

FIRST, LATER = VERSIONS
IDS = [f"{number:024x}" for number in range(4)]
# As they stood before: (view, kind, id, since, roles, body).
RECORDS: list[Row] = [
    (1, "schools", IDS[0], 1, None, '"Ash"'),
    (1, "users", IDS[1], 2, 1, '"Ada"'),
    (1, "users", IDS[2], 1, 1, '"Ben"'),
    (1, "users@3.1", IDS[1], 3, None, '"Ada of 3.1"'),
    (1, "users.sections", IDS[1], 1, None, IDS[3]),
    (2, "users", IDS[1], 1, 2, '"Cay"'),
]
# With the run that replaced them behind `since`.
VERSIONS_BEFORE: list[Row] = [
    (1, "users", IDS[1], 1, 2, 1, '"Ada, once"'),
    (1, "users@3.1", IDS[1], 1, 3, None, '"Ada of 3.1, once"'),
]


def test_an_upgrade_keeps_every_record_and_version_in_its_form(database_address: str) -> None:
    with opened_before(database_address, migrations.record_forms) as old:
        with old.write() as connection:
            connection.insert("records", "view, kind, id, since, roles, body", RECORDS)
            connection.insert("versions", "view, kind, id, since, until, roles, body", VERSIONS_BEFORE)
        for _ in range(2):
            migrate(old)
        with old.read() as connection:
            assert connection.rows(
                "SELECT view, form, kind, id, since, roles, body FROM records ORDER BY view, form, kind, id"
            ) == [
                *((view, 0, *rest) for view, *rest in [RECORDS[0], RECORDS[1], RECORDS[2], RECORDS[4]]),
                (1, 1, "users", IDS[1], 3, None, '"Ada of 3.1"'),
                (2, 0, *RECORDS[5][1:]),
            ]
            assert connection.rows(
                "SELECT view, form, kind, id, since, until, roles, body FROM versions ORDER BY form"
            ) == [
                (1, 0, *VERSIONS_BEFORE[0][1:]),
                (1, 1, "users", IDS[1], 1, 3, None, '"Ada of 3.1, once"'),
            ]
            access = Access(1, "d", 1, 0, "", ())
            first, later = (Reading(connection, access, dialect) for dialect in (FIRST, LATER))
            assert record_pages.get(first, "users", IDS[1]).body == '"Ada"'
            assert record_pages.get(later, "users", IDS[1]).body == '"Ada of 3.1"'
            assert (
                record_pages.count(later, "users", None) == record_pages.count(later, "users", "student") == 2
            )
            past = later._replace(moment=Moment.after(1, 3))
            shown = [
                record_pages.page(reading, "users", Query()).elements for reading in (first, later, past)
            ]
            assert [
                [name in page for name in (b'"Ada"', b'"Ada of 3.1"', b'"Ada of 3.1, once"')]
                for page in shown
            ] == [
                [True, False, False],
                [False, True, False],
                [False, False, True],
            ]
            assert [page.count(b'"Ben"') for page in shown] == [1, 1, 1]

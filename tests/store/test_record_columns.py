"""Columns say which form a record has, what an event tells, and which view is the whole district; an upgrade fills
them. On both databases."""

from __future__ import annotations

from rollbook.contract.clever.query import Query
from rollbook.contract.clever.versions import VERSIONS
from rollbook.domain.access import Access
from rollbook.store.district import districts, views
from rollbook.store.engine import record_columns
from rollbook.store.engine.database import Database, Row
from rollbook.store.engine.migrations import migrate
from rollbook.store.records import record_pages
from rollbook.store.records.reading import Moment, Reading
from tests.store.old_database import begun_before, opened_before

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


def test_an_upgrade_keeps_every_record_and_version_in_its_form(bare_address: str) -> None:
    with opened_before(bare_address, record_columns.record_forms) as old:
        with old.write() as transaction:
            transaction.insert("records", "view, kind, id, since, roles, body", RECORDS)
            transaction.insert("versions", "view, kind, id, since, until, roles, body", VERSIONS_BEFORE)
        for _ in range(2):
            migrate(old)
        with old.read() as transaction:
            assert transaction.rows(
                "SELECT view, form, kind, id, since, roles, body FROM records ORDER BY view, form, kind, id"
            ) == [
                *((view, 0, *rest) for view, *rest in [RECORDS[0], RECORDS[1], RECORDS[2], RECORDS[4]]),
                (1, 1, "users", IDS[1], 3, None, '"Ada of 3.1"'),
                (2, 0, *RECORDS[5][1:]),
            ]
            assert transaction.rows(
                "SELECT view, form, kind, id, since, until, roles, body FROM versions ORDER BY form"
            ) == [
                (1, 0, *VERSIONS_BEFORE[0][1:]),
                (1, 1, "users", IDS[1], 1, 3, None, '"Ada of 3.1, once"'),
            ]
            access = Access(1, "d", 1, 0, "", ())
            first, later = (Reading(transaction, access, dialect) for dialect in (FIRST, LATER))
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


def test_an_upgrade_reads_out_of_each_event_what_it_tells(bare_address: str) -> None:
    types = ["users.created", "sections.updated", "districts.deleted"]
    with opened_before(bare_address, record_columns.event_verbs) as old:
        with old.write() as transaction:
            for number, type_ in enumerate(types):
                body = f'{{"id":"{IDS[number]}","type":"{type_}","created":""}}'
                # The first version of the API has no such event where its body is blank.
                bodies = ("", body) if number == 1 else (body, None)
                row = (1, IDS[number], type_.partition(".")[0], "", *bodies)
                transaction.insert("events", "view, id, kind, schools, body, later_body", [row])
        for _ in range(2):
            migrate(old)
            with old.read() as transaction:
                assert transaction.rows("SELECT kind || '.' || verb FROM events ORDER BY id") == [
                    (type_,) for type_ in types
                ]


def test_an_upgrade_marks_the_first_view_of_each_district_as_the_whole(bare_address: str) -> None:
    with opened_before(bare_address, record_columns.whole_views) as old:
        first, second = begun_before(old, "Ash"), begun_before(old, "Birch")
        with old.write() as transaction:
            for district, spec in ((first, "'{}'"), (second, "'{ }'"), (first, "'{  }'")):
                transaction.run(f"INSERT INTO views (district, spec) VALUES ({district.number}, {spec})")
        migrate(old)
        with old.read() as transaction:
            assert [views.whole(transaction, district.number).number for district in (first, second)] == [
                1,
                2,
            ]
            assert transaction.row("SELECT count(*) FROM views WHERE is_whole = 1") == (2,)


def test_a_new_district_has_one_view_of_the_whole(database: Database) -> None:
    district = districts.create(database, "Ash")
    with database.write() as transaction:
        whole = views.whole(transaction, district.number)
        assert views.ensure(transaction, district.number, views.Spec())[0].number == whole.number
        views.drop_unseen(transaction, district.number)
        assert views.list_all(transaction, district.number) == [whole]

"""Who keeps which user id from night to night, when roles come, go, merge and split."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollbook.roster.views import diff, identities, merging

# Source, key, email, first and last name.
Row = tuple[str, str, str, str, str]
Users = dict[str, str]


@dataclass
class Nights:
    """Snapshots of only teachers, staff and administrators; each night returns the user of every key."""

    folder: Path
    files: list[dict[str, Path]] = field(default_factory=list)
    merged: set[str] = field(default_factory=set)

    def night(self, *rows: Row, home: int | None = None, days_gone: int = 300) -> Users:
        number = len(self.files)
        with duckdb.connect(config={"threads": 1}) as engine:
            for source in identities.SOURCES:
                columns = "key VARCHAR, row BIGINT, email VARCHAR, first VARCHAR, last VARCHAR"
                engine.execute(f"CREATE TABLE roster_{source} ({columns})")
            for place, (source, key, *said) in enumerate(rows):
                engine.execute(f"INSERT INTO roster_{source} VALUES (?, ?, ?, ?, ?)", [key, place, *said])
            identities.load(
                engine, self.files[-1] if self.files else {}, None if home is None else self.files[home]
            )
            identities.assign(
                engine,
                prefix=f"{number + 1:016x}",
                now=f"{number:06}",
                forget_before=f"{max(0, number - days_gone):06}",
            )
            folder = self.folder / str(number)
            folder.mkdir(parents=True)
            self.files.append(
                {name: diff.write(engine, name, folder) for name in ("identity", *merging.TABLES)}
            )
            self.merged = {id_ for (id_,) in engine.execute("FROM merged_users").fetchall()}
            found = engine.execute(
                "SELECT key, coalesce(user, id) FROM identity WHERE gone IS NULL"
            ).fetchall()
        return dict(found)

    def forget_users(self) -> None:
        """Turn the last snapshot into one of an earlier version."""
        old = self.files[-1]["identity"].with_name("old.parquet")
        duckdb.sql(f"COPY (SELECT * EXCLUDE user FROM '{self.files[-1]['identity']}') TO '{old}'")
        self.files[-1]["identity"] = old


def teacher(key: str = "t", email: str = "tina@x.org", first: str = "Tina", last: str = "Lund") -> Row:
    return ("teachers", key, email, first, last)


def staff(key: str = "s", email: str = "tina@x.org", first: str = "Tina", last: str = "Lund") -> Row:
    return ("staff", key, email, first, last)


def admin(key: str = "a", email: str = "tina@x.org", first: str = "Tina", last: str = "Lund") -> Row:
    return ("district_admins", key, email, first, last)


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    return Nights(tmp_path)


def test_a_teacher_who_becomes_staff_too_and_then_staff_alone_stays_one_user(nights: Nights) -> None:
    first = nights.night(teacher())["t"]
    for rows in (
        [teacher(), staff()],
        [staff()],
        [staff(), admin()],
        [admin()],
        [teacher(), admin()],
        [teacher()],
    ):
        assert set(nights.night(*rows).values()) == {first}
    assert nights.merged == set()


def test_a_staff_row_that_comes_as_the_teachers_row_goes_is_the_same_user(nights: Nights) -> None:
    first = nights.night(teacher())["t"]
    assert nights.night(staff()) == {"s": first}


def test_a_married_colleague_keeps_the_id_and_a_stranger_with_the_address_does_not(nights: Nights) -> None:
    first = nights.night(teacher(), teacher("t2", "desk@x.org", "Uwe", "Park"))
    second = nights.night(staff(last="Roe"), staff("s2", "desk@x.org", "Gil", "Gay"))
    assert second["s"] == first["t"]
    assert second["s2"] not in first.values()


def test_a_new_key_of_one_role_is_a_new_user(nights: Nights) -> None:
    first = nights.night(teacher())
    second = nights.night(teacher("t2"))
    assert second["t2"] != first["t"]
    assert nights.merged == set()


@pytest.mark.parametrize("email", ["", "none", "NULL", "tina at x", "noemail@x.org"])
def test_an_email_that_tells_nobody_merges_nobody(email: str, nights: Nights) -> None:
    assert len(set(nights.night(teacher(email=email), staff(email=email), admin(email=email)).values())) == 3


def test_an_email_of_two_rows_of_one_file_merges_nobody(nights: Nights) -> None:
    rows = (teacher(), staff(), staff("s2", first="Gil", last="Gay"), admin())
    assert len(set(nights.night(*rows).values())) == 4


def test_when_a_second_row_takes_the_email_the_first_person_keeps_the_id(nights: Nights) -> None:
    first = nights.night(teacher(), staff())
    second = nights.night(teacher(), staff(), staff("s2", first="Gil", last="Gay"))
    assert second["t"] == first["t"]
    assert len(set(second.values())) == 3


def test_two_people_who_swap_their_emails_keep_their_ids(nights: Nights) -> None:
    first = nights.night(teacher(email="a@x.org"), staff(email="b@x.org", first="Gil", last="Gay"))
    assert nights.night(teacher(email="b@x.org"), staff(email="a@x.org", first="Gil", last="Gay")) == first


def test_merging_keeps_the_oldest_id_and_parting_gives_each_its_own_back(nights: Nights) -> None:
    apart = nights.night(teacher(email="a@x.org"), staff(email="b@x.org"))
    together = nights.night(teacher(), staff())
    assert set(together.values()) == {apart["t"]}
    assert nights.merged == {apart["s"]}
    assert nights.night(teacher(email="a@x.org"), staff(email="b@x.org")) == apart


def test_who_returns_with_another_email_gets_no_id_that_somebody_else_has_now(nights: Nights) -> None:
    first = nights.night(teacher(), staff())["t"]
    assert nights.night(staff()) == {"s": first}
    back = nights.night(teacher(email="new@x.org"), staff())
    assert back["s"] == first
    assert back["t"] != first
    nights.night(staff())
    assert nights.night(teacher(email="new@x.org"), staff()) == back


def test_when_one_part_goes_to_another_person_nobody_vanishes(nights: Nights) -> None:
    first = nights.night(teacher(), staff(), admin(email="b@x.org"))
    second = nights.night(teacher(), staff(email="b@x.org"), admin(email="b@x.org"))
    assert (second["t"], second["a"], second["s"]) == (first["t"], first["a"], first["a"])


def test_a_snapshot_of_an_earlier_version_knows_its_people(nights: Nights) -> None:
    first = nights.night(teacher(), staff(), teacher("t2", "uwe@x.org", "Uwe", "Park"))
    nights.forget_users()
    second = nights.night(staff(), staff("s2", "uwe@x.org", "Uwe", "Park"))
    assert second == {"s": first["t"], "s2": first["t2"]}


def test_an_earlier_versions_snapshot_is_restored_with_its_people(nights: Nights) -> None:
    first = nights.night(teacher(), staff())
    nights.forget_users()
    with duckdb.connect() as engine:
        for table in merging.TABLES:
            engine.execute(f"CREATE TABLE {table} AS FROM '{nights.files[-1][table]}'")
        identities.restore(engine, nights.files[-1]["identity"])
        assert (
            dict(engine.execute("SELECT key, coalesce(user, id) FROM identity WHERE gone IS NULL").fetchall())
            == first
        )


# --- any nights -----------------------------------------------------------------------------------------------------------

PEOPLE, ROLES = 4, ("teachers", "staff", "district_admins")
DESK = "desk@x.org"
# The edits: a role comes or goes, all go, one replaces another; emails are new, swapped, lost or shared.
EDITS = (
    "toggle",
    "toggle",
    "toggle",
    "leave",
    "replace",
    "replace",
    "new email",
    "swap",
    "nothing",
    "share",
    "lag",
)
edits = st.tuples(
    st.sampled_from(EDITS), st.integers(0, PEOPLE - 1), st.integers(0, PEOPLE - 1), st.integers(0, 2)
)


@dataclass
class Person:
    number: int
    email: str
    roles: set[str]
    # A role whose row still has another address.
    late: tuple[str, str] | None = None

    def rows(self) -> list[Row]:
        said = (f"First{self.number}", f"Last{self.number}")
        old = dict([self.late]) if self.late else {}
        return [
            (role, f"{role} {self.number}", old.get(role, self.email), *said) for role in sorted(self.roles)
        ]


class Town:
    """People, known by a number; the oracle for who is who."""

    def __init__(self) -> None:
        self.people = [Person(number, f"p{number}@x.org", {ROLES[number % 3]}) for number in range(PEOPLE)]
        self.fresh = 0

    def edit(self, what: str, one: int, other: int, place: int) -> None:
        person, role = self.people[one], ROLES[place]
        person.late = None
        if person.email == DESK or what == "share":
            for each in self.people:
                each.email = f"p{each.number}@x.org" if each.email == DESK else each.email
        if what == "toggle":
            person.roles ^= {role}
        elif what == "leave":
            person.roles = set()
        elif what == "replace":
            person.roles = {role}
        elif what == "new email":
            self.fresh += 1
            person.email = f"new{self.fresh}@x.org"
        elif what == "lag" and len(person.roles) > 1:
            person.late = (min(person.roles), f"late{one}@x.org")
        elif what == "swap":
            self.people[other].late = None
            person.email, self.people[other].email = self.people[other].email, person.email
        elif what == "nothing":
            person.email = ("", "none", "N/A")[place]
        elif what == "share" and one != other:
            for each in (person, self.people[other]):
                each.email, each.late = DESK, None
                each.roles.add(role)


def _users(person: Person, found: Users) -> set[str]:
    return {found[key] for _, key, *_ in person.rows()}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(days=st.lists(st.lists(edits, min_size=1, max_size=4), min_size=1, max_size=4))
def test_over_any_nights_a_person_with_a_role_that_goes_on_keeps_the_id_and_no_two_share_one(
    days: list[Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    town, nights = Town(), Nights(tmp_path_factory.mktemp("nights"))
    rows = [row for person in town.people for row in person.rows()]
    found = nights.night(*rows)
    for day in days:
        before, before_rows = found, rows
        was = {
            person.number: (_users(person, before), {row[1] for row in person.rows()})
            for person in town.people
        }
        for edit in day:
            town.edit(*edit)
        rows = [row for person in town.people for row in person.rows()]
        found = nights.night(*rows)
        owners: dict[str, set[int]] = {}
        for person in town.people:
            for id_ in _users(person, found):
                owners.setdefault(id_, set()).add(person.number)
            users, keys = was[person.number]
            if keys & {row[1] for row in person.rows()} and len(users) == 1:
                assert users <= _users(person, found), person
        assert all(len(numbers) == 1 for numbers in owners.values())
    # The same files again, an undo, and an undo of the undo.
    assert nights.night(*rows) == found
    assert nights.night(*before_rows, home=-3) == before
    assert nights.night(*rows, home=-2) == found

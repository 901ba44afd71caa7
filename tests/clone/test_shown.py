"""What an application sees of a copy: what its scopes open and the district shares, in the source's own
words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rollbook import sync
from rollbook.contract.clever import view_spec
from rollbook.domain import shares
from rollbook.domain.access import SECURE_SYNC, SENSITIVE
from rollbook.settings import Settings
from rollbook.store.district import districts
from rollbook.store.district.views import Spec
from rollbook.store.engine.database import Database
from tests.clone.conftest import Copy
from tests.clone.stub import DISTRICT, Stub, id_of
from tests.clone.test_copy import STRANGE, bodies

NORTH, SOUTH, EDNA, BART, LISA, HOMER, CLASS = (
    id_of(number) for number in (1, 21, 10, 1_000, 1_001, 5_000, 9_000)
)
EVERYTHING = Spec((*SECURE_SYNC, *SENSITIVE), sensitive=tuple(view_spec.SENSITIVE_FIELDS))

Record = dict[str, Any]


@pytest.fixture
def sees(clone: Copy, sqlite: Database, source: Stub, settings: Settings) -> Any:
    """Clone, and read what a spec shows, by id."""

    def read(spec: Spec) -> dict[str, Record]:
        if not districts.list_all(sqlite):
            clone()
        return {
            id_: json.loads(body)
            for (kind, id_), body in bodies(sqlite, spec, settings).items()
            if "." not in kind
        }

    source.put("schools", {"id": SOUTH, "name": "South", "sis_id": "S"})
    return read


def student(id_: str, **role: Any) -> Record:
    return {
        "id": id_,
        "email": "b@home.example",
        "name": {"first": "Bart"},
        "roles": {"student": {"schools": [NORTH], **role}},
    }


def share(given: object, **more: Any) -> Spec:
    return Spec(EVERYTHING.scopes, shares.parse(given), **more)


def test_an_application_with_the_scope_for_students_alone_sees_nobody_else(sees: Any, source: Stub) -> None:
    seen = sees(Spec(("read:students",)))
    assert set(seen) == {DISTRICT, *(id_of(1_000 + number) for number in range(6))}


def test_a_sensitive_field_needs_its_scope(sees: Any, source: Stub) -> None:
    bart = student(BART, ell_status="Y", iep_status="N", gifted_status="Y", grade="4")
    source.put("users", bart)
    assert sees(Spec())[BART]["roles"] == {"student": {"schools": [NORTH], "grade": "4"}}
    assert sees(Spec((*SECURE_SYNC, "read:iep_status"), sensitive=("student.iep_status",)))[BART]["roles"][
        "student"
    ] == {
        "schools": [NORTH],
        "iep_status": "N",
        "grade": "4",
    }
    assert sees(EVERYTHING)[BART] == bart
    # Neither side alone opens it.
    assert (
        sees(Spec((*SECURE_SYNC, "read:iep_status")))[BART]
        == sees(Spec(sensitive=("student.iep_status",)))[BART]
    )


def test_a_sensitive_field_is_hidden_in_a_role_that_should_not_have_it(sees: Any, source: Stub) -> None:
    source.put(
        "users",
        {"id": EDNA, "roles": {"teacher": {"schools": [NORTH], "disability": {"disability_status": "Y"}}}},
    )
    assert sees(Spec())[EDNA]["roles"] == {"teacher": {"schools": [NORTH]}}


def test_withheld_fields_are_gone_from_role_and_user(sees: Any, source: Stub) -> None:
    source.put(
        "users",
        student(BART, dob="2/23/2000", email="b@home.example", credentials={"district_username": "bart"}),
    )
    source.put(
        "users",
        {
            "id": HOMER,
            "email": "h@home.example",
            "roles": {"contact": {"student_relationships": [], "phone": "1"}},
        },
    )
    withheld = ("student.dob", "student.email", "student.credentials", "contact.phone", "contact.email")
    seen = sees(Spec(EVERYTHING.scopes, withheld=withheld))
    assert (seen[BART]["email"], seen[BART]["roles"]) == ("", {"student": {"schools": [NORTH]}})
    assert (seen[HOMER]["email"], seen[HOMER]["roles"]) == ("", {"contact": {"student_relationships": []}})


def test_a_share_by_schools_shows_no_id_of_anybody_else(sees: Any, source: Stub) -> None:
    role = {
        "school": NORTH,
        "schools": [NORTH, SOUTH],
        "enrollments": [{"school": NORTH}, {"school": SOUTH, "start_date": None}],
    }
    source.put(
        "users",
        student(BART, **role),
        {"id": EDNA, "roles": {"teacher": {"school": NORTH, "schools": [NORTH]}}},
    )
    source.put("users", {"id": id_of(11), "roles": {"teacher": {"school": SOUTH, "schools": [SOUTH]}}})
    taught = {"teacher": EDNA, "teachers": [EDNA, id_of(11)], "students": [LISA, BART]}
    source.put(
        "sections", {"id": CLASS, "school": SOUTH, **taught}, {"id": id_of(9_001), "school": NORTH, **taught}
    )
    seen = sees(share({"schools": ["S"]}))
    # Bart's primary school comes with him.
    assert set(seen) == {DISTRICT, NORTH, SOUTH, CLASS, BART, HOMER, id_of(11)}
    assert seen[BART]["roles"]["student"] == role
    assert seen[CLASS] == {
        "id": CLASS,
        "school": SOUTH,
        "teacher": id_of(11),
        "teachers": [id_of(11)],
        "students": [BART],
    }
    only_bart = {
        "rules": [{"kind": "student", "where": [["first", "equals any of", "Bart"]], "with": ["sections"]}]
    }
    seen = sees(share({"rules": [*only_bart["rules"], {"kind": "staff"}]}))
    assert seen[CLASS] == {"id": CLASS, "school": SOUTH, "teachers": [], "students": [BART]}
    kept = sees(share(only_bart, keeps_ids=True))
    assert kept[CLASS] == {"id": CLASS, "school": SOUTH, **taught}


def test_schools_that_are_not_shared_are_gone_from_the_lists_of_a_person(sees: Any, source: Stub) -> None:
    role = {
        "school": NORTH,
        "schools": [SOUTH, NORTH],
        "enrollments": [{"school": SOUTH}, {"school": NORTH, "end_date": None}],
    }
    source.put("users", student(BART, **role))
    seen = sees(share({"rules": [{"kind": "student", "where": [["first", "equals any of", "Bart"]]}]}))
    assert seen[BART]["roles"]["student"] == {
        "school": NORTH,
        "schools": [NORTH],
        "enrollments": [{"school": NORTH, "end_date": None}],
    }


def test_a_contact_keeps_what_the_source_says_of_shared_students(sees: Any, source: Stub) -> None:
    entries = [
        {"relationship": "Uncle"},
        {"student": LISA, "x": 1},
        {"student": BART, "type": None, "new": [1]},
    ]
    source.put(
        "users", student(BART), {"id": HOMER, "roles": {"contact": {"student_relationships": entries}}}
    )
    seen = sees(share({"rules": [{"kind": "student", "where": [["first", "equals any of", "Bart"]]}]}))
    assert seen[HOMER]["roles"] == {"contact": {"student_relationships": entries[2:]}}


def test_of_a_person_only_the_roles_that_are_shared_are_seen(sees: Any, source: Stub) -> None:
    roles = {
        "teacher": {"schools": [NORTH]},
        "staff": {"schools": [NORTH, SOUTH]},
        "principal": {"a": 1},
        "contact": None,
    }
    source.put("users", {"id": EDNA, "name": {"last": None}, "roles": roles})
    seen = sees(share({"rules": [{"kind": "staff", "with": ["schools"]}]}))
    assert seen[EDNA] == {"id": EDNA, "name": {"last": None}, "roles": {"staff": roles["staff"]}}
    assert sees(EVERYTHING)[EDNA]["roles"] == roles


def test_rules_read_the_fields_of_records(sees: Any, source: Stub) -> None:
    source.put(
        "users",
        student(BART, ext={"bus": "7"}, credentials={"district_username": "elbarto"}, graduation_year=2030),
    )
    source.put(
        "users",
        {"id": EDNA, "roles": {"staff": {"staff_id": "9", "roles": ["SchoolTechLead"], "schools": [NORTH]}}},
    )
    for field, value in (
        ("ext.bus", "7"),
        ("district_username", "elbarto"),
        ("graduation_year", "2030"),
        ("email", "b@home.example"),
    ):
        assert BART in sees(
            share({"rules": [{"kind": "student", "where": [[field, "equals any of", value]]}]})
        ), field
        assert LISA not in sees(
            share({"rules": [{"kind": "student", "where": [[field, "equals any of", value]]}]})
        ), field
    for field, value in (("sis_id", "9"), ("role", "SchoolTechLead"), ("school", "Springfield Elementary")):
        assert EDNA in sees(
            share({"rules": [{"kind": "staff", "where": [[field, "equals any of", value]]}]})
        ), field


@pytest.mark.parametrize("odd", [{"0": LISA}, LISA, [[LISA]], [{"id": LISA}], [LISA, LISA], None, 7])
def test_lists_of_another_form_show_nobody_who_is_not_shared(odd: Any, sees: Any, source: Stub) -> None:
    source.put(
        "sections", {"id": CLASS, "school": NORTH, "teacher": {"id": LISA}, "teachers": odd, "students": odd}
    )
    source.put("users", {"id": HOMER, "roles": {"contact": {"student_relationships": odd}}})
    rules = [{"kind": "section"}, {"kind": "teacher"}]
    seen = sees(Spec(("read:sections", "read:student_contacts"), shares.parse({"rules": rules})))
    assert LISA not in json.dumps(seen)
    assert LISA in json.dumps(sees(EVERYTHING))


def test_ids_of_people_who_are_not_in_the_copy_are_left_where_nothing_is_hidden(
    sees: Any, source: Stub
) -> None:
    taught = {"teachers": [id_of(77)], "students": [BART, id_of(78)], "school": NORTH}
    source.put("sections", {"id": CLASS, **taught})
    assert sees(Spec())[CLASS] == {"id": CLASS, **taught}
    seen = sees(share({"rules": [{"kind": "section"}]}))
    assert seen[CLASS] == {"id": CLASS, "teachers": [], "students": [BART], "school": NORTH}


def test_a_record_of_which_nothing_is_hidden_stays_as_it_came_to_the_byte(
    sees: Any, clone: Copy, sqlite: Database, source: Stub, settings: Settings
) -> None:
    source.put("users", STRANGE.replace('"schools":null', f'"schools":["{NORTH}"]'))
    clone()
    there = {(kind, json.loads(text)["id"]): text for kind, texts in source.records.items() for text in texts}
    for spec in (Spec(), EVERYTHING, share({"schools": [NORTH]}), Spec(withheld=("student.race",))):
        seen = bodies(sqlite, spec, settings)
        changed = {key for key, body in seen.items() if "." not in key[0] and body != there[key]}
        # The unknown person has a role that nobody shares.
        assert changed == ({("users", id_of(8_000))} if spec.share else set())
        assert ("users", id_of(8_000)) in seen


def test_what_rollbook_does_not_know_stays_in_a_record_that_is_cut(sees: Any, source: Stub) -> None:
    source.put("users", STRANGE.replace('"dob"', '"ell_status":"Y","zip":null,"dob"'))
    strange, known = json.loads(STRANGE), sees(Spec(withheld=("student.dob",)))[id_of(8_000)]
    del strange["roles"]["student"]["dob"]
    strange["roles"]["student"]["zip"] = None
    assert known == strange


def test_people_of_no_role_that_rollbook_knows_are_seen_with_everybody_only(sees: Any, source: Stub) -> None:
    source.put("users", {"id": id_of(8_001), "roles": {"principal": {}}}, {"id": id_of(8_002), "roles": None})
    nearly = Spec(tuple(scope for scope in SECURE_SYNC if scope != "read:district_admins"))
    assert {id_of(8_001), id_of(8_002)} <= set(sees(Spec()))
    assert not {id_of(8_001), id_of(8_002)} & set(sees(nearly))


def test_undo_and_another_clone_keep_to_what_is_shared(
    sees: Any, clone: Copy, sqlite: Database, source: Stub, settings: Settings
) -> None:
    source.put("users", student(BART, school=NORTH, ell_status="Y"))
    spec = Spec(
        SECURE_SYNC,
        shares.parse({"rules": [{"kind": "student", "where": [["first", "equals any of", "Bart"]]}]}),
    )
    before = sees(spec)
    source.put("users", student(BART, school=NORTH, ell_status="N", grade="5"), student(LISA, ell_status="Y"))
    clone()
    assert {BART, LISA} < set(sees(spec))
    assert sees(spec)[BART]["roles"] == {"student": {"schools": [NORTH], "school": NORTH, "grade": "5"}}
    assert "ell_status" not in json.dumps(sees(spec))
    sync.undo(sqlite, districts.find(sqlite, DISTRICT), settings)
    assert sees(spec) == before

"""What a share shows of the small world, record by record: two roles, two schools, siblings, co-teachers,
resources."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from rollbook.domain import shares
from rollbook.domain.access import SECURE_SYNC
from rollbook.errors import BadSetting
from tests import world
from tests.sharing.desk import Desk, Json, Reader, ids_in, of_a_clone, of_files
from tests.sharing.test_edits import labels


def rule(kind: str, *where: list[str], along: tuple[str, ...] = ()) -> Json:
    return {"kind": kind, "where": list(where), "with": list(along)}


def share(reader: Reader, *rules: Json, **more: Any) -> dict[str, dict[str, Json]]:
    """What a reader sees under rules, by kind and label."""
    reader.share({"rules": list(rules)}, **more)
    return by_label(reader)


def by_label(reader: Reader) -> dict[str, dict[str, Json]]:
    names = {id_: name for name, id_ in _names(reader).items()}
    return {
        kind: {names[id_]: record for id_, record in records.items()}
        for kind, records in reader.everything().items()
    }


def _names(reader: Reader) -> dict[str, str]:
    found: dict[str, str] = {}
    for kind, records in reader.everything().items():
        for id_, record in records.items():
            roles = record["roles"].values() if kind == "users" else ()
            keys = [role.get("sis_id") or role.get("staff_id") or role.get("title") for role in roles]
            found[
                keys[0] if keys else record.get("sis_id") or record.get("resource_id") or record["name"]
            ] = id_
    return found


@of_files
def test_of_a_teacher_who_is_staff_only_the_shared_role_is_seen(reader: Reader) -> None:
    ada = by_label(reader)["users"]["t-ada"]
    staff = share(reader, rule("staff", along=("schools",)))["users"]["s-ada"]
    assert undated(staff) == {
        "id": ada["id"],
        "district": reader.desk.district.id,
        "email": "ada@north.example",
        "name": {"first": "Ada", "last": "Byrne", "middle": ""}
        if "middle" in staff["name"]
        else {"first": "Ada", "last": "Byrne"},
        "roles": {"staff": ada["roles"]["staff"]},
    }
    teacher = share(reader, rule("teacher", ["sis_id", "equals any of", "t-ada"]))["users"]["t-ada"]
    assert (teacher["name"]["last"], list(teacher["roles"])) == ("Lovelace", ["teacher"])


@of_a_clone
def test_a_cloned_person_has_one_name_whatever_role_is_seen(reader: Reader) -> None:
    ada = by_label(reader)["users"]["t-ada"]
    staff = share(reader, rule("staff", along=("schools",)))["users"]["s-ada"]
    assert undated(staff) == {**undated(ada), "roles": {"staff": ada["roles"]["staff"]}}


def undated(record: Json) -> Json:
    return {name: value for name, value in record.items() if name not in ("created", "last_modified")}


def test_staff_come_without_schools_unless_they_are_shared_along(reader: Reader) -> None:
    seen = share(reader, rule("staff"))
    assert (seen["schools"], seen["users"]["s-ada"]["roles"]["staff"]["schools"]) == ({}, [])
    assert set(share(reader, rule("staff", along=("schools",)))["schools"]) == {"N", "S"}


def test_staff_come_with_the_schools_that_are_named(reader: Reader) -> None:
    seen = share(reader, rule("staff", along=("S",)))
    (school,) = seen["schools"].values()
    assert (school["sis_id"], seen["users"]["s-ada"]["roles"]["staff"]["schools"]) == ("S", [school["id"]])
    assert set(share(reader, rule("staff", along=("North High", school["id"])))["schools"]) == {"N", "S"}
    assert share(reader, rule("staff", along=("nowhere",)))["schools"] == {}


def test_a_student_in_two_schools_brings_the_primary_one_only(reader: Reader) -> None:
    seen = share(reader, rule("student", ["sis_id", "equals any of", "emmy"]))
    emmy = seen["users"]["emmy"]["roles"]["student"]
    (school,) = seen["schools"].values()
    assert (emmy["school"], emmy["schools"]) == (school["id"], [school["id"]])
    assert (set(seen["users"]), seen["sections"], seen["terms"], seen["courses"]) == (
        {"emmy", "byron"},
        {},
        {},
        {},
    )


def test_a_contact_names_only_the_siblings_that_are_shared(reader: Reader) -> None:
    seen = share(reader, rule("student", ["sis_id", "equals any of", "alan"]))
    assert seen["users"]["byron"]["roles"]["contact"]["student_relationships"] == [
        {"student": seen["users"]["alan"]["id"], "relationship": "Aunt/Uncle", "type": "Emergency"}
    ]
    assert set(share(reader, rule("student", ["sis_id", "equals any of", "katherine"]))["users"]) == {
        "katherine"
    }


def test_students_who_come_with_a_teacher_come_without_contacts(reader: Reader) -> None:
    ada = rule("teacher", ["sis_id", "equals any of", "t-ada"], along=("students",))
    assert set(share(reader, ada)["users"]) == {"t-ada", "emmy", "alan"}
    seen = share(reader, ada, rule("student", ["sis_id", "equals any of", "emmy"]))
    relationships = seen["users"]["byron"]["roles"]["contact"]["student_relationships"]
    assert {entry["student"] for entry in relationships} == {
        seen["users"]["emmy"]["id"],
        seen["users"]["alan"]["id"],
    }


def test_a_section_names_shared_teachers_and_students_only(reader: Reader) -> None:
    seen = share(reader, rule("teacher", ["sis_id", "equals any of", "t-grace"], along=("sections",)))
    algebra, grace = seen["sections"]["algebra"], seen["users"]["t-grace"]["id"]
    # The primary teacher is not shared: the first shared one takes the place, and a section may have no
    # student left.
    assert (algebra["teacher"], algebra["teachers"], algebra["students"]) == (grace, [grace], [])
    assert set(seen["courses"]) == {"Algebra", "Poetry"}
    assert set(seen["resources"]) == {"plotter"}


def test_a_kept_id_is_seen_in_a_shared_record_and_found_nowhere(reader: Reader) -> None:
    everybody = _names(reader)
    seen = share(
        reader, rule("teacher", ["sis_id", "equals any of", "t-grace"], along=("sections",)), keeps_ids=True
    )
    algebra = seen["sections"]["algebra"]
    assert algebra["students"] == sorted([everybody["emmy"], everybody["alan"]])
    assert reader.ask(f"/v3.0/users/{everybody['alan']}").status == 404
    found = [user["id"] for user in reader.pull(f"/v3.0/sections/{algebra['id']}/users", limit=1)]
    assert found == [everybody["t-grace"]]


def test_a_section_rule_brings_its_people_school_term_and_course(reader: Reader) -> None:
    seen = share(reader, rule("section", ["name", "contains", "Algebra"]))
    assert {kind: set(records) for kind, records in seen.items() if kind != "districts"} == {
        "courses": {"Algebra"},
        "resources": {"plotter"},
        "schools": {"N"},
        "sections": {"algebra"},
        "terms": {"Fall"},
        "users": {"emmy", "alan", "t-ada", "t-grace", "byron"},
    }


def test_not_a_school_means_none_of_the_persons_schools(reader: Reader) -> None:
    assert set(share(reader, rule("student", ["school", "does not equal any of", "S"]))["users"]) == {
        "alan",
        "byron",
    }
    assert set(share(reader, rule("student", ["school", "does not contain", "North"]))["users"]) == {
        "katherine"
    }


def test_own_fields_and_administrators(reader: Reader) -> None:
    assert set(share(reader, rule("student", ["ext.bus", "equals any of", "7"]))["users"]) == {
        "emmy",
        "byron",
    }
    assert set(share(reader, rule("admin", ["title", "starts with", "Super"]))["users"]) == {"Superintendent"}


def test_a_list_may_be_one_text_with_semicolons(reader: Reader) -> None:
    assert set(share(reader, rule("student", ["grade", "equals any of", "11; 5 ;"]))["users"]) == {
        "emmy",
        "katherine",
        "byron",
    }
    assert set(share(reader, rule("student", ["grade", "does not equal any of", "11;10"]))["users"]) == {
        "katherine"
    }
    assert set(share(reader, rule("section", ["name", "starts with any of", "Alg;Poe"]))["sections"]) == {
        "algebra",
        "poetry",
    }
    assert set(share(reader, rule("student", ["gender", "equals any of", "", "F;X"]))["users"]) == {
        "emmy",
        "katherine",
        "byron",
    }


@of_files
def test_a_cell_with_a_semicolon_is_found_by_operators_that_take_no_list(reader: Reader) -> None:
    reader.desk.sync(world.changed(("students.csv", ",emmy@north.example,7,", ",emmy@north.example,7;8,")))
    assert set(share(reader, rule("student", ["ext.bus", "contains", "7;8"]))["users"]) == {"emmy", "byron"}
    assert set(share(reader, rule("student", ["ext.bus", "starts with", "7;"]))["users"]) == {"emmy", "byron"}
    assert share(reader, rule("student", ["ext.bus", "contains", "8;7"]))["users"] == {}


@of_files
def test_administrators_are_picked_by_any_of_their_roles(reader: Reader) -> None:
    rows = world.FILES["administrators.csv"]
    mary = "a-mary,mary@south.example,Mary,Jackson,Deputy,dcl\na-mary,mary@south.example,Mary,Jackson,Deputy,District Help Desk\n"
    reader.desk.sync({**world.FILES, "administrators.csv": rows + mary})

    def having(*condition: str) -> set[str]:
        return set(share(reader, rule("admin", ["role", *condition]))["users"])

    assert having("equals any of", "Clever Administrator") == {"Superintendent"}
    assert (
        having("equals any of", "District Help Desk")
        == having("equals any of", "District Curriculum Lead")
        == {"Deputy"}
    )
    assert having("starts with", "Clever", "District") == {"Superintendent", "Deputy"}
    assert having("does not contain", "Help") == {"Superintendent"}
    assert having("equals any of", "DCL") == set()


@of_files
def test_a_snapshot_of_an_earlier_version_knows_no_roles_of_administrators(
    reader: Reader, tmp_path: Path
) -> None:
    old, new = tmp_path / "old.parquet", tmp_path / "new.parquet"
    named = "FROM snapshots WHERE name = 'roster_district_admins'"
    with reader.desk.database.write() as transaction, duckdb.connect() as engine:
        found = transaction.row(f"SELECT data {named}")
        assert found
        new.write_bytes(found[0])
        engine.execute(f"COPY (SELECT * EXCLUDE role FROM '{new}') TO '{old}' (FORMAT parquet)")
        transaction.run(
            "UPDATE snapshots SET data = ? WHERE name = 'roster_district_admins'", (old.read_bytes(),)
        )
    assert share(reader, rule("admin", ["role", "equals any of", "Clever Administrator"]))["users"] == {}
    reader.desk.sync()
    assert set(by_label(reader)["users"]) == {"Superintendent"}


def test_contacts_go_with_their_students_when_a_scope_closes_these(desk: Desk) -> None:
    scopes = [scope for scope in SECURE_SYNC if scope != "read:students"]
    assert labels(desk.connect("Without students", scopes))["users"] == {"t-ada", "t-grace"}


def test_a_share_of_an_earlier_version_that_nobody_can_read_shares_nothing(reader: Reader) -> None:
    reader.share({"rules": [rule("student", ["ext.bus", "equals any of", "7"])]})
    with reader.desk.database.write() as transaction:
        transaction.run("UPDATE views SET spec = replace(spec, 'ext.bus', 'ext.')")
    reader.desk.sync()
    assert by_label(reader)["users"] == {}
    assert set(share(reader, rule("teacher"))["users"]) == {"t-ada", "t-grace"}


def test_nothing_shared_leaves_the_district_alone(reader: Reader) -> None:
    reader.share({})
    assert ids_in(reader.ask("/v3.0/districts").body) == {reader.desk.district.id}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"rules": [rule("student", ["shoe", "equals any of", "9"])]}, "expected a field"),
        ({"rules": [rule("admin", ["ext.x", "equals any of", "9"])]}, "expected a field"),
        ({"rules": [rule("student", ["grade", "is", "9"])]}, "expected an operator"),
        ({"rules": [rule("student", ["grade", "equals any of"])]}, "expected \\[field"),
        ({"rules": [{"kind": "student", "where": [["grade", "equals any of", 9]]}]}, "in quotation marks"),
        ({"rules": [{"kind": "student", "where": 9}]}, "expected a list"),
        ({"rules": [{"kind": "student", "whre": []}]}, "got 'whre'"),
        ({"rules": [rule("staff", along=("sections",))]}, "expected some of schools"),
        ({"rules": [{"kind": "contact"}]}, "expected a kind"),
        ({"schools": [7]}, "in quotation marks"),
        ({"schools": ["N"], "rules": [rule("staff")]}, "got both"),
        ({"schools": {"N": 1}, "rules": 1}, "expected lists"),
        ({"rules": [rule("student", ["ext.", "contains", "x"])]}, "expected a field"),
        ({"rules": [rule("student", ["ext.a.b", "contains", "x"])]}, "expected a field"),
        ({"rules": [rule("student", ["ext.a b", "contains", "x"])]}, "expected a field"),
        ({"rules": [rule("student", [f"ext.{'a' * 1000}", "contains", "x"])]}, "at most 1000 characters"),
        ({"rules": [rule("student", ["grade", "contains", "\0"])]}, "without NUL"),
        ({"rules": [rule("student", ["grade", "contains", "\ud800"])]}, "without NUL"),
        ({"rules": [rule("student", ["grade", "contains", *(["x"] * 10_000)])]}, "at most 10000 values"),
        ({"rules": [rule("student", *([["grade", "contains", "x"]] * 51))]}, "at most 50 conditions"),
        ({"rules": [rule("student")] * 201}, "at most 200 rules"),
        ({"rules": [rule("student", ["grade", "equals any of", " ; "])]}, "expected a value"),
        ({"rules": [{"kind": [], "where": []}]}, "expected a kind"),
        ({"rules": [{"kind": "student", "where": [["grade", ["contains"], "x"]]}]}, "in quotation marks"),
        ({"rules": [{"kind": "student", "with": [[]]}]}, "in quotation marks"),
    ],
)
def test_a_share_that_cannot_be_read_says_what_was_expected(given: object, reason: str) -> None:
    with pytest.raises(BadSetting, match=reason):
        shares.parse(given)

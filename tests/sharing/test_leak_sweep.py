"""No answer shows more, or less, than a share and scopes allow: random districts and shares against an oracle in plain Python.

The oracle reads the whole district's JSON, as an application sees it that everything is shared with, and cuts it down by the
documented rules. Every list, record and related path must then be that; and no other id stands in any answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from rollbook.contract.access import SECURE_SYNC, SENSITIVE
from rollbook.contract.endpoints import ENDPOINTS
from rollbook.roster import sharing
from rollbook.store.database import Database, open_database
from rollbook.store.migrations import migrate
from rollbook.store.views import Spec
from tests.journeys.oracle import Roster
from tests.sharing.desk import KINDS, Desk, Json, Reader, ids_in

STUDENTS = 50
MISSING = "f" * 24
ROLE_SCOPES = {
    "student": "read:students",
    "teacher": "read:teachers",
    "staff": "read:school_admins",
    "district_admin": "read:district_admins",
    "contact": "read:student_contacts",
}
KIND_SCOPES = {
    "schools": "read:schools",
    "sections": "read:sections",
    "terms": "read:sections",
    "courses": "read:sections",
    "resources": "read:resources",
}
SENSITIVE_FIELDS = {
    "ell_status": "read:ell_status",
    "frl_status": "read:frl_status",
    "iep_status": "read:iep_status",
    "home_language": "read:home_language",
}
FIELDS = {
    "student": ("sis_id", "grade", "gender"),
    "teacher": ("sis_id", "title"),
    "staff": ("sis_id", "title", "department"),
    "section": ("sis_id", "grade", "subject", "period", "name"),
    "admin": ("title",),
}


@dataclass
class Town:
    """A district, the whole of it as JSON, and the reader whose share is edited."""

    desk: Desk
    whole: Reader
    reader: Reader
    seed: int
    records: dict[str, dict[str, Json]]
    courses_of: dict[str, set[str]]

    def reread(self) -> None:
        self.records = self.whole.everything()
        self.courses_of = {
            id_: {course["id"] for course in self.whole.pull(f"/v3.0/resources/{id_}/courses")}
            for id_ in self.records["resources"]
        }


# What is allowed -------------------------------------------------------------------------------------


@dataclass
class Allowed:
    """Ids of what is shared: users by role, other records by kind."""

    roles: dict[str, set[str]]
    kinds: dict[str, set[str]]


def matches(value: str, operator: str, values: list[str]) -> bool:
    match operator:
        case "equals any of":
            return value in values
        case "does not equal any of":
            return value not in values
        case "contains" | "contains any of":
            return any(one in value for one in values)
        case "does not contain":
            return not any(one in value for one in values)
        case _:
            return value.startswith(tuple(values))


def allowed(town: Town, spec: Spec) -> Allowed:
    given = sharing.as_json(spec.share)
    users, sections = town.records["users"], town.records["sections"]
    roles: dict[str, set[str]] = {role: set() for role in ROLE_SCOPES}
    kinds: dict[str, set[str]] = {kind: set() for kind in KIND_SCOPES}
    without_contacts: set[str] = set()
    if given is None:
        roles = {role: {id_ for id_, user in users.items() if role in user["roles"]} for role in ROLE_SCOPES}
        kinds = {kind: set(town.records[kind]) for kind in KIND_SCOPES}
    elif isinstance(given, dict) and "schools" in given:
        chosen = named(town, "equals any of", given["schools"])
        kinds["schools"] |= chosen
        kinds["sections"] |= {id_ for id_, section in sections.items() if section["school"] in chosen}
        for role in ("student", "teacher", "staff"):
            roles[role] |= {id_ for id_, user in users.items() if chosen & set(user["roles"].get(role, {}).get("schools", ()))}
    elif isinstance(given, dict):
        for rule in given["rules"]:
            _pick(town, rule, roles, kinds, without_contacts)
    for role, scope in ROLE_SCOPES.items():
        if scope not in spec.scopes:
            roles[role] = set()
    if given is not None:
        for role in ("student", "teacher"):
            kinds["schools"] |= {users[id_]["roles"][role]["school"] for id_ in roles[role]}
        for id_ in kinds["sections"]:
            kinds["schools"].add(sections[id_]["school"])
            kinds["courses"] |= {sections[id_]["course"]} if "course" in sections[id_] else set()
            kinds["terms"] |= {sections[id_]["term_id"]} if "term_id" in sections[id_] else set()
        kinds["resources"] = {id_ for id_, courses in town.courses_of.items() if courses & kinds["courses"]}
        if "read:student_contacts" in spec.scopes:
            roles["contact"] = {id_ for id_, user in users.items() if related(user) & (roles["student"] - without_contacts)}
    roles["contact"] = {id_ for id_ in roles["contact"] if related(users[id_]) & roles["student"]}
    return Allowed(roles, kinds)


def related(user: Json) -> set[str]:
    return {entry["student"] for entry in user["roles"].get("contact", {}).get("student_relationships", ())}


def named(town: Town, operator: str, values: list[str]) -> set[str]:
    return {
        id_
        for id_, school in town.records["schools"].items()
        if any(matches(value, operator, values) for value in (school["sis_id"], school["name"], id_))
    }


def _pick(town: Town, rule: Json, roles: dict[str, set[str]], kinds: dict[str, set[str]], without_contacts: set[str]) -> None:
    users, sections, kind = town.records["users"], town.records["sections"], rule["kind"]
    role = "district_admin" if kind == "admin" else kind
    if kind == "section":
        found = {id_ for id_, section in sections.items() if _fits(town, section, rule, [section["school"]])}
        kinds["sections"] |= found
        before = set(roles["student"])
        roles["student"] |= {student for id_ in found for student in sections[id_]["students"]}
        roles["teacher"] |= {teacher for id_ in found for teacher in sections[id_]["teachers"]}
        without_contacts -= roles["student"] - before | {student for id_ in found for student in sections[id_]["students"]}
        return
    found = {
        id_
        for id_, user in users.items()
        if role in user["roles"] and _fits(town, user["roles"][role], rule, user["roles"][role].get("schools", []))
    }
    if kind == "student":
        without_contacts -= found
    held = {id_ for id_, section in sections.items() if found & set(section.get(f"{kind}s", ()))}
    if kind == "teacher" and "students" in rule["with"]:
        taught = {student for id_ in held for student in sections[id_]["students"]}
        without_contacts |= taught - roles["student"]
        roles["student"] |= taught
    roles[role] |= found
    if "sections" in rule["with"]:
        kinds["sections"] |= held
    if "schools" in rule["with"]:
        kinds["schools"] |= {school for id_ in found for school in users[id_]["roles"]["staff"]["schools"]}


def _fits(town: Town, shown: Json, rule: Json, schools: list[str]) -> bool:
    for field, operator, *values in rule["where"]:
        if field == "school":
            is_not = operator.startswith("does not")
            positive = {"does not equal any of": "equals any of", "does not contain": "contains"}.get(operator, operator)
            if bool(named(town, positive, values) & set(schools)) == is_not:
                return False
        else:
            value = str(shown.get(field, shown.get("staff_id", "") if field == "sis_id" else ""))
            if not matches(value, operator, values):
                return False
    return True


def expected(town: Town, spec: Spec, ids: Allowed) -> dict[str, dict[str, Json]]:
    """The records that the reader must see, without dates."""
    shown: dict[str, dict[str, Json]] = {"districts": town.records["districts"], "users": {}}
    for kind, scope in KIND_SCOPES.items():
        records = town.records[kind] if scope in spec.scopes else {}
        shown[kind] = {id_: undated(record) for id_, record in records.items() if id_ in ids.kinds[kind]}
    for section in shown["sections"].values():
        if not spec.keeps_ids:
            for role in ("student", "teacher"):
                section[f"{role}s"] = [id_ for id_ in section[f"{role}s"] if id_ in ids.roles[role]]
        section.pop("teacher", None)
        if section["teachers"]:
            section["teacher"] = section["teachers"][0]
    for id_, user in town.records["users"].items():
        if roles := {role: held for role, held in user["roles"].items() if id_ in ids.roles[role]}:
            shown["users"][id_] = {**undated(user), "roles": {role: _role(spec, ids, role, held) for role, held in roles.items()}}
            if f"{next(iter(roles))}.email" in (*spec.withheld, *spec.unasked):
                shown["users"][id_]["email"] = ""
    return shown


def _role(spec: Spec, ids: Allowed, role: str, held: Json) -> Json:
    shown = {
        name: value
        for name, value in held.items()
        if f"{role}.{name}" not in (*spec.withheld, *spec.unasked)
        and (name not in SENSITIVE_FIELDS or (SENSITIVE_FIELDS[name] in spec.scopes and f"student.{name}" in spec.sensitive))
    }
    if "schools" in shown:
        shown["schools"] = [school for school in held["schools"] if school in ids.kinds["schools"]]
    if role == "contact" and not spec.keeps_ids:
        shown["student_relationships"] = [
            entry for entry in held["student_relationships"] if entry["student"] in ids.roles["student"]
        ]
    return shown


def undated(record: Json) -> Json:
    return {name: value for name, value in record.items() if name not in ("created", "last_modified", "updated", "last_sync")}


# The sweep -------------------------------------------------------------------------------------------


def sweep(town: Town, spec: Spec) -> None:
    """Read whatever there is to read, and hold it to what is allowed."""
    reader, ids = town.reader, allowed(town, spec)
    records = expected(town, spec, ids)
    may = ids_in(json.dumps(records)) | {town.desk.district.id}
    linked = Roster(
        {kind: dict(of_kind) for kind, of_kind in expected(town, replace(spec, keeps_ids=False), ids).items()},
        {id_: courses & set(records["courses"]) for id_, courses in town.courses_of.items() if id_ in records["resources"]},
    )
    for kind in KINDS:
        found = {record["id"]: undated(record) for record in reader.pull(f"/v3.0/{kind}", limit=17)}
        wanted = {id_: undated(record) for id_, record in records[kind].items()}
        if kind == "users":
            _same_people(town, wanted, found)
        assert wanted == found, kind
        assert list(found) == sorted(found)
        if kind != "resources" and kind != "districts":
            assert reader.read(f"/v3.0/{kind}?count=true")["count"] == len(found)
        for id_ in list(found)[:: 9 if kind == "users" else 1]:
            answer = reader.ask(f"/v3.0/{kind}/{id_}")
            assert ids_in(answer.body) <= may
            assert undated(json.loads(answer.body)["data"]) == found[id_]
            for link in json.loads(answer.body)["links"]:
                linked_to = reader.ask(link["uri"])
                assert linked_to.status in (200, 404)
                assert ids_in(linked_to.body) <= may
    for role in ROLE_SCOPES:
        assert {user["id"] for user in reader.pull(f"/v3.0/users?role={role}", limit=17)} == ids.roles[role]
        assert reader.read(f"/v3.0/users?role={role}&count=true")["count"] == len(ids.roles[role])
    for row in ENDPOINTS:
        if row.shape == "many":
            for id_ in list(records[row.source])[:: 7 if row.source in ("users", "sections") else 1]:
                path = row.path.replace("{id}", id_)
                for only in (None, *row.roles):
                    for primary in (False, True) if row.has_primary else (False,):
                        _same_list(town, linked, records, row.path, id_, path, only, primary)
    _unshared_is_missing(town, records)


def _same_people(town: Town, wanted: dict[str, Json], found: dict[str, Json]) -> None:
    """Of a person of several roles who is seen in a lesser one only, name and email are that role's own row's."""
    for id_, user in wanted.items():
        if id_ in found and next(iter(user["roles"])) != next(iter(town.records["users"][id_]["roles"])):
            user["name"] = found[id_]["name"]
            assert found[id_]["email"] == town.records["users"][id_]["email"]


def _same_list(
    town: Town, linked: Roster, records: dict[str, Any], row: str, id_: str, path: str, role: str | None, primary: bool
) -> None:
    query = "&".join([*([f"role={role}"] if role else []), *(["primary=true"] if primary else [])])
    found = [record["id"] for record in town.reader.pull(f"/v3.0{path}?{query}" if query else f"/v3.0{path}", limit=5)]
    kind = next(one.returns for one in ENDPOINTS if one.path == row)
    assert sorted(linked.related(row, id_, role=role, primary=primary) & set(records[kind])) == found, (path, query)


def _unshared_is_missing(town: Town, records: dict[str, dict[str, Json]]) -> None:
    """A record that is not shared is answered like one that is not there, byte for byte."""
    others = {kind: sorted(set(town.records[kind]) - set(records[kind]))[:2] for kind in KINDS}
    for row in ENDPOINTS:
        for id_ in others[row.source] if "{id}" in row.path else ():
            unshared, missing = (town.reader.ask(f"/v3.0{row.path.replace('{id}', one)}") for one in (id_, MISSING))
            assert (unshared.status, unshared.headers) == (404, missing.headers)
            assert unshared.body.replace(id_.encode(), MISSING.encode()) == missing.body


def _nothing_hidden_is_told(town: Town, spec: Spec) -> None:
    """No event, however old, holds a value of a field that is hidden now."""
    for event in town.reader.feed():
        for part in (event["data"]["object"], event["data"].get("previous_attributes", {})):
            roles = part.get("roles", {}) if event["type"].startswith("users") else {}
            told = {f"{role}.{name}": value for role, held in roles.items() for name, value in held.items()}
            assert not {name: value for name, value in told.items() if name in spec.hidden and value}
            if any(f"{role}.email" in spec.hidden for role in roles):
                assert not part.get("email")


# Random shares ---------------------------------------------------------------------------------------


def shares(town: Town) -> st.SearchStrategy[object]:
    schools = [text for id_, school in town.records["schools"].items() for text in (id_, school["sis_id"], school["name"])]
    chosen = st.lists(st.sampled_from([*schools, "nowhere"]), min_size=1, max_size=2)
    ruled = st.lists(st.sampled_from(sorted(FIELDS)).flatmap(lambda kind: rules(town, kind, schools)), max_size=3)
    return st.none() | chosen.map(lambda names: {"schools": names}) | ruled.map(lambda made: {"rules": made})


def rules(town: Town, kind: str, schools: list[str]) -> st.SearchStrategy[Json]:
    role = "district_admin" if kind == "admin" else kind
    shown = [user["roles"][role] for user in town.records["users"].values() if role in user["roles"]]
    shown = list(town.records["sections"].values()) if kind == "section" else shown

    def condition(field: str) -> st.SearchStrategy[list[str]]:
        values = sorted({str(one.get(field, one.get("staff_id", ""))) for one in shown} | {"x"})
        values = schools if field == "school" else values
        parts = st.sampled_from(values) | st.sampled_from([value[: max(1, len(value) // 2)] for value in values])
        return st.tuples(st.sampled_from(list(sharing.OPERATORS)), st.lists(parts, min_size=1, max_size=3)).map(
            lambda made: [field, made[0], *made[1]]
        )

    fields = (*FIELDS[kind], *(() if kind == "admin" else ("school",)))
    along = st.sets(st.sampled_from(sharing.KINDS[kind][1])).map(sorted) if sharing.KINDS[kind][1] else st.just([])
    where = st.lists(st.sampled_from(fields).flatmap(condition), max_size=2)
    return st.fixed_dictionaries({"kind": st.just(kind), "where": where, "with": along})


def specs(town: Town) -> st.SearchStrategy[Spec]:
    some = st.sets(st.sampled_from(SECURE_SYNC + SENSITIVE))
    scopes = st.just(set(SECURE_SYNC)) | some
    withheld = st.sets(st.sampled_from(sharing.WITHHOLDABLE), max_size=3)
    opened = st.sets(st.sampled_from(sorted(sharing.SENSITIVE_FIELDS))) | st.just(set(sharing.SENSITIVE_FIELDS))
    asked: st.SearchStrategy[set[str]] = st.just(set()) | st.sets(st.sampled_from(sharing.ASKABLE), min_size=8)
    return st.builds(
        lambda share, held, less, keeps, opened, asked: replace(
            Spec.of(tuple(held), asked),
            share=sharing.parse(share),
            withheld=tuple(sorted(less)),
            keeps_ids=keeps,
            sensitive=tuple(sorted(opened)),
        ),
        shares(town),
        scopes,
        withheld,
        st.booleans(),
        opened,
        asked,
    )


@pytest.fixture(scope="module", params=["sqlite 3", "sqlite 8", "postgresql 5"])
def town(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    kind, seed = request.param.split()
    folder = tmp_path_factory.mktemp("leak")
    if kind == "sqlite":
        with closing(open_database(str(folder / "rollbook.db"))) as database:
            migrate(database)
            yield from _town(database, folder, int(seed))
        return
    server, name = request.getfixturevalue("postgresql_address"), f"leak_{uuid4().hex[:16]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}".encode())
        with closing(open_database(f"{server}&options=-csearch_path%3D{name}")) as database:
            migrate(database)
            yield from _town(database, folder, int(seed))
        connection.execute(f"DROP SCHEMA {name} CASCADE".encode())


def _town(database: Database, folder: Any, seed: int) -> Iterator[Town]:
    with closing(Desk(database, folder)) as desk:
        desk.day(0, students=STUDENTS, seed=seed)
        whole = desk.connect("Whole", (*SECURE_SYNC, *SENSITIVE))
        whole.share(None, sensitive=tuple(sharing.SENSITIVE_FIELDS))
        reader = desk.connect("Reader")
        reader.listen()
        made = Town(desk, whole, reader, seed, {}, {})
        made.reread()
        yield made


def test_no_answer_shows_more_or_less_than_is_shared(town: Town) -> None:
    days = iter(range(1, 400, 37))
    examples = 8 if town.desk.database.is_local else 4

    @settings(max_examples=examples, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))
    @given(specs(town), st.booleans())
    def holds(spec: Spec, goes_on: bool) -> None:
        before = ids_in(json.dumps(town.reader.everything()))
        heard = len(town.reader.feed())
        town.reader.edit(spec)
        before |= ids_in(json.dumps(town.reader.everything()))
        if goes_on:
            town.desk.day(next(days), students=STUDENTS, seed=town.seed)
            town.reread()
        sweep(town, spec)
        news = town.reader.feed()[heard:]
        may = before | ids_in(json.dumps(town.reader.everything())) | {event["id"] for event in news}
        assert ids_in(json.dumps(news)) <= may
        _nothing_hidden_is_told(town, spec)

    holds()

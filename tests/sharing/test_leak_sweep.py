"""No answer shows more, or less, than share and scopes allow: random districts and shares against an oracle
in plain Python.

The oracle reads the JSON of the whole district, as an application with a full share sees it, and cuts it by
the documented rules. Every list, record and related path must equal the result, and no other id may stand in
any answer. The district comes from files or is a copy; a copy is compared with its source.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from rollbook import sync
from rollbook.contract.clever import view_spec
from rollbook.contract.clever.endpoints import ENDPOINTS
from rollbook.contract.clever.event_rows import schools_of
from rollbook.contract.clever.fields import SHAPES
from rollbook.domain import shares
from rollbook.domain.access import SECURE_SYNC, SENSITIVE
from rollbook.errors import SourceRejected
from rollbook.store.district.views import Spec
from rollbook.store.engine.database import Database, open_database
from rollbook.store.engine.migrations import migrate
from rollbook.sync import How
from tests import world
from tests.journeys.oracle import Roster
from tests.sharing.desk import KINDS, CopyDesk, Desk, Json, Reader, ids_in
from tests.sharing.test_failed_uploads import BROKEN, MARK, marked

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
    """Ids of shared records: users by role, other records by kind."""

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
    given = shares.as_json(spec.share)
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
            roles[role] |= {
                id_
                for id_, user in users.items()
                if chosen & set(user["roles"].get(role, {}).get("schools", ()))
            }
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
            roles["contact"] = {
                id_ for id_, user in users.items() if related(user) & (roles["student"] - without_contacts)
            }
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


def _pick(
    town: Town, rule: Json, roles: dict[str, set[str]], kinds: dict[str, set[str]], without_contacts: set[str]
) -> None:
    users, sections, kind = town.records["users"], town.records["sections"], rule["kind"]
    role = "district_admin" if kind == "admin" else kind
    if kind == "section":
        found = {id_ for id_, section in sections.items() if _fits(town, section, rule, [section["school"]])}
        kinds["sections"] |= found
        before = set(roles["student"])
        roles["student"] |= {student for id_ in found for student in sections[id_]["students"]}
        roles["teacher"] |= {teacher for id_ in found for teacher in sections[id_]["teachers"]}
        without_contacts -= roles["student"] - before | {
            student for id_ in found for student in sections[id_]["students"]
        }
        return
    found = {
        id_
        for id_, user in users.items()
        if role in user["roles"]
        and _fits(town, user["roles"][role], rule, user["roles"][role].get("schools", []))
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
    if kind == "staff" and rule["with"]:
        named_along = (
            set(town.records["schools"])
            if "schools" in rule["with"]
            else named(town, "equals any of", rule["with"])
        )
        kinds["schools"] |= named_along & {
            school for id_ in found for school in users[id_]["roles"]["staff"]["schools"]
        }


def _fits(town: Town, shown: Json, rule: Json, schools: list[str]) -> bool:
    for field, operator, *given in rule["where"]:
        values = (
            [part for value in given for part in value.split(";")] if operator.endswith("any of") else given
        )
        if field == "school":
            is_not = operator.startswith("does not")
            positive = {"does not equal any of": "equals any of", "does not contain": "contains"}.get(
                operator, operator
            )
            if bool(named(town, positive, values) & set(schools)) == is_not:
                return False
        else:
            value = str(shown.get(field, shown.get("staff_id", "") if field == "sis_id" else ""))
            if not matches(value, operator, values):
                return False
    return True


def expected(town: Town, spec: Spec, ids: Allowed) -> dict[str, dict[str, Json]]:
    """The records that the reader must see, without dates."""
    shown: dict[str, dict[str, Json]] = {"users": {}}
    for kind, scope in KIND_SCOPES.items():
        records = town.records[kind] if scope in spec.scopes else {}
        shown[kind] = {id_: undated(record) for id_, record in records.items() if id_ in ids.kinds[kind]}
    for kind in ("schools", "sections"):
        if f"{kind[:-1]}.ext" in (*spec.withheld, *spec.unasked):
            for record in shown[kind].values():
                del record["ext"]
    for section in shown["sections"].values():
        for role in ("student", "teacher"):
            if not (spec.keeps_ids and ROLE_SCOPES[role] in spec.scopes):
                section[f"{role}s"] = [id_ for id_ in section[f"{role}s"] if id_ in ids.roles[role]]
        section.pop("teacher", None)
        if section["teachers"]:
            section["teacher"] = section["teachers"][0]
    for id_, user in town.records["users"].items():
        if roles := {role: held for role, held in user["roles"].items() if id_ in ids.roles[role]}:
            shown["users"][id_] = {
                **undated(user),
                "roles": {role: _role(spec, ids, role, held) for role, held in roles.items()},
            }
            if f"{next(iter(roles))}.email" in (*spec.withheld, *spec.unasked):
                shown["users"][id_]["email"] = ""
    shown["districts"] = {id_: undated(record) for id_, record in town.records["districts"].items()}
    return shown


def _role(spec: Spec, ids: Allowed, role: str, held: Json) -> Json:
    shown = {
        name: value
        for name, value in held.items()
        if f"{role}.{name}" not in (*spec.withheld, *spec.unasked)
        and (
            name not in SENSITIVE_FIELDS
            or (SENSITIVE_FIELDS[name] in spec.scopes and f"student.{name}" in spec.sensitive)
        )
    }
    if "schools" in shown:
        shown["schools"] = [school for school in held["schools"] if school in ids.kinds["schools"]]
    if role == "contact":
        shown["student_relationships"] = [
            entry for entry in held["student_relationships"] if entry["student"] in ids.roles["student"]
        ]
    return shown


def undated(record: Json) -> Json:
    return {
        name: value
        for name, value in record.items()
        if name not in ("created", "last_modified", "updated", "last_sync")
    }


# The sweep -------------------------------------------------------------------------------------------


def sweep(town: Town, spec: Spec) -> None:
    """Read everything that can be read, and compare it with what is allowed."""
    reader, ids = town.reader, allowed(town, spec)
    records = expected(town, spec, ids)
    may = ids_in(json.dumps(records)) | {town.desk.district.id}
    linked = Roster(
        {
            kind: dict(of_kind)
            for kind, of_kind in expected(town, replace(spec, keeps_ids=False), ids).items()
        },
        {
            id_: courses & set(records["courses"])
            for id_, courses in town.courses_of.items()
            if id_ in records["resources"]
        },
    )
    for kind in KINDS:
        found = {record["id"]: undated(record) for record in reader.pull(f"/v3.0/{kind}", limit=17)}
        wanted = {id_: undated(record) for id_, record in records[kind].items()}
        if kind == "users":
            _same_people(town, wanted, found)
        assert wanted == found, kind
        assert list(found) == sorted(found)
        _later_shows_no_more(town, spec, kind, found)
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


# The fields of students that v3.1 adds, or that have other words there.
LATER = {field.name for field in SHAPES["Student"] if field.differs_in("3.1")}


def _later_shows_no_more(town: Town, spec: Spec, kind: str, found: dict[str, Json]) -> None:
    """v3.1 shows the records of v3.0; of a student also the later fields that are not hidden."""
    later = {record["id"]: undated(record) for record in town.reader.pull(f"/v3.1/{kind}", limit=61)}
    for record in later.values():
        student = record.get("roles", {}).get("student") if kind == "users" else {}
        assert not [name for name in LATER & set(student or {}) if spec.hides("student", name)]
    assert _without_later(kind, later) == _without_later(kind, found)


def _without_later(kind: str, records: dict[str, Json]) -> dict[str, Json]:
    if kind != "users":
        return records
    return {
        id_: {
            **user,
            "roles": {
                role: {name: value for name, value in held.items() if name not in LATER}
                if role == "student"
                else held
                for role, held in user["roles"].items()
            },
        }
        for id_, user in records.items()
    }


def _same_people(town: Town, wanted: dict[str, Json], found: dict[str, Json]) -> None:
    """A person with several roles of whom only a lesser one is shown has the name and email of that role's
    row."""
    for id_, user in wanted.items():
        if id_ in found and next(iter(user["roles"])) != next(iter(town.records["users"][id_]["roles"])):
            user["name"] = found[id_]["name"]
            assert found[id_]["email"] == town.records["users"][id_]["email"]


def _same_list(
    town: Town,
    linked: Roster,
    records: dict[str, Any],
    row: str,
    id_: str,
    path: str,
    role: str | None,
    primary: bool,
) -> None:
    query = "&".join([*([f"role={role}"] if role else []), *(["primary=true"] if primary else [])])
    found = [
        record["id"]
        for record in town.reader.pull(f"/v3.0{path}?{query}" if query else f"/v3.0{path}", limit=5)
    ]
    kind = next(one.returns for one in ENDPOINTS if one.path == row)
    assert sorted(linked.related(row, id_, role=role, primary=primary) & set(records[kind])) == found, (
        path,
        query,
    )


def _unshared_is_missing(town: Town, records: dict[str, dict[str, Json]]) -> None:
    """A record that is not shared is answered like one that does not exist, byte for byte."""
    others = {kind: sorted(set(town.records[kind]) - set(records[kind]))[:2] for kind in KINDS}
    for row in ENDPOINTS:
        for id_ in others[row.source] if "{id}" in row.path else ():
            unshared, missing = (
                town.reader.ask(f"/v3.0{row.path.replace('{id}', one)}") for one in (id_, MISSING)
            )
            assert (unshared.status, unshared.headers) == (404, missing.headers)
            assert unshared.body.replace(id_.encode(), MISSING.encode()) == missing.body


def _nothing_hidden_is_told(town: Town, spec: Spec) -> None:
    """No event, however old, has a value of a field that is hidden now, or a former contact."""
    contact = town.reader.pull("/v3.0/districts")[0].get("district_contact")
    for event in town.reader.feed():
        assert event["data"]["object"].get("district_contact", contact) == contact
        assert not event["data"].get("previous_attributes", {}).get("district_contact")
        for part in (event["data"]["object"], event["data"].get("previous_attributes", {})):
            kind = event["type"].partition("s.")[0]
            assert f"{kind}.ext" not in spec.hidden or not part.get("ext")
            roles = part.get("roles", {}) if kind == "user" else {}
            told = {f"{role}.{name}": value for role, held in roles.items() for name, value in held.items()}
            assert not {name: value for name, value in told.items() if name in spec.hidden and value}
            if any(f"{role}.email" in spec.hidden for role in roles):
                assert not part.get("email")


def _no_hidden_role_is_told(town: Town, was: dict[str, Json], now: dict[str, Json], snapshot: int) -> None:
    """No event contains, or is found by, a role that an edit has just hidden; nor does the difference since
    before it."""
    lost = {id_: set(user["roles"]) - set(now[id_]["roles"]) for id_, user in was.items() if id_ in now}
    feed, since = town.reader.feed(), town.reader.pull(f"/v3.0/events?since_snapshot={snapshot}")
    for event in (*feed, *since):
        record, previous = event["data"]["object"], event["data"].get("previous_attributes", {})
        if not event["type"].startswith("users") or not lost.get(record["id"]):
            continue
        if event["type"] != "users.deleted":  # from an earlier edit, and as documented
            assert not lost[record["id"]] & set(record["roles"])
        held = previous.get("roles", {})
        assert not [held[role] for role in lost[record["id"]] if held.get(role)]
        if lost[record["id"]] & set(held):
            assert not any((previous.get("name"), previous.get("email")))
    for school in town.records["schools"]:
        for event in town.reader.pull(f"/v3.0/events?school={school}"):
            kind = event["type"].partition(".")[0]
            assert school in schools_of(kind, event["data"]["object"])


# Random shares ---------------------------------------------------------------------------------------
# Drawn by plain chance: Hypothesis begins with empty values and continues with similar ones, so few of its
# first examples hide a part of anything.


def drawn(town: Town, chance: Random) -> Spec:
    """A spec. Most specs leave people out, by share, by scopes or by both, in many ways."""
    gone = chance.sample(
        chance.choice((SECURE_SYNC, tuple(ROLE_SCOPES.values()))), chance.choice((0, 0, 1, 1, 2, 5))
    )
    sensitive = chance.sample(SENSITIVE, chance.choice((0, 1, 3, len(SENSITIVE))))
    asked = chance.sample(view_spec.ASKABLE, chance.choice((0, 0, 8)))
    refused = [
        field for field in chance.sample(view_spec.ASKABLE, chance.choice((0, 0, 8))) if field not in asked
    ]
    opened = chance.sample(
        sorted(view_spec.SENSITIVE_FIELDS), chance.choice((0, 3, len(view_spec.SENSITIVE_FIELDS)))
    )
    return replace(
        Spec.of((*(scope for scope in SECURE_SYNC if scope not in gone), *sensitive), asked, refused),
        share=shares.parse(share(town, chance)),
        withheld=tuple(sorted(chance.sample(view_spec.WITHHOLDABLE, chance.choice((0, 0, 2, 9))))),
        keeps_ids=chance.random() < 0.25,
        sensitive=tuple(sorted(opened)),
    )


def share(town: Town, chance: Random) -> object:
    schools = [
        text
        for id_, school in town.records["schools"].items()
        for text in (id_, school["sis_id"], school["name"])
    ]
    kind = chance.choice(("everything", "schools", "rules", "rules"))
    if kind == "everything":
        return None
    if kind == "schools":
        return {"schools": chance.choices((*schools, "nowhere"), k=chance.choice((1, 1, 2)))}
    return {"rules": [rule(town, chance, schools) for _ in range(chance.choice((0, 1, 1, 2, 3)))]}


def rule(town: Town, chance: Random, schools: list[str]) -> Json:
    kind = chance.choice(sorted(FIELDS))
    role, along = "district_admin" if kind == "admin" else kind, shares.KINDS[kind][1]
    shown = [user["roles"][role] for user in town.records["users"].values() if role in user["roles"]]
    shown = list(town.records["sections"].values()) if kind == "section" else shown

    def condition() -> list[str]:
        field = chance.choice((*FIELDS[kind], *(() if kind == "admin" else ("school",))))
        values = sorted({str(one.get(field, one.get("staff_id", ""))) for one in shown} | {"x"})
        found = chance.choices(schools if field == "school" else values, k=chance.choice((1, 3, 6)))
        parts = [value if chance.random() < 0.7 else value[: max(1, len(value) // 2)] for value in found]
        return [
            field,
            chance.choice(shares.OPERATORS),
            *([";".join(parts)] if chance.random() < 0.3 else parts),
        ]

    where = [condition() for _ in range(chance.choice((0, 1, 1, 2)))]
    if kind == "staff" and chance.random() < 0.5:
        return {"kind": kind, "where": where, "with": chance.choices(schools, k=2)}
    return {
        "kind": kind,
        "where": where,
        "with": sorted(chance.sample(along, chance.choice((0, len(along), len(along))))),
    }


@pytest.fixture(
    scope="module", params=["sqlite 3", "sqlite 18", "postgresql 5", "sqlite 15 clone", "postgresql 13 clone"]
)
def town(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    kind, seed, *copied = request.param.split()
    folder = tmp_path_factory.mktemp("leak")
    with ExitStack() as stack:
        database = stack.enter_context(_database(request, kind, folder))
        if copied:
            (folder / "origin").mkdir()
            origin = stack.enter_context(_database(request, "sqlite", folder / "origin"))
            source = stack.enter_context(closing(Desk(origin, folder / "origin")))
            copy = stack.enter_context(closing(CopyDesk(database, folder, source)))
            # What a copy may show is cut from its source.
            yield _town(copy, copy.source, int(seed))
            return
        desk = stack.enter_context(closing(Desk(database, folder)))
        yield _town(
            desk, desk.connect("Whole", (*SECURE_SYNC, *SENSITIVE), view_spec.SENSITIVE_FIELDS), int(seed)
        )


@contextmanager
def _database(request: pytest.FixtureRequest, kind: str, folder: Path) -> Iterator[Database]:
    if kind == "sqlite":
        with closing(open_database(str(folder / "rollbook.db"))) as database:
            migrate(database)
            yield database
        return
    server, name = request.getfixturevalue("postgresql_address"), f"leak_{uuid4().hex[:16]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}".encode())
        with closing(open_database(f"{server}&options=-csearch_path%3D{name}")) as database:
            migrate(database)
            yield database
        connection.execute(f"DROP SCHEMA {name} CASCADE".encode())


def _town(desk: Desk, whole: Reader, seed: int) -> Town:
    desk.day(0, students=STUDENTS, seed=seed)
    reader = desk.connect("Reader")
    reader.listen()
    made = Town(desk, whole, reader, seed, {}, {})
    made.reread()
    return made


def test_no_answer_shows_more_or_less_than_is_shared(town: Town) -> None:
    chance, days = Random(town.seed), iter(range(1, 400, 37))
    for _ in range(8 if town.desk.database.is_local else 4):
        spec = drawn(town, chance)
        try:
            _holds(town, spec, next(days) if chance.random() < 0.4 else None, chance)
        except AssertionError as error:
            error.add_note(f"of {spec}")
            raise


def _upload_what_is_not_taken_in(desk: Desk) -> None:
    """Unusable files, then held files; every cell of them is marked."""
    for files in ({**marked(), "students.csv": BROKEN["no header"](marked()["students.csv"])}, marked()):
        with suppress(SourceRejected):
            source = world.write(desk.folder / "not-taken-in", files)
            done = sync.run(desk.database, desk.now, source, desk.settings, how=How(moment=desk.moment()))
            assert done.state == "held"


def _holds(town: Town, spec: Spec, day: int | None, chance: Random) -> None:
    """Edit the share, sometimes name another contact, move on to a day, if any, and check all that can be
    seen."""
    was = town.reader.everything()
    heard, snapshot = len(town.reader.feed()), town.desk.now.head
    town.reader.edit(spec)
    now = town.reader.everything()
    before = ids_in(json.dumps(was)) | ids_in(json.dumps(now))
    _no_hidden_role_is_told(town, was["users"], now["users"], snapshot)
    if chance.random() < 0.4:
        town.desk.name_contact(chance.choice(sorted(town.records["users"])))
        town.reread()
        before |= ids_in(json.dumps(town.reader.everything()))
    if not isinstance(town.desk, CopyDesk):
        _upload_what_is_not_taken_in(town.desk)
        town.reread()
    if day is not None:
        town.desk.day(day, students=STUDENTS, seed=town.seed)
        town.reread()
    sweep(town, spec)
    news = town.reader.feed()[heard:]
    may = before | ids_in(json.dumps(town.reader.everything())) | {event["id"] for event in news}
    assert ids_in(json.dumps(news)) <= may
    assert MARK not in json.dumps(
        [news, town.reader.everything(), town.reader.pull(f"/v3.0/events?since_snapshot={snapshot}")]
    )
    _nothing_hidden_is_told(town, spec)

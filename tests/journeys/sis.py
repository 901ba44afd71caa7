"""A small district's SIS in plain Python: edits, exported files, and what the API must then show.

The oracle does not use the engine: it knows the documented rules, and no SQL. All values are already normal,
so only the roster's rules are tested. References are SIS keys here; the test maps ids.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = dict[str, Any]
Row = dict[str, Any]
Numbers = tuple[int, int, int]
# A record's name: its kind, and the SIS keys that identify it.
Name = tuple[str, Any]

FIRST = ("Amy", "Ben", "Cem", "Dot")
LAST = ("Adams", "Baker", "Celik", "Diaz")
EMAILS = ("", "p1@x.org", "p2@x.org", "p3@x.org", "p4@x.org")
TERMS = (
    None,
    ("Fall", "2026-08-17", "2026-12-18"),
    ("Spring", "2027-01-11", "2027-05-28"),
    ("Fall", "2026-08-17", "2027-01-08"),
)
COURSES = (None, ("Zorp I", "Z1"), ("Zorp II", "Z2"), ("Zorp I", "Z9"))
# Optional columns, by list.
OPTIONAL = {
    "students": ("Student_email", "Grade", "Ell_status", "ext.bus", "Username"),
    "teachers": ("Title", "Middle_name"),
    "sections": ("Period", "ext.room"),
}


@dataclass
class Sis:
    """Every list by key.

    `columns` are the optional columns that are sent now; `counter` numbers new records.
    """

    schools: dict[str, Row] = field(default_factory=dict)
    students: dict[str, Row] = field(default_factory=dict)
    teachers: dict[str, Row] = field(default_factory=dict)
    staff: dict[str, Row] = field(default_factory=dict)
    admins: dict[str, Row] = field(default_factory=dict)
    sections: dict[str, Row] = field(default_factory=dict)
    contacts: dict[str, Row] = field(default_factory=dict)
    columns: set[str] = field(
        default_factory=lambda: {"students.Student_email", "students.Grade", "sections.Period"}
    )


def beginning() -> Sis:
    sis = Sis()
    for name in ("ash", "birch"):
        sis.schools[name] = {"name": name.title()}
    for number in range(5):
        sis.students[f"s{number}"] = student(number, "ash" if number < 3 else "birch")
    for number in range(3):
        sis.teachers[f"t{number}"] = {
            **person(number),
            "school": "ash" if number < 2 else "birch",
            "email": "",
        }
    for number in range(4):
        school = "ash" if number < 2 else "birch"
        sis.sections[f"c{number}"] = section(
            school, f"t{number % 3}", {f"s{number}", f"s{number + 1}"}, number
        )
    return sis


def person(number: int) -> Row:
    return {"first": FIRST[number % 4], "last": LAST[number // 2 % 4]}


def student(number: int, school: str) -> Row:
    return {
        **person(number),
        "school": school,
        "email": f"s{number}@x.org",
        "grade": str(1 + number % 5),
        "ell": "Y",
        "bus": "",
        "user": "",
    }


def section(school: str, teacher: str, students: set[str], number: int) -> Row:
    return {
        "school": school,
        "teacher": teacher,
        "co_teacher": "",
        "students": students,
        "term": TERMS[number % 4],
        "course": COURSES[number % 4],
        "name": f"Room {number}",
        "period": "",
        "room": "",
    }


# Edits -----------------------------------------------------------------------------------------------------


def pick(keys: Iterable[str], number: int) -> str:
    ordered = sorted(keys)
    return ordered[number % len(ordered)]


def free(taken: Mapping[str, Row], letter: str, number: int, most: int) -> str | None:
    """A key that is not in use; it may have been used before."""
    keys = [f"{letter}{at}" for at in range(most) if f"{letter}{at}" not in taken]
    return keys[number % len(keys)] if keys else None


def add_student(sis: Sis, n: Numbers) -> None:
    if key := free(sis.students, "s", n[0], 9):
        sis.students[key] = student(n[1], pick(sis.schools, n[2]))
        if sis.sections:
            sis.sections[pick(sis.sections, n[1])]["students"].add(key)


def remove_student(sis: Sis, n: Numbers) -> None:
    if len(sis.students) > 1:
        key = pick(sis.students, n[0])
        del sis.students[key]
        for row in sis.sections.values():
            row["students"].discard(key)
        for row in sis.contacts.values():
            row["students"].pop(key, None)
        sis.contacts = {name: row for name, row in sis.contacts.items() if row["students"]}


def edit_student(sis: Sis, n: Numbers) -> None:
    row = sis.students[pick(sis.students, n[0])]
    name = ("first", "last", "school", "email", "grade", "ell", "bus", "user")[n[1] % 8]
    row[name] = {
        "first": FIRST[n[2] % 4],
        "last": LAST[n[2] % 4],
        "school": pick(sis.schools, n[2]),
        "email": ("", "x@y.org")[n[2] % 2],
        "grade": str(1 + n[2] % 5),
        "ell": ("Y", "N", "")[n[2] % 3],
        "bus": ("", "7", 'ä "7", no')[n[2] % 3],
        "user": ("", "amy7")[n[2] % 2],
    }[name]


def enroll(sis: Sis, n: Numbers) -> None:
    if sis.sections:
        sis.sections[pick(sis.sections, n[0])]["students"] ^= {pick(sis.students, n[1])}


def add_section(sis: Sis, n: Numbers) -> None:
    if key := free(sis.sections, "c", n[0], 7):
        sis.sections[key] = section(
            pick(sis.schools, n[1]), pick(sis.teachers, n[2]), {pick(sis.students, n[1])}, n[2]
        )


def remove_section(sis: Sis, n: Numbers) -> None:
    if len(sis.sections) > 1:
        del sis.sections[pick(sis.sections, n[0])]


def edit_section(sis: Sis, n: Numbers) -> None:
    row = sis.sections[pick(sis.sections, n[0])]
    name = ("school", "teacher", "co_teacher", "term", "course", "name", "period", "room")[n[1] % 8]
    row[name] = {
        "school": pick(sis.schools, n[2]),
        "teacher": pick(sis.teachers, n[2]),
        "co_teacher": pick({"", *sis.teachers}, n[2]),
        "term": TERMS[n[2] % 4],
        "course": COURSES[n[2] % 4],
        "name": f"Room {n[2] % 4}",
        "period": str(n[2] % 3),
        "room": ("", "12")[n[2] % 2],
    }[name]


def add_employee(sis: Sis, n: Numbers) -> None:
    list_, letter = ((sis.teachers, "t"), (sis.staff, "f"), (sis.admins, "a"))[n[0] % 3]
    if key := free(list_, letter, n[1], 4):
        list_[key] = {
            **person(n[2]),
            "email": "",
            "school": pick(sis.schools, n[2]),
            "title": "",
            "middle": "",
        }
        _set_email(list_, key, n[2])


def remove_employee(sis: Sis, n: Numbers) -> None:
    list_ = (sis.teachers, sis.staff, sis.admins)[n[0] % 3]
    if not list_ or (list_ is sis.teachers and len(list_) == 1):
        return
    key = pick(list_, n[1])
    del list_[key]
    if list_ is sis.teachers:
        for row in sis.sections.values():
            row["teacher"] = pick(list_, n[2]) if row["teacher"] == key else row["teacher"]
            row["co_teacher"] = "" if row["co_teacher"] == key else row["co_teacher"]


def edit_employee(sis: Sis, n: Numbers) -> None:
    list_ = (sis.teachers, sis.staff, sis.admins)[n[0] % 3]
    if not list_:
        return
    key = pick(list_, n[1])
    what = n[2] % 6
    if what < 3:
        _set_email(list_, key, n[2] // 6)
    elif what == 3:
        list_[key]["last"] = LAST[n[2] // 6 % 4]
    elif what == 4:
        list_[key]["school"] = pick(sis.schools, n[2] // 6)
    else:
        list_[key]["title"] = ("", "Dr.")[n[2] // 6 % 2]


def _set_email(list_: dict[str, Row], key: str, number: int) -> None:
    """Within a role each email belongs to one person."""
    email = EMAILS[number % len(EMAILS)]
    if email not in {row["email"] for row in list_.values()}:
        list_[key]["email"] = email
    else:
        list_[key]["email"] = ""


def add_school(sis: Sis, n: Numbers) -> None:
    if key := free(sis.schools, "h", n[0], 3):
        sis.schools[key] = {"name": f"School {n[1] % 3}"}


def rename_school(sis: Sis, n: Numbers) -> None:
    sis.schools[pick(sis.schools, n[0])]["name"] = f"School {n[1] % 5}"


def remove_school(sis: Sis, n: Numbers) -> None:
    if len(sis.schools) > 1:
        key = pick(sis.schools, n[0])
        del sis.schools[key]
        for list_ in (sis.students, sis.teachers, sis.staff, sis.admins, sis.sections):
            for row in list_.values():
                if row.get("school") == key:
                    row["school"] = pick(sis.schools, n[1])


def edit_contact(sis: Sis, n: Numbers) -> None:
    """A contact is identified by its own id, or by name and email; it may belong to several students."""
    key = pick(("k1", "k2", "Pat p@x.org", "Kim k@x.org"), n[0])
    row = sis.contacts.setdefault(key, {"last": "Guardian", "students": {}})
    name = pick(sis.students, n[1])
    if name in row["students"] and n[2] % 2:
        del row["students"][name]
    else:
        row["students"][name] = ("Parent", "Sibling", "Other")[n[2] % 3]
    if key.startswith("k"):
        row["last"] = ("Guardian", "Keeper")[n[2] // 3 % 2]
    if not row["students"]:
        del sis.contacts[key]


def toggle_column(sis: Sis, n: Numbers) -> None:
    every = sorted(f"{list_}.{name}" for list_, names in OPTIONAL.items() for name in names)
    sis.columns ^= {every[n[0] % len(every)]}


def keep_somebody(sis: Sis) -> None:
    """Keep at least one enrollment: a sync refuses files without any."""
    if not any(row["students"] for row in sis.sections.values()):
        sis.sections[pick(sis.sections, 0)]["students"].add(pick(sis.students, 0))


Edit = Callable[[Sis, Numbers], None]
EDITS: tuple[Edit, ...] = (
    add_student,
    remove_student,
    edit_student,
    edit_student,
    enroll,
    enroll,
    add_section,
    remove_section,
    edit_section,
    edit_section,
    add_employee,
    remove_employee,
    edit_employee,
    edit_employee,
    edit_employee,
    add_school,
    rename_school,
    remove_school,
    edit_contact,
    edit_contact,
    toggle_column,
)


# The files -------------------------------------------------------------------------------------------------


def export(sis: Sis, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    sent = {
        list_: [name for name in names if f"{list_}.{name}" in sis.columns]
        for list_, names in OPTIONAL.items()
    }
    _write(
        folder / "schools.csv",
        [
            {"School_id": key, "School_name": row["name"], "School_number": "1"}
            for key, row in sis.schools.items()
        ],
    )
    _write(folder / "students.csv", _students(sis, sent["students"]))
    _write(
        folder / "teachers.csv",
        [
            {
                "School_id": row["school"],
                "Teacher_id": key,
                "First_name": row["first"],
                "Last_name": row["last"],
                "Teacher_email": row["email"],
                **{name: row.get(name.partition("_")[0].lower(), "") for name in sent["teachers"]},
            }
            for key, row in sis.teachers.items()
        ],
    )
    _write(
        folder / "staff.csv",
        [
            {
                "School_id": row["school"],
                "Staff_id": key,
                "Staff_email": row["email"] or f"{key}@own.org",
                **_names(row),
            }
            for key, row in sis.staff.items()
        ],
    )
    _write(
        folder / "administrators.csv",
        [
            {
                "Admin_id": key,
                "Admin_email": row["email"] or f"{key}@own.org",
                **_names(row),
                "Title": key,
                "Role": "Clever Administrator",
            }
            for key, row in sis.admins.items()
        ],
    )
    _write(folder / "sections.csv", _sections(sis, sent["sections"]))
    _write(
        folder / "enrollments.csv",
        [
            {"School_id": row["school"], "Section_id": key, "Student_id": name}
            for key, row in sis.sections.items()
            for name in sorted(row["students"])
        ],
    )
    return folder


def _names(row: Row) -> Row:
    return {"First_name": row["first"], "Last_name": row["last"]}


def _students(sis: Sis, sent: list[str]) -> list[Row]:
    values = {
        "Student_email": "email",
        "Grade": "grade",
        "Ell_status": "ell",
        "ext.bus": "bus",
        "Username": "user",
    }
    blank = {f"Contact_{name}": "" for name in ("relationship", "type", "name", "email", "sis_id")}
    rows = []
    for key, row in sis.students.items():
        own = {
            "School_id": row["school"],
            "Student_id": key,
            "Last_name": row["last"],
            "First_name": row["first"],
            **{name: row[values[name]] for name in sent},
        }
        theirs = [
            {
                "Contact_relationship": contact["students"][key],
                "Contact_type": "Primary",
                "Contact_name": contact["last"] if name.startswith("k") else name.split()[0],
                "Contact_email": "" if name.startswith("k") else name.split()[1],
                "Contact_sis_id": name if name.startswith("k") else "",
            }
            for name, contact in sis.contacts.items()
            if key in contact["students"]
        ]
        rows += [{**own, **contact} for contact in theirs or [blank]]
    return rows


def _sections(sis: Sis, sent: list[str]) -> list[Row]:
    values = {"Period": "period", "ext.room": "room"}
    rows = []
    for key, row in sis.sections.items():
        term, course = row["term"] or ("", "", ""), row["course"] or ("", "")
        rows.append(
            {
                "School_id": row["school"],
                "Section_id": key,
                "Teacher_id": row["teacher"],
                "Teacher_2_id": row["co_teacher"],
                "Name": row["name"],
                "Grade": _own_grade(sis, key),
                "Subject": "other",
                "Course_name": course[0],
                "Course_number": course[1],
                "Term_name": term[0],
                "Term_start": term[1],
                "Term_end": term[2],
                **{name: row[values[name]] for name in sent},
            }
        )
    return rows


def _write(path: Path, rows: list[Row]) -> None:
    """A list without rows is not sent."""
    path.unlink(missing_ok=True)
    if rows:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


# What the API must show ------------------------------------------------------------------------------------


def predicted(sis: Sis, *, with_ell: bool) -> dict[Name, Json]:
    """Every record by its name, without ids and dates.

    Ids inside are names, and lists in id order are sorted.
    """
    kept = {key: row for key, row in sis.sections.items() if row["students"]}
    shown: dict[Name, Json] = {}
    for key, row in sis.schools.items():
        shown["schools", key] = {"name": row["name"], "sis_id": key, "school_number": "1", "ext": {}}
    for row in kept.values():
        if row["term"]:
            name, start, end = row["term"]
            shown["terms", row["term"]] = {"name": name, "start_date": start, "end_date": end}
        if row["course"]:
            shown["courses", row["course"]] = {"name": row["course"][0], "number": row["course"][1]}
    for key, row in kept.items():
        shown["sections", key] = _section_shown(sis, key, row)
    for key in sis.students:
        shown["users", frozenset({("student", key)})] = _student_shown(sis, kept, key, with_ell=with_ell)
    for key, row in sis.contacts.items():
        shown["users", frozenset({("contact", key)})] = _contact_shown(key, row)
    for members in _persons(sis):
        shown["users", members] = _employee_shown(sis, kept, members)
    return shown


def _own_grade(sis: Sis, key: str) -> str:
    return "3" if key == min(sis.sections) else "4"


def _grade(sis: Sis, key: str) -> str:
    """The section's own grade; if all sections have the same one, that of most students, or the lowest of
    equally many."""
    kept = [name for name, row in sis.sections.items() if row["students"]]
    if "students.Grade" not in sis.columns or len({_own_grade(sis, name) for name in kept}) > 1:
        return _own_grade(sis, key)
    counted = Counter(sis.students[name]["grade"] for name in sis.sections[key]["students"])
    first: str = min(counted, key=lambda grade: (-counted[grade], grade))
    return first


def _section_shown(sis: Sis, key: str, row: Row) -> Json:
    teachers = list(dict.fromkeys(name for name in (row["teacher"], row["co_teacher"]) if name))
    period = row["period"] if "sections.Period" in sis.columns else ""
    course = (
        [row["course"][0], sis.teachers[row["teacher"]]["last"], *([period] if period else [])]
        if row["course"]
        else []
    )
    shown: Json = {
        "school": ("schools", row["school"]),
        "name": " - ".join(course) or row["name"],
        "sis_id": key,
        "grade": _grade(sis, key),
        "subject": "other",
        "teacher": ("teacher", teachers[0]),
        "teachers": [("teacher", name) for name in teachers],
        "students": sorted(("student", name) for name in row["students"]),
        "ext": {"room": row["room"]} if "sections.ext.room" in sis.columns else {},
    }
    if "sections.Period" in sis.columns:
        shown["period"] = row["period"]
    if row["course"]:
        shown["course"] = ("courses", row["course"])
    if row["term"]:
        shown["term_id"] = ("terms", row["term"])
    return shown


def _schools(kept: Mapping[str, Row], mine: list[str], home: str) -> tuple[str, list[Name]]:
    """The primary school (of most sections, then of most students in them, then the row's, then the lowest),
    and all schools."""
    if not mine:
        return home, [("schools", home)]
    sections = Counter(kept[key]["school"] for key in mine)
    students: Counter[str] = Counter()
    for key in mine:
        students[kept[key]["school"]] += len(kept[key]["students"])
    first = min(sections, key=lambda school: (-sections[school], -students[school], school != home, school))
    return first, sorted(("schools", school) for school in sections)


def _student_shown(sis: Sis, kept: Mapping[str, Row], key: str, *, with_ell: bool) -> Json:
    row, sent = (
        sis.students[key],
        {name.partition(".")[2] for name in sis.columns if name.startswith("students.")},
    )
    school, schools = _schools(
        kept, [name for name, one in kept.items() if key in one["students"]], row["school"]
    )
    email = row["email"] if "Student_email" in sent else ""
    role: Json = {
        "sis_id": key,
        "email": email,
        "credentials": {"district_username": row["user"] if "Username" in sent else ""},
        "school": ("schools", school),
        "schools": schools,
        "enrollments": [],
        "ext": {"bus": row["bus"]} if "ext.bus" in sent else {},
    }
    if "Grade" in sent:
        role["grade"] = row["grade"]
    if with_ell and "Ell_status" in sent:
        role["ell_status"] = row["ell"]
    return {
        "email": email,
        "name": {"first": row["first"], "last": row["last"], "middle": ""},
        "roles": {"student": role},
    }


def _contact_shown(key: str, row: Row) -> Json:
    has_id = key.startswith("k")
    related = [
        {"student": ("student", name), "relationship": relationship, "type": "Primary"}
        for name, relationship in sorted(row["students"].items())
    ]
    return {
        "email": "" if has_id else key.split()[1],
        "name": {"last": row["last"] if has_id else key.split()[0]},
        "roles": {"contact": {"sis_id": key if has_id else "", "student_relationships": related}},
    }


def _persons(sis: Sis) -> set[frozenset[tuple[str, str]]]:
    """Teachers, staff and administrators with one email are one person."""
    groups: dict[str, set[tuple[str, str]]] = {}
    for role, list_ in (("teacher", sis.teachers), ("staff", sis.staff), ("district_admin", sis.admins)):
        for key, row in list_.items():
            groups.setdefault(row["email"] or f"{role} {key}", set()).add((role, key))
    return {frozenset(members) for members in groups.values()}


def _employee_shown(sis: Sis, kept: Mapping[str, Row], members: frozenset[tuple[str, str]]) -> Json:
    by_role = dict(members)
    roles: Json = {}
    shown: Json = {"roles": roles}
    if key := by_role.get("district_admin"):
        row = sis.admins[key]
        shown |= {
            "email": row["email"] or f"{key}@own.org",
            "name": {"first": row["first"], "last": row["last"]},
        }
        roles["district_admin"] = {"title": key}
    if key := by_role.get("staff"):
        row = sis.staff[key]
        shown |= {
            "email": row["email"] or f"{key}@own.org",
            "name": {"first": row["first"], "last": row["last"], "middle": ""},
        }
        roles["staff"] = {
            "staff_id": key,
            "credentials": {"district_username": ""},
            "roles": ["PortalOnly"],
            "schools": [("schools", row["school"])],
        }
    if key := by_role.get("teacher"):
        row = sis.teachers[key]
        middle = row.get("middle", "") if "teachers.Middle_name" in sis.columns else ""
        shown |= {
            "email": row["email"],
            "name": {"first": row["first"], "last": row["last"], "middle": middle},
        }
        mine = [name for name, one in kept.items() if key in (one["teacher"], one["co_teacher"])]
        school, schools = _schools(kept, mine, row["school"])
        roles["teacher"] = {
            "sis_id": key,
            "credentials": {"district_username": ""},
            "school": ("schools", school),
            "schools": schools,
            "ext": {},
        }
        if "teachers.Title" in sis.columns:
            roles["teacher"]["title"] = row.get("title", "")
    return shown

"""The 42 data paths as rows: 7 list, 7 get, 8 related-one, 20 related-many.

A related path has one or more routes. A route is a walk of hops, from the record in the path to the records
in the answer. A hop reads ids from a field of the record (`Ids`) or from a stored list (`Listed`, see
`LISTS`).

A route names a role if its hop is for that role only. Example: a teaching assistant teaches one section and
studies in another. "mystudents" must not list the people of the wrong section, so both ends of this walk name
the role.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rollbook.domain.kinds import KINDS

Shape = Literal["list", "get", "one", "many"]


@dataclass(frozen=True, slots=True)
class Ids:
    """Ids inside the records of a kind.

    `path` leads to an id, a list of ids, or a list of objects with an id.
    """

    kind: str
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """Ids in a stored list of this name; each owner record has one list."""

    name: str


Hop = Ids | Listed


@dataclass(frozen=True, slots=True)
class Route:
    """One walk from the record in the path.

    `role` is the role of the answering users towards that record. `primary` counts only their primary school.
    """

    hops: tuple[Hop, ...]
    role: str | None = None
    primary: bool | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Endpoint:
    """One path of the API, with all that its handler needs to know. Rows are compared by identity."""

    path: str
    operation: str
    shape: Shape
    source: str
    returns: str
    routes: tuple[Route, ...] = ()
    roles: tuple[str, ...] = ()
    has_primary: bool = False
    has_paging: bool = False
    has_count: bool = False
    has_record_types: bool = False

    @property
    def tail(self) -> str:
        """The last segment of a related path, such as `mystudents`."""
        return self.path.rpartition("/")[2]

    @property
    def parameters(self) -> tuple[str, ...]:
        """The query parameters that the path reads, in the published order. It ignores all others."""
        limit = ("limit", self.has_paging)
        filters = (("role", bool(self.roles)), ("primary", self.has_primary))
        named = (
            *((limit, *filters) if self.shape == "list" else (*filters, limit)),
            ("starting_after", self.has_paging),
            ("ending_before", self.has_paging),
            ("count", self.has_count),
            ("school", self.has_record_types),
            ("record_type", self.has_record_types),
        )
        return tuple(name for name, is_read in named if is_read)


def _ids(kind: str, *path: str) -> Ids:
    return Ids(kind, path)


def _one(kind: str, tail: str, returns: str, field: str) -> Endpoint:
    singular, target = kind[:-1].title(), tail.title()
    return Endpoint(
        f"/{kind}/{{id}}/{tail}",
        f"get{target}For{singular}",
        "one",
        kind,
        returns,
        routes=(Route((_ids(kind, field),)),),
    )


def _many(
    kind: str,
    tail: str,
    returns: str,
    *routes: Route | tuple[Hop, ...],
    roles: tuple[str, ...] = (),
    has_primary: bool = False,
) -> Endpoint:
    target = tail.removeprefix("my").title()
    return Endpoint(
        f"/{kind}/{{id}}/{tail}",
        f"get{target}For{kind[:-1].title()}",
        "many",
        kind,
        returns,
        routes=tuple(route if isinstance(route, Route) else Route(route) for route in routes),
        roles=roles,
        has_primary=has_primary,
        has_paging=True,
    )


_STUDENT_SECTIONS = Listed("students.sections")
_TEACHER_SECTIONS = Listed("teachers.sections")
_STUDENTS = _ids("sections", "students")
_TEACHERS = _ids("sections", "teachers")
_COURSE = _ids("sections", "course")
_RELATED = _ids("users", "roles", "contact", "student_relationships", "student")

_TOP = tuple(
    Endpoint(
        f"/{kind.name}",
        f"get{kind.name.title()}",
        "list",
        kind.name,
        kind.name,
        roles=("contact", "district_admin", "staff", "student", "teacher") if kind.name == "users" else (),
        has_paging=kind.name != "districts",
        has_count=kind.name != "resources",
    )
    for kind in KINDS
)
_GET = tuple(
    Endpoint(f"/{kind.name}/{{id}}", f"get{kind.singular.title()}", "get", kind.name, kind.name)
    for kind in KINDS
)
_ONE = (
    _one("schools", "district", "districts", "district"),
    _one("terms", "district", "districts", "district"),
    _one("courses", "district", "districts", "district"),
    _one("sections", "district", "districts", "district"),
    _one("sections", "school", "schools", "school"),
    _one("sections", "course", "courses", "course"),
    _one("sections", "term", "terms", "term_id"),
    _one("users", "district", "districts", "district"),
)
_MANY = (
    _many("schools", "courses", "courses", (Listed("schools.courses"),)),
    _many("schools", "sections", "sections", (Listed("schools.sections"),)),
    _many("schools", "terms", "terms", (Listed("schools.terms"),)),
    _many(
        "schools",
        "users",
        "users",
        Route((Listed("schools.students"),), role="student", primary=False),
        Route((Listed("schools.teachers"),), role="teacher", primary=False),
        Route((Listed("schools.home_students"),), role="student", primary=True),
        Route((Listed("schools.home_teachers"),), role="teacher", primary=True),
        # Staff have no primary school, so primary=true keeps them in the list.
        Route((Listed("schools.staff"),), role="staff"),
        roles=("staff", "student", "teacher"),
        has_primary=True,
    ),
    _many("terms", "schools", "schools", (Listed("terms.schools"),)),
    _many("terms", "sections", "sections", (Listed("terms.sections"),)),
    _many("courses", "resources", "resources", (Listed("courses.resources"),)),
    _many("courses", "schools", "schools", (Listed("courses.schools"),)),
    _many("courses", "sections", "sections", (Listed("courses.sections"),)),
    _many("sections", "resources", "resources", (_COURSE, Listed("courses.resources"))),
    _many(
        "sections",
        "users",
        "users",
        Route((_STUDENTS,), role="student"),
        Route((_TEACHERS,), role="teacher"),
        roles=("student", "teacher"),
    ),
    _many("users", "mycontacts", "users", (Listed("students.contacts"),)),
    _many("users", "mystudents", "users", (_TEACHER_SECTIONS, _STUDENTS), (_RELATED,)),
    _many("users", "myteachers", "users", (_STUDENT_SECTIONS, _TEACHERS)),
    _many(
        "users",
        "resources",
        "resources",
        (_STUDENT_SECTIONS, _COURSE, Listed("courses.student_resources")),
        (_TEACHER_SECTIONS, _COURSE, Listed("courses.teacher_resources")),
    ),
    _many(
        "users",
        "schools",
        "schools",
        Route((_ids("users", "roles", "student", "schools"),), primary=False),
        Route((_ids("users", "roles", "teacher", "schools"),), primary=False),
        Route((_ids("users", "roles", "student", "school"),), primary=True),
        Route((_ids("users", "roles", "teacher", "school"),), primary=True),
        Route((_ids("users", "roles", "staff", "schools"),)),
        # A contact's schools are the schools of the related students.
        Route((_RELATED, _ids("users", "roles", "student", "schools")), primary=False),
        Route((_RELATED, _ids("users", "roles", "student", "school")), primary=True),
        has_primary=True,
    ),
    _many("users", "sections", "sections", (_STUDENT_SECTIONS,), (_TEACHER_SECTIONS,)),
    _many("resources", "courses", "courses", (Listed("resources.courses"),)),
    _many("resources", "sections", "sections", (Listed("resources.courses"), Listed("courses.sections"))),
    _many(
        "resources",
        "users",
        "users",
        Route((Listed("resources.student_courses"), Listed("courses.sections"), _STUDENTS), role="student"),
        Route((Listed("resources.teacher_courses"), Listed("courses.sections"), _TEACHERS), role="teacher"),
        roles=("student", "teacher"),
    ),
)

ENDPOINTS: tuple[Endpoint, ...] = (*_TOP, *_GET, *_ONE, *_MANY)
# The Events API: one list path and one get path.
EVENTS: tuple[Endpoint, ...] = (
    Endpoint("/events", "getEvents", "list", "events", "events", has_paging=True, has_record_types=True),
    Endpoint("/events/{id}", "getEvent", "get", "events", "events"),
)

# Every list that a hop reads. A list is stored and versioned like a record, under its owner's id.
LISTS: tuple[str, ...] = tuple(
    sorted(
        {
            hop.name
            for endpoint in ENDPOINTS
            for route in endpoint.routes
            for hop in route.hops
            if isinstance(hop, Listed)
        }
    )
)

# The links of a single record, in the recorded order. A link's name is the path's, in camel case
# (`myStudents`).
LINKS: dict[str, tuple[str, ...]] = {
    "districts": (),
    "schools": ("district", "sections", "users", "terms", "courses"),
    "terms": ("district", "sections", "schools"),
    "courses": ("district", "sections", "schools"),
    "sections": ("district", "school", "term", "course", "users"),
    "resources": ("courses", "sections", "users"),
    "events": (),
}
# A user's links follow from the roles. A user with several roles has the links of all of them, in this order.
USER_LINKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("district", ("student", "teacher", "staff", "district_admin", "contact")),
    ("sections", ("student", "teacher", "staff", "contact")),
    ("myContacts", ("student",)),
    ("myTeachers", ("student",)),
    ("myStudents", ("teacher",)),
    ("schools", ("student", "teacher", "staff", "contact")),
)

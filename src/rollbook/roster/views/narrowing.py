"""What a district shares with an application, as a roster made smaller: whatever is not shared is not there
at all.

A share picks everything, schools, or what rules match. From the people and sections picked follow the rest:
the primary schools of shared people, the terms and courses of shared sections, the contacts of shared
students. It is evaluated anew at each sync, as columns, before records are made, so that ids of unshared
people stand nowhere. Source: ingest.md 4.1 and 4.2.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rollbook.contract.clever.columns import COLUMNS, EXTENSION_PREFIX
from rollbook.contract.clever.fields import SHAPES, Promise
from rollbook.domain.access import SECURE_SYNC
from rollbook.errors import BadSetting
from rollbook.roster import sql_text

if TYPE_CHECKING:  # a server that only serves need not load the engine
    import duckdb

# The roster tables that a rule's kind is about, and what a rule of that kind may bring along.
KINDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "section": ("sections", ()),
    "student": ("students", ("sections",)),
    "teacher": ("teachers", ("sections", "students")),
    "staff": ("staff", ("schools",)),  # or some of them, by name
    "admin": ("district_admins", ()),
}
# Between the values of a list, and between the roles of an administrator in their column.
SEPARATOR = ";"
# Operators that take a list end in this; all others take a value as it is.
LIST = "any of"
# Columns that hold several values, by kind and field: one that fits is enough.
SEVERAL = (("admin", "role"),)
# Bounds of a share.
RULES_MAX, CONDITIONS_MAX, VALUES_MAX, TEXT_MAX = 200, 50, 10_000, 1_000
# How much of what cannot be read is shown.
SHOWN_MAX = 200
# The district's own fields, as the headers of files name them.
_EXTENSION = re.compile(rf"{re.escape(EXTENSION_PREFIX)}[^.\s]+")
# What neither a cell nor the engine's text holds.
_UNTOLD = re.compile("[\x00\ud800-\udfff]")
# Columns that stand for another record. `school` is a field of rules in its own right.
REFERENCES = ("school", "course", "term")


def _fields(source: str) -> dict[str, str]:
    feeds = [column.feeds.partition(".") for column in COLUMNS if column.feeds]
    names = [name for table, _, name in feeds if table == f"roster_{source}" and name not in REFERENCES]
    return {"sis_id" if name == "key" else name: name for name in names}


# What a rule of each kind may ask for: the field as the API calls it, and the roster's column.
FIELDS: dict[str, dict[str, str]] = {kind: _fields(source) for kind, (source, _) in KINDS.items()}
# The sources that shares pick from.
SELECTED = ("schools", *(source for source, _ in KINDS.values()))

# What each scope opens: tables of people, and kinds of records.
ROLES_OF_SCOPES = {
    "read:students": "students",
    "read:teachers": "teachers",
    "read:school_admins": "staff",
    "read:district_admins": "district_admins",
    "read:student_contacts": "contacts",
}
KINDS_OF_SCOPES = {
    "read:schools": ("schools",),
    "read:sections": ("sections", "terms", "courses"),
    "read:resources": ("resources",),
}

# Fields that a district may withhold: those of students and contacts that the API does not guarantee, and all
# own fields.
WITHHOLDABLE: tuple[str, ...] = (
    *(
        f"{role}.{field.name}"
        for role, shape in (("student", "Student"), ("contact", "Contact"))
        for field in SHAPES[shape]
        if field.is_on_wire
        and Promise.GUARANTEED not in field.promise
        and field.name not in ("legacy_id", "student_relationships")
    ),
    # It stands beside the role, in the user.
    "contact.email",
    # "Only sent if the app accepts extension fields" (protocol.md 4.3). The first two are fields of a record,
    # not of a role.
    *("school.ext", "section.ext", "teacher.ext", "staff.ext"),
)

# Sensitive fields, and the scope that an application needs to see each: a district opens them one by one,
# none by itself.
SENSITIVE_FIELDS: dict[str, str] = {
    f"student.{field.name}": field.scope for field in SHAPES["Student"] if field.scope
}

# Fields that an application may ask for: what the API guarantees it gets in any case.
ASKABLE: tuple[str, ...] = tuple(dict.fromkeys((*WITHHOLDABLE, *SENSITIVE_FIELDS)))

SHARED = (
    "schools",
    "terms",
    "courses",
    "resources",
    "students",
    "contacts",
    "teachers",
    "staff",
    "district_admins",
    "sections",
)


@dataclass(frozen=True, slots=True)
class Condition:
    """One filter: a field, an operator, and the values it is held against; values are compared to the
    letter."""

    field: str
    operator: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """What matches all its conditions, of one kind; `along` names what comes with it: of staff also single
    schools."""

    kind: str
    conditions: tuple[Condition, ...]
    along: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Share:
    """A share by schools (sis ids, names or ids) or by rules, of which one that matches is enough. Neither
    shares nothing."""

    schools: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()


def parse(given: object) -> Share | None:
    """A share from its JSON: None (everything), {"schools": [...]} or {"rules": [{"kind", "where", "with"}]}.

    A rule's `where` is a list of [field, operator, value, ...]. Errors: BadSetting says what was expected.
    """
    if given is None:
        return None
    if not isinstance(given, dict) or set(given) - {"schools", "rules"}:
        raise BadSetting('share: expected {"schools": [...]} or {"rules": [...]}')
    schools, rules = given.get("schools", []), given.get("rules", [])
    if not isinstance(schools, list | tuple) or not isinstance(rules, list | tuple):
        raise BadSetting("share: expected lists of schools or of rules")
    if schools and rules:
        raise BadSetting("share: expected schools or rules, got both")
    if len(rules) > RULES_MAX:
        raise BadSetting(f"share: expected at most {RULES_MAX} rules, got {len(rules)}")
    return Share(_texts("share: schools", schools), tuple(_rule(rule) for rule in rules))


def schools_named(share: Share | None) -> tuple[str, ...]:
    """The schools that a share picks by SIS id, name or id."""
    if share is None:
        return ()
    along = (name for rule in share.rules if rule.kind == "staff" for name in rule.along if name != "schools")
    return (*share.schools, *along)


def as_json(share: Share | None) -> object:
    """The share in the form that `parse` reads."""
    if share is None:
        return None
    if share.schools:
        return {"schools": list(share.schools)}
    return {
        "rules": [
            {
                "kind": rule.kind,
                "where": [
                    [condition.field, condition.operator, *condition.values] for condition in rule.conditions
                ],
                "with": list(rule.along),
            }
            for rule in share.rules
        ]
    }


def _rule(given: Any) -> Rule:
    kind = given.get("kind") if isinstance(given, dict) else None
    if not isinstance(kind, str) or kind not in KINDS:
        raise BadSetting(f"rule: expected a kind, one of {', '.join(KINDS)}; got {_short(given)}")
    if unknown := [name for name in given if name not in ("kind", "where", "with")]:
        raise BadSetting(f"rule: expected kind, where and with; got {_short(unknown[0])}")
    along, allowed = _texts(f"rule of {kind}: with", _list(kind, given, "with")), KINDS[kind][1]
    # Staff may come with some of their schools: whatever is no word for something else names one.
    unfit = set(along) & {"sections", "students"} if kind == "staff" else set(along) - set(allowed)
    if unfit:
        raise BadSetting(
            f"rule of {kind}: with: expected some of {', '.join(allowed) or 'nothing'}; got {_short(along)}"
        )
    where = _list(kind, given, "where")
    if len(where) > CONDITIONS_MAX:
        raise BadSetting(
            f"rule of {kind}: where: expected at most {CONDITIONS_MAX} conditions, got {len(where)}"
        )
    return Rule(kind, tuple(_condition(kind, condition) for condition in where), along)


def _list(kind: str, given: dict[str, Any], name: str) -> list[Any]:
    found = given.get(name, [])
    if not isinstance(found, list):
        raise BadSetting(f"rule of {kind}: {name}: expected a list, got {_short(found)}")
    return found


def _condition(kind: str, given: Any) -> Condition:
    where = f"rule of {kind}: where"
    if not isinstance(given, list | tuple) or len(given) < 3:
        raise BadSetting(f"{where}: expected [field, operator, value, ...]; got {_short(given)}")
    field, operator, *values = _texts(where, given)
    if operator not in OPERATORS:
        raise BadSetting(
            f"rule of {kind}: expected an operator, one of {', '.join(OPERATORS)}; got {_short(operator)}"
        )
    has_more = kind != "admin"
    if field not in FIELDS[kind] and not (has_more and (field == "school" or _EXTENSION.fullmatch(field))):
        known = (*(("school", "ext.NAME") if has_more else ()), *sorted(FIELDS[kind]))
        raise BadSetting(f"rule of {kind}: expected a field, one of {', '.join(known)}; got {_short(field)}")
    return Condition(field, operator, _split(where, values) if operator.endswith(LIST) else tuple(values))


def _split(where: str, values: Sequence[str]) -> tuple[str, ...]:
    """The values of a list, of which a text may hold several; a blank text is one, for blank cells."""
    found = [part.strip() for text in values for part in (text.split(SEPARATOR) if text else ())]
    given = tuple(dict.fromkeys((*(part for part in found if part), *([""] if "" in values else []))))
    if not given:
        raise BadSetting(f"{where}: expected a value, got {_short(values)}")
    return given


def _texts(where: str, given: Sequence[Any]) -> tuple[str, ...]:
    """The texts of a list, none of which is such as no cell can hold."""
    if len(given) > VALUES_MAX:
        raise BadSetting(f"{where}: expected at most {VALUES_MAX} values, got {len(given)}")
    for text in given:
        if not isinstance(text, str):
            raise BadSetting(f"{where}: expected text, in quotation marks; got {_short(text)}")
        if len(text) > TEXT_MAX:
            raise BadSetting(f"{where}: expected at most {TEXT_MAX} characters, got {_short(text)}")
        if _UNTOLD.search(text):
            raise BadSetting(
                f"{where}: expected text without NUL and halves of characters; got {_short(text)}"
            )
    return tuple(given)


def _short(given: object) -> str:
    """What was given, as a message shows it: in one line of ASCII, cut short."""
    try:
        told = ascii(given)
    except RecursionError:
        return "lists within lists"
    return told if len(told) <= SHOWN_MAX else f"{told[:SHOWN_MAX]}..."


# In the engine ---------------------------------------------------------------------------------------


def narrow(
    connection: duckdb.DuckDBPyConnection,
    share: Share | None,
    scopes: Sequence[str] = SECURE_SYNC,
    *,
    keeps_ids: bool = False,
) -> None:
    """Make the names that records are built from (`students_id`, `section_students`, ...) show only what is
    shared.

    What there is stands in `all_...`: the ids of each source, the edges between them, and for `SELECTED` the
    ids with the columns that rules ask for. `keeps_ids` leaves ids of unshared people inside shared sections,
    as the API's original does in part.
    """
    connection.execute("CREATE OR REPLACE TEMP TABLE shared (source VARCHAR, id VARCHAR)")
    for statement in _everything() if share is None else _picked(share):
        connection.execute(f"INSERT INTO shared {statement}")
    hidden = [source for scope, source in ROLES_OF_SCOPES.items() if scope not in scopes]
    if hidden:
        connection.execute("DELETE FROM shared WHERE list_contains(?, source)", [hidden])
    if share is not None:
        for statement in _FOLLOWING:
            connection.execute(f"INSERT INTO shared {statement}")
    connection.execute(
        "DELETE FROM shared WHERE source = 'contacts' AND id NOT IN (SELECT contact FROM "
        f"{_CONTACTS_OF_SHARED})"
    )
    for source in SHARED:
        is_in = f"SELECT id FROM shared WHERE source = '{source}'"
        connection.execute(
            f"CREATE OR REPLACE TEMP VIEW {source}_id AS FROM all_{source}_id WHERE id IN ({is_in})"
        )
    left_in = kept_ids(scopes) if keeps_ids else ()
    for edge, ends in _EDGES.items():
        kept = " AND ".join(
            f"{column} IN (SELECT id FROM shared WHERE source = '{source}')"
            for column, source in ends.items()
            if not (edge == f"section_{source}" and source in left_in)
        )
        connection.execute(f"CREATE OR REPLACE TEMP VIEW {edge} AS FROM all_{edge} WHERE {kept or 'true'}")
    _narrow_schools_of_people(connection)


def kept_ids(scopes: Sequence[str]) -> tuple[str, ...]:
    """Whose ids may stay in shared sections though they are not shared: of students and teachers, where the
    scope is there."""
    return tuple(
        source for scope, source in ROLES_OF_SCOPES.items() if scope in scopes and source in _PEOPLE_IDS
    )


def hide_kinds(connection: duckdb.DuckDBPyConnection, view: int, scopes: Sequence[str]) -> None:
    """Take the records and lists of kinds out of `after` whose scope is not there."""
    for scope, kinds in KINDS_OF_SCOPES.items():
        if scope not in scopes:
            for kind in kinds:
                connection.execute(
                    (
                        "DELETE FROM after WHERE view = ? AND (kind = ? OR starts_with(kind, ? "
                        "|| '.') OR ends_with(kind, ?))"
                    ),
                    [view, kind, kind, f".{kind}"],
                )


def _everything() -> list[str]:
    return [f"SELECT '{source}', id FROM all_{source}_id" for source in SHARED]


def _picked(share: Share) -> list[str]:
    if share.schools:
        return [*_of_schools(share.schools), _CONTACTS]
    # Students who come with a teacher come without their contacts (ingest.md 4.2), so teacher rules stand
    # behind the contacts.
    picked, taught = (
        [
            statement
            for rule in share.rules
            if (rule.kind == "teacher") == is_taught
            for statement in _of_rule(rule)
        ]
        for is_taught in (False, True)
    )
    return [*picked, _CONTACTS, *taught]


def _of_schools(schools: Sequence[str]) -> list[str]:
    """Schools, with their sections, and the people and staff who have one of them as primary or further
    school."""
    chosen = f"SELECT id FROM all_schools WHERE {_names_school(schools)}"
    people = (("students", "student"), ("teachers", "teacher"), ("staff", "staff"))
    return [
        f"SELECT 'schools', id FROM ({chosen})",
        f"SELECT DISTINCT 'sections', id FROM all_section_places WHERE school IN ({chosen})",
        *(
            (
                f"SELECT DISTINCT '{source}', user FROM all_user_schools WHERE role = '{role}' "
                f"AND school IN ({chosen})"
            )
            for source, role in people
        ),
    ]


def _of_rule(rule: Rule) -> list[str]:
    source, _ = KINDS[rule.kind]
    matched = f"SELECT id FROM all_{source} t WHERE {where(rule)}"
    picked = [f"SELECT DISTINCT '{source}', id FROM ({matched})"]
    sections = matched if rule.kind == "section" else ""
    if "sections" in rule.along:
        edge = "section_students" if rule.kind == "student" else "section_teachers"
        sections = f"SELECT section FROM all_{edge} WHERE {rule.kind} IN ({matched})"
        picked.append(f"SELECT DISTINCT 'sections', section FROM ({sections})")
    if sections and (rule.kind == "section" or "students" in rule.along):
        picked.append(
            f"SELECT DISTINCT 'students', student FROM all_section_students WHERE section IN ({sections})"
        )
    elif "students" in rule.along:
        taught = f"SELECT section FROM all_section_teachers WHERE teacher IN ({matched})"
        picked.append(
            f"SELECT DISTINCT 'students', student FROM all_section_students WHERE section IN ({taught})"
        )
    if rule.kind == "section":
        picked.append(
            f"SELECT DISTINCT 'teachers', teacher FROM all_section_teachers WHERE section IN ({sections})"
        )
    if rule.kind == "staff" and rule.along:
        named = (
            "true"
            if "schools" in rule.along
            else f"school IN (SELECT id FROM all_schools WHERE {_names_school(rule.along)})"
        )
        theirs = (
            "SELECT DISTINCT 'schools', school FROM all_user_schools WHERE role = 'staff' AND "
            f"user IN ({matched})"
        )
        picked.append(f"{theirs} AND {named}")
    return picked


_CONTACTS_OF_SHARED = "all_contact_students JOIN shared ON id = student AND source = 'students'"
_CONTACTS = f"SELECT DISTINCT 'contacts', contact FROM {_CONTACTS_OF_SHARED}"

# What follows from the people and sections that are shared.
_FOLLOWING = (
    (
        "SELECT DISTINCT 'schools', school FROM all_home_schools JOIN shared ON id = user AND "
        "source = role || 's'"
    ),
    (
        "SELECT DISTINCT 'schools', school FROM all_section_places p JOIN shared s ON s.id = "
        "p.id AND source = 'sections'"
    ),
    (
        "SELECT DISTINCT 'terms', term FROM all_section_places p JOIN shared s ON s.id = p.id "
        "AND source = 'sections'"
    ),
    (
        "SELECT DISTINCT 'courses', course FROM all_section_places p JOIN shared s ON s.id = "
        "p.id AND source = 'sections'"
    ),
    (
        "SELECT DISTINCT 'resources', resource FROM all_resource_courses JOIN shared ON id = "
        "course AND source = 'courses'"
    ),
)
# The edges between records, and what must be shared at each end.
_EDGES: dict[str, dict[str, str]] = {
    "section_students": {"section": "sections", "student": "students"},
    "section_teachers": {"section": "sections", "teacher": "teachers"},
    "contact_students": {"contact": "contacts", "student": "students"},
    "section_places": {"id": "sections"},
    "resource_courses": {"resource": "resources", "course": "courses"},
}
_PEOPLE_IDS = ("students", "teachers")


def _narrow_schools_of_people(connection: duckdb.DuckDBPyConnection) -> None:
    schools = "school IN (SELECT id FROM shared WHERE source = 'schools')"
    person = (
        "user IN (SELECT id FROM shared WHERE source = CASE role WHEN 'staff' THEN 'staff' "
        "ELSE role || 's' END)"
    )
    for edge in ("user_schools", "home_schools"):
        connection.execute(
            f"CREATE OR REPLACE TEMP VIEW {edge} AS FROM all_{edge} WHERE {schools} AND {person}"
        )


# Conditions as SQL -----------------------------------------------------------------------------------


def _listed(values: Sequence[str]) -> str:
    return ", ".join(sql_text.text(value) for value in values)


def _equals(column: str, values: Sequence[str]) -> str:
    return f"{column} IN ({_listed(values)})"


def _each(test: str) -> Callable[[str, Sequence[str]], str]:
    """SQL for whether a test holds of any value; a list, as the engine does not bear thousands of ORs."""
    return lambda column, values: (
        f"len(list_filter([{_listed(values)}], lambda one: {test}({column}, one))) > 0"
    )


def _not(operator: Callable[[str, Sequence[str]], str]) -> Callable[[str, Sequence[str]], str]:
    return lambda column, values: f"NOT ({operator(column, values)})"


OPERATORS: dict[str, Callable[[str, Sequence[str]], str]] = {
    "equals any of": _equals,
    "does not equal any of": _not(_equals),
    "contains": _each("contains"),
    "does not contain": _not(_each("contains")),
    "contains any of": _each("contains"),
    "starts with": _each("starts_with"),
    "starts with any of": _each("starts_with"),
}

# Operators that say what must not be, and what that is.
NEGATED = {"does not equal any of": "equals any of", "does not contain": "contains"}


def where(rule: Rule) -> str:
    """SQL for whether a row `t` of the rule's source meets all its conditions."""
    source = KINDS[rule.kind][0]
    return " AND ".join(_test(condition, rule.kind, source) for condition in rule.conditions) or "true"


def _test(condition: Condition, kind: str, source: str) -> str:
    operator = OPERATORS[condition.operator]
    if condition.field == "school":
        return _of_school(condition, kind, source)
    if (kind, condition.field) in SEVERAL:
        is_not = condition.operator in NEGATED
        test = OPERATORS[NEGATED.get(condition.operator, condition.operator)]("held", condition.values)
        held = f"string_split(coalesce(t.{_quoted(FIELDS[kind][condition.field])}, ''), '{SEPARATOR}')"
        return f"len(list_filter({held}, lambda held: {test})) {'=' if is_not else '>'} 0"
    if condition.field.startswith(EXTENSION_PREFIX):
        # A JSON pointer (RFC 6901): in a path some names are patterns.
        pointer = "/" + condition.field.removeprefix(EXTENSION_PREFIX).replace("~", "~0").replace("/", "~1")
        return operator(
            f"coalesce(json_extract_string(t.ext, {sql_text.text(pointer)}), '')", condition.values
        )
    return operator(f"coalesce(t.{_quoted(FIELDS[kind][condition.field])}, '')", condition.values)


def _of_school(condition: Condition, kind: str, source: str) -> str:
    """Whether the section's school, or any of the person's, is one of those named; with "not", whether none
    is."""
    is_not = condition.operator in NEGATED
    which = _names_school(condition.values, NEGATED.get(condition.operator, condition.operator))
    named = f"SELECT id FROM all_schools WHERE {which}"
    role = "staff" if source == "staff" else source.removesuffix("s")
    within = f"SELECT user FROM all_user_schools WHERE role = '{role}' AND school IN ({named})"
    if kind == "section":
        within = f"SELECT id FROM all_section_places WHERE school IN ({named})"
    return f"id {'NOT ' if is_not else ''}IN ({within})"


def _names_school(values: Sequence[str], operator: str = "equals any of") -> str:
    """Schools are named by SIS id, name or id."""
    return "(" + " OR ".join(OPERATORS[operator](column, values) for column in ("key", "name", "id")) + ")"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'

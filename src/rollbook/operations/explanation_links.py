"""The links of an explanation, one function for each: what it found, whether it breaks the chain, who must act."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from rollbook.contract.clever.fields import SHAPES
from rollbook.contract.clever.tiers import SCOPE_OF_ROLE, TIER
from rollbook.contract.clever.view_spec import SCOPE_OF
from rollbook.domain.kinds import ROLE
from rollbook.domain.shares import Rule, Share
from rollbook.errors import BadSetting
from rollbook.roster.problems import Problem
from rollbook.roster.views.diff import SOURCE_ROLES
from rollbook.roster.views.neighbourhood import Role, Test
from rollbook.store.accounts.applications import Application
from rollbook.store.district.districts import District
from rollbook.store.district.views import View
from rollbook.store.engine.database import Database
from rollbook.store.records.commits import Snapshot

DISTRICT, VENDOR, OPERATOR = "the district", "the vendor of the application", "an operator"
# The file of each source's rows.
FILES = {
    "students": "students.csv",
    "teachers": "teachers.csv",
    "staff": "staff.csv",
    "district_admins": "administrators.csv",
    "contacts": "students.csv",
}
VALUES_MAX = 5
RULES_MAX = 20


@dataclass(frozen=True, slots=True)
class Link:
    """One link: `yes`, `no` (it breaks the chain) or `note`.

    `who` must act if it breaks the chain, and `mend` says how. `details` are further lines.
    """

    name: str
    state: Literal["yes", "no", "note"]
    text: str
    who: str = ""
    mend: str = ""
    details: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        return {
            "link": self.name,
            "state": self.state,
            "text": self.text,
            "who_must_act": self.who or None,
            "what_to_do": self.mend or None,
            "details": list(self.details),
        }


@dataclass(frozen=True, slots=True)
class Person:
    """A person as they were asked for, and as the last committed run has them.

    `gone`: since when no row has their id. `id` is blank if no person fits `given`.
    """

    given: str
    id: str
    gone: str | None
    roles: tuple[Role, ...]
    name: str


@dataclass(frozen=True, slots=True)
class Place:
    """An application in a district, with the last committed snapshot; `view` is None if it is not connected."""

    database: Database
    reader: Application
    owner: District
    last: Snapshot
    view: View | None
    is_copy: bool

    @property
    def quoted(self) -> str:
        """Application and district as arguments of a command."""
        return f"{shlex.quote(self.reader.name)} {shlex.quote(self.owner.name)}"


def only(rule: Rule) -> Share:
    """The share that has one rule."""
    return Share(rules=(rule,))


def role_of(source: str) -> str:
    """The name of the role of a source's rows."""
    return SOURCE_ROLES[source].name


def minute(moment: str | None) -> str:
    """The minute of an ISO moment in UTC, for people: `2026-08-17 06:00 UTC`."""
    return f"{(moment or '')[:16].replace('T', ' ')} UTC"


# From the file to the roster -------------------------------------------------------------------------


def in_files(person: Person, place: Place, held: int | None) -> Link:
    """Where the person's rows stand."""
    run, name = place.last.sync, "files"
    if not run:
        return Link(
            name, "no", f"no files of {place.owner.name} were synced yet", DISTRICT, "upload the first files"
        )
    if person.roles and place.is_copy:
        return Link(name, "yes", f"in the copy of run {run}, {minute(place.last.created)}")
    if person.roles:
        rows = " and ".join(f"{FILES[role.source]} row {role.row}" for role in person.roles)
        return Link(name, "yes", f"in {rows} of run {run}, {minute(place.last.created)}")
    since = f"; their last row was in a run before {minute(person.gone)}" if person.gone else ""
    text = f"no accepted row of run {run} ({minute(place.last.created)}) has {person.given!r}{since}"
    if held:
        mend = f"look at run {held}, then `rollbook approve {shlex.quote(place.owner.name)}`"
        return Link(name, "no", f"{text}. The held run {held} has them", OPERATOR, mend)
    return Link(
        name, "no", text, DISTRICT, "send a row of them with the next files, or correct their id in the SIS"
    )


def of_rows(person: Person, problems: Sequence[Problem]) -> Link | None:
    """Whether the run accepted the person's rows."""
    told = tuple(dict.fromkeys(str(problem) for problem in problems))
    rejected = [problem for problem in problems if problem.left_out == "row"]
    if rejected and not person.roles:
        first = rejected[0]
        return Link("row", "no", f"rejected: {first}", DISTRICT, first.mend, told[1:])
    if not person.roles:
        return None
    if told:
        return Link("row", "note", "the row was accepted, with problems", DISTRICT, problems[0].mend, told)
    return Link("row", "yes", "the row was accepted without a problem")


def in_roster(person: Person) -> Link:
    """The person's schools and sections."""
    parts = []
    for role in person.roles:
        what = role_of(role.source).replace("_", " ")
        where = f" at {', '.join(role.schools)}" if role.schools else ""
        count = (
            f" in {role.sections} section{'' if role.sections == 1 else 's'}"
            if role.source in ("students", "teachers")
            else ""
        )
        parts.append(f"{what}{where}{',' if where and count else ''}{count}")
    lonely = any(role.source == "students" and not role.sections for role in person.roles)
    return Link("roster", "note" if lonely else "yes", "; ".join(parts))


# From the connection to the share --------------------------------------------------------------------


def of_connection(place: Place) -> list[Link]:
    """Whether the application is connected, reads people by itself, and is frozen."""
    reader, owner, view = place.reader, place.owner, place.view
    if view is None:
        text = f"{reader.name} is not connected to {owner.name}"
        return [Link("connection", "no", text, OPERATOR, f"`rollbook connect {place.quoted}`")]
    found = [Link("connection", "yes", f"{reader.name} is connected to {owner.name}")]
    tier = TIER[reader.tier]
    if tier.district_paths is not None:
        text = f"a {tier.title} application reads a person only when they sign in to it"
        return [*found, Link("tier", "no", text, VENDOR, "ask for Secure Sync, if it must read the roster")]
    if view.frozen:
        text = f"frozen: it sees an earlier state, because a run would have changed too much ({'; '.join(view.frozen)})"
        return [*found, Link("frozen", "note", text, OPERATOR, f"`rollbook thaw {place.quoted}`")]
    return [*found, Link("frozen", "yes", "not frozen: it sees the present state")]


def scopes_of(source: str) -> tuple[str, ...]:
    """The scopes that open a role. A contact is shown only beside a shared student."""
    scope = SCOPE_OF_ROLE[role_of(source)]
    return (scope, SCOPE_OF_ROLE["student"]) if source == "contacts" else (scope,)


def is_open(source: str, place: Place) -> bool:
    scopes = place.view.spec.scopes if place.view else ()
    return all(scope in scopes for scope in scopes_of(source))


def of_scopes(person: Person, place: Place) -> Link:
    """Whether the application's scopes open a role of the person."""
    opened = [role.source for role in person.roles if is_open(role.source, place)]
    if opened:
        return Link(
            "scopes",
            "yes",
            f"its scopes let it read {' and '.join(source.replace('_', ' ') for source in opened)}",
        )
    missing = dict.fromkeys(scope for role in person.roles for scope in scopes_of(role.source))
    lacking = [scope for scope in missing if not place.view or scope not in place.view.spec.scopes]
    mend = f"ask for {' and '.join(lacking)}: `rollbook application set {shlex.quote(place.reader.name)} --scopes ...`"
    return Link("scopes", "no", f"its scopes lack {' and '.join(lacking)}", VENDOR, mend)


def of_share(
    person: Person,
    place: Place,
    picked: set[str],
    rules: Sequence[tuple[Rule, set[str], list[Test] | None]],
) -> Link:
    """Whether the district's share picks a role of the person that the scopes open."""
    share = place.view.spec.share if place.view else None
    is_shared = any(
        source in picked and is_open(source, place) for source in (role.source for role in person.roles)
    )
    state: Literal["yes", "no"] = "yes" if is_shared else "no"
    who, mend = (
        ("", "") if is_shared else (DISTRICT, f"change the share: `rollbook share {place.quoted} ...`")
    )
    if share is None:
        text = (
            "the district shares everybody"
            if is_shared
            else "the district shares everybody, but its scopes open none of their roles"
        )
        return Link("share", state, text, who, mend)
    if share.schools:
        names = _some(share.schools)
        text = (
            f"shared by school: {names}"
            if is_shared
            else f"the share has the schools {names}, and none of them is theirs"
        )
        return Link("share", state, text, who, mend)
    if not rules:
        return Link("share", state, "the district shares nobody with it", who, mend)
    told = [(bool(found & picked), _rule_told(rule, found, tests)) for rule, found, tests in rules]
    met = [text for is_met, text in told if is_met]
    if is_shared and met:
        return Link("share", state, f"shared by the {met[0]}", details=tuple(met[1:RULES_MAX]))
    if picked:
        text = f"shared only as {' and '.join(sorted(picked))}, which its scopes do not open"
    else:
        text = "no rule of the share picks them"
    return Link("share", state, text, who, mend, tuple(text for _, text in told[:RULES_MAX]))


def _rule_told(rule: Rule, found: set[str], tests: Sequence[Test] | None) -> str:
    """A rule in words, and beside a rule that fails, the person's value."""
    where = " and ".join(f"{one.field} {one.operator} {_some(one.values)}" for one in rule.conditions)
    told = f'rule "{rule.kind}{f" where {where}" if where else ""}{f" with {_some(rule.along)}" if rule.along else ""}"'
    if found:
        return told
    failed = [test for test in tests or () if not test.is_met]
    if failed:
        return f"{told}: their {failed[0].field} is {failed[0].value or 'blank'}"
    if tests is None and rule.kind in ("section", "teacher"):
        return f"{told}: none of their {'sections' if rule.kind == 'section' else 'teachers'} is picked by it"
    return f"{told}: it picks others"


def _some(values: Sequence[str]) -> str:
    """The first few values, in words."""
    shown = " or ".join(value or "blank" for value in values[:VALUES_MAX])
    return shown if len(values) <= VALUES_MAX else f"{shown} or {len(values) - VALUES_MAX} more"


# What the application reads --------------------------------------------------------------------------


def agreeing(chain: list[Link], *, sees: bool) -> list[Link]:
    """The chain, in agreement with what the application reads now: they differ only if its view is frozen."""
    if sees:
        # A frozen view still shows the person.
        return [replace(link, state="note") if link.state == "no" else link for link in chain]
    if all(link.state != "no" for link in chain):
        return [replace(link, state="no") if link.name == "frozen" else link for link in chain]
    return chain


def of_roles(person: Person, place: Place, record: Mapping[str, Any]) -> list[Link]:
    """The roles of the person that the application sees, and those that it does not."""
    hidden = [role for role in person.roles if role_of(role.source) not in record["roles"]]
    seen = " and ".join(role.replace("_", " ") for role in record["roles"])
    if not hidden:
        return [Link("role", "yes", f"it sees them as {seen}")]
    reasons = {True: "not shared", False: "its scopes do not open it"}
    why = ", ".join(
        f"{role_of(role.source).replace('_', ' ')} ({reasons[is_open(role.source, place)]})"
        for role in hidden
    )
    return [Link("role", "note", f"it sees them as {seen}, but not as {why}")]


def named_field(person: Person, field: str) -> str:
    """The field's name without the role. Errors: BadSetting if no role of the person has it."""
    roles = [role_of(role.source) for role in person.roles] or list(ROLE)
    role, dot, name = field.partition(".")
    held = [role] if dot else roles
    known = {
        *(each.name for each in SHAPES["User"] if each.is_on_wire and not dot),
        *(each.name for one in held if one in ROLE for each in SHAPES[ROLE[one].shape] if each.is_on_wire),
        *(("email",) if dot and role in ROLE else ()),
    }
    if (name if dot else field) not in known:
        raise BadSetting(
            f"field: expected a field of {' or '.join(roles)}, such as grade or student.dob; got {field!r}"
        )
    return field


def of_field(place: Place, record: Mapping[str, Any], field: str) -> tuple[bool, Link]:
    """Whether the application sees a field of the person, and why not."""
    role, dot, name = field.rpartition(".")
    roles = [role] if dot else list(record["roles"])
    shown = [one for one in roles if name in record["roles"].get(one, {})]
    value = [record["roles"][one][name] for one in shown]
    if name in record and name not in ("roles",) and (not shown or name == "email"):
        # It stands beside the roles. A hidden email is blank.
        value = [record[name]] if record[name] != "" else []
    if value:
        blank = all(one in ("", [], {}) for one in value)
        return True, Link(
            "field", "yes", f"it sees {field}{', which is blank in their row' if blank else ''}"
        )
    return False, next(
        (found for one in roles if (found := _hidden(place, one, name))),
        Link("field", "no", f"{field} is blank or not in their row", DISTRICT, "send it with the next files"),
    )


def _hidden(place: Place, role: str, name: str) -> Link | None:
    """Who hides a field of a role; None if nobody does."""
    spec, field = place.view.spec if place.view else None, f"{role}.{name}"
    if spec is None or not spec.hides(role, name):
        return None
    application = shlex.quote(place.reader.name)
    if field in spec.unasked:
        text, mend = (
            f"{place.reader.name} does not ask for {field}",
            f"ask for it: `rollbook application set {application} ...`",
        )
        return Link("field", "no", text, VENDOR, mend)
    if field in spec.withheld:
        mend = f"`rollbook share {place.quoted} --withhold ...`, without {field}"
        return Link("field", "no", f"the district withholds {field}", DISTRICT, mend)
    scope = SCOPE_OF.get(name)
    if scope and scope not in spec.scopes:
        return Link(
            "field", "no", f"{field} is sensitive, and its scopes lack {scope}", VENDOR, f"ask for {scope}"
        )
    mend = f"`rollbook share {place.quoted} --sensitive student.{name}`"
    return Link("field", "no", f"{field} is sensitive, and the district has not opened it", DISTRICT, mend)


def last_read(at: int | None) -> Link:
    """When the application last read people."""
    if at is None:
        return Link("read", "note", "the request log has no read of people by it")
    moment = datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return Link("read", "note", f"it last read people at {moment}; it cannot know of later changes")

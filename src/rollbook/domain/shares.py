"""What a share says: everything, some schools, or rules. It is read from JSON and written as JSON.

`roster.views.narrowing` applies a share to a roster. Source: ingest.md 4.1 and 4.2.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rollbook.domain.roster_tables import CELLS
from rollbook.errors import BadSetting

# By kind of rule: the roster table that it picks from, and the tables that it may bring along.
KINDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "section": ("sections", ()),
    "student": ("students", ("sections",)),
    "teacher": ("teachers", ("sections", "students")),
    "staff": ("staff", ("schools",)),  # or some schools, by name
    "admin": ("district_admins", ()),
}
# Separates the values of a list, and the roles in an administrator's column.
SEPARATOR = ";"
# Operators with this ending take a list. Other operators take one value, unchanged.
LIST = "any of"
# Columns with several values, as (kind, field): one matching value is enough.
SEVERAL = (("admin", "role"),)
# Headers of a district's own columns begin with this. So do the fields of rules that use them.
EXTENSION_PREFIX = "ext."
# The operators of a condition.
OPERATORS = (
    "equals any of",
    "does not equal any of",
    "contains",
    "does not contain",
    "contains any of",
    "starts with",
    "starts with any of",
)
# Negative operators, each with the positive one.
NEGATED = {"does not equal any of": "equals any of", "does not contain": "contains"}
# Limits on the size of a share.
RULES_MAX, CONDITIONS_MAX, VALUES_MAX, TEXT_MAX = 200, 50, 10_000, 1_000
# How many characters of a wrong value a message repeats.
SHOWN_MAX = 200
# The header of a district's own column.
_EXTENSION = re.compile(rf"{re.escape(EXTENSION_PREFIX)}[^.\s]+")
# Characters that neither a cell nor the engine's text can hold.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# By kind of rule: the fields that it can use, as the API names them, each with its roster column.
FIELDS: dict[str, dict[str, str]] = {
    kind: {"sis_id" if name == "key" else name: name for name in CELLS[source]}
    for kind, (source, _) in KINDS.items()
}
# The tables that shares pick from.
SELECTED = ("schools", *(source for source, _ in KINDS.values()))


@dataclass(frozen=True, slots=True)
class Condition:
    """One filter: a field, an operator and values. The comparison is exact."""

    field: str
    operator: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule picks the records of one kind that match all its conditions.

    `along` names the tables that come with them. For staff it may also name single schools.
    """

    kind: str
    conditions: tuple[Condition, ...]
    along: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Share:
    """A share by schools (SIS ids, names or ids), or by rules: a record is shared if one rule matches.

    A share with neither shares nothing.
    """

    schools: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()


def parse(given: object) -> Share | None:
    """Read a share from JSON: None (everything), {"schools": [...]} or {"rules": [{"kind", "where",
    "with"}]}.

    A rule's `where` is a list of [field, operator, value, ...]. Errors: BadSetting names the wrong part and
    what was expected.
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
    """The schools that a share picks, by SIS id, name or id."""
    if share is None:
        return ()
    along = (name for rule in share.rules if rule.kind == "staff" for name in rule.along if name != "schools")
    return (*share.schools, *along)


def as_json(share: Share | None) -> object:
    """The share as JSON that `parse` reads."""
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
    # Staff may come with some of their schools: a word without another meaning is the name of a school.
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
    """The values of a list. One text may hold several; a blank text stands for blank cells."""
    found = [part.strip() for text in values for part in (text.split(SEPARATOR) if text else ())]
    given = tuple(dict.fromkeys((*(part for part in found if part), *([""] if "" in values else []))))
    if not given:
        raise BadSetting(f"{where}: expected a value, got {_short(values)}")
    return given


def _texts(where: str, given: Sequence[Any]) -> tuple[str, ...]:
    """The texts of a list. Errors: BadSetting for too many, too long, or characters that no cell can hold."""
    if len(given) > VALUES_MAX:
        raise BadSetting(f"{where}: expected at most {VALUES_MAX} values, got {len(given)}")
    for text in given:
        if not isinstance(text, str):
            raise BadSetting(f"{where}: expected text, in quotation marks; got {_short(text)}")
        if len(text) > TEXT_MAX:
            raise BadSetting(f"{where}: expected at most {TEXT_MAX} characters, got {_short(text)}")
        if _UNSTORABLE.search(text):
            raise BadSetting(
                f"{where}: expected text without NUL and unpaired surrogates; got {_short(text)}"
            )
    return tuple(given)


def _short(given: object) -> str:
    """A given value as a message shows it: one line of ASCII, cut at `SHOWN_MAX` characters."""
    try:
        told = ascii(given)
    except RecursionError:
        return "lists within lists"
    return told if len(told) <= SHOWN_MAX else f"{told[:SHOWN_MAX]}..."

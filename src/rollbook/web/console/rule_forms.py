"""The rules of a share as the fields of a form: rule by rule, condition by condition.

A field's name says where it stands: `rule.0.kind`, `rule.0.where.1.field`, `rule.0.with.sections`. Buttons add and
drop rules and conditions; each leads to the same page again, so the editor needs no script.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rollbook.domain import shares
from rollbook.domain.shares import EXTENSION_PREFIX, FIELDS, KINDS, LIST, OPERATORS, SEPARATOR, Share
from rollbook.errors import BadSetting

TITLES = {
    "section": "Sections",
    "student": "Students",
    "teacher": "Teachers",
    "staff": "Staff",
    "admin": "District administrators",
}
ALONG = {"sections": "with their sections", "students": "with their students"}
# A district's own column is named in words: the list of fields does not have it.
OWN = "own column"
# The buttons of the editor.
BUTTONS = ("add-rule", "drop-rule", "add-where", "drop-where")
# How many rules and conditions a form draws; a longer share is edited as text.
RULES_MAX, CONDITIONS_MAX = 20, 10
# Not `00`, which is a name that no form has, of the number 0.
_NUMBER = "(0|[1-9][0-9]{0,2})"
_RULE = re.compile(rf"rule\.{_NUMBER}\.kind")
# A browser sends a chosen field, and values without one. Both are conditions, so that none is lost.
_WHERE = re.compile(rf"rule\.{_NUMBER}\.where\.{_NUMBER}\.(?:field|values)")
# Blank cells can be looked for by these. By other operators a blank text fits each record.
_TAKE_BLANK = ("equals any of", "does not equal any of")


@dataclass(frozen=True, slots=True)
class Where:
    """One condition as the form has it: `values` is one text, with `;` between several. Without a field and values,
    it is no condition. `own` names a district's own column."""

    field: str = ""
    operator: str = OPERATORS[0]
    values: str = ""
    own: str = ""


@dataclass(frozen=True, slots=True)
class RuleFields:
    """One rule as the form has it. `along` are the ticked names; `schools` names those that come along with staff."""

    kind: str
    where: tuple[Where, ...] = (Where(),)
    along: tuple[str, ...] = ()
    schools: str = ""

    @property
    def title(self) -> str:
        return TITLES[self.kind]

    @property
    def fields(self) -> list[str]:
        """The fields that a condition of this kind may use."""
        own = () if self.kind == "admin" else ("school",)
        return [*own, *(name for name in sorted(FIELDS[self.kind]) if name != "school")]

    @property
    def has_own(self) -> bool:
        """Whether districts may have columns of their own for this kind."""
        return self.kind != "admin"

    @property
    def offers(self) -> dict[str, str]:
        """What may come along, each with its words."""
        return {name: ALONG[name] for name in KINDS[self.kind][1] if name in ALONG}


def read(form: Mapping[str, str]) -> list[RuleFields]:
    """The rules of a form, in their order; unknown kinds are left out."""
    numbers = sorted({int(found[1]) for name in form if (found := _RULE.fullmatch(name))})
    return [_rule(form, number) for number in numbers if form[f"rule.{number}.kind"] in KINDS]


def _rule(form: Mapping[str, str], number: int) -> RuleFields:
    own = sorted(
        {int(found[2]) for name in form if (found := _WHERE.fullmatch(name)) and int(found[1]) == number}
    )
    kind = form[f"rule.{number}.kind"]
    start = f"rule.{number}.with."
    return RuleFields(
        kind,
        tuple(_where(form, f"rule.{number}.where.{place}") for place in own),
        tuple(name for name in ALONG if f"{start}{name}" in form),
        form.get(f"{start}schools", ""),
    )


def _where(form: Mapping[str, str], start: str) -> Where:
    found = {name: form.get(f"{start}.{name}", "").strip() for name in ("field", "operator", "values", "own")}
    return Where(**{**found, "operator": found["operator"] or OPERATORS[0]})


def as_json(rules: list[RuleFields]) -> dict[str, Any]:
    """The rules as JSON that `shares.parse` reads. Errors: BadSetting if there is no rule."""
    if not rules:
        raise BadSetting("Add one rule at least, or share nothing.")
    return {
        "rules": [
            {
                "kind": rule.kind,
                "where": [
                    [_field(each), each.operator, each.values]
                    for each in rule.where
                    if each.field or each.values
                ],
                "with": [
                    *rule.along,
                    *(each for text in rule.schools.split(SEPARATOR) if (each := text.strip())),
                ],
            }
            for rule in rules
        ]
    }


def check(rules: list[RuleFields]) -> list[RuleFields]:
    """The rules, if each condition tests something. Errors: BadSetting for a blank text that fits each record."""
    for rule in rules:
        if operator := next((each.operator for each in rule.where if _fits_all(each)), None):
            raise BadSetting(
                f"rule of {rule.kind}: {operator}: expected a value; a blank one fits each record"
            )
    return rules


def _fits_all(each: Where) -> bool:
    return bool(each.field) and not each.values and each.operator not in _TAKE_BLANK


def _field(each: Where) -> str:
    return f"{EXTENSION_PREFIX}{each.own.removeprefix(EXTENSION_PREFIX)}" if each.field == OWN else each.field


def of(share: Share | None) -> list[RuleFields] | None:
    """A share's rules as fields; None if the form cannot say the same, so that only the text can."""
    if share is None or len(share.rules) > RULES_MAX:
        return None if share else []
    found = [
        RuleFields(
            rule.kind,
            tuple(_as_where(each.field, each.operator, each.values) for each in rule.conditions)
            or (Where(),),
            tuple(name for name in rule.along if name in ALONG),
            f"{SEPARATOR} ".join(name for name in rule.along if name not in ALONG),
        )
        for rule in share.rules
    ]
    if any(len(rule.where) > CONDITIONS_MAX or any(map(_fits_all, rule.where)) for rule in found):
        return None
    same = shares.parse(as_json(found)) if found else share
    return found if same and same.rules == share.rules else None


def _as_where(field: str, operator: str, values: tuple[str, ...]) -> Where:
    text = f"{SEPARATOR} ".join(values) if operator.endswith(LIST) else values[0]
    if field.startswith(EXTENSION_PREFIX):
        return Where(OWN, operator, text, field.removeprefix(EXTENSION_PREFIX))
    return Where(field, operator, text)


def changed(rules: list[RuleFields], act: str, kind: str) -> list[RuleFields]:
    """The rules after a button: `add-rule` of a kind, `drop-rule.N`, `add-where.N` or `drop-where.N.M`."""
    verb, *given = act.split(".")
    places = [int(each) for each in given if each.isascii() and each.isdigit() and len(each) < 4]
    if verb == "add-rule" and kind in KINDS and len(rules) < RULES_MAX:
        return [*rules, RuleFields(kind)]
    if not places or places[0] >= len(rules):
        return rules
    first = places[0]
    rule = rules[first]
    if verb == "drop-rule":
        return [each for place, each in enumerate(rules) if place != first]
    if verb == "add-where" and len(rule.where) < CONDITIONS_MAX:
        where = (*rule.where, Where())
    elif verb == "drop-where" and len(places) > 1:
        where = tuple(each for place, each in enumerate(rule.where) if place != places[1])
    else:
        return rules
    made = RuleFields(rule.kind, where, rule.along, rule.schools)
    return [made if place == first else each for place, each in enumerate(rules)]

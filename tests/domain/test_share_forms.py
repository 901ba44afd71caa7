"""A share in the form of JSON: read, written back, and refused with the part that is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from rollbook.domain.shares import (
    CONDITIONS_MAX,
    RULES_MAX,
    SHOWN_MAX,
    TEXT_MAX,
    VALUES_MAX,
    as_json,
    parse,
    schools_named,
)
from rollbook.errors import BadSetting

DEEP: list[Any] = []
for _ in range(100_000):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("given", "schools"),
    [
        (None, ()),
        ({"schools": ["N", "South Elementary"]}, ("N", "South Elementary")),
        ({"rules": []}, ()),
        (
            {
                "rules": [
                    {
                        "kind": "student",
                        "where": [["grade", "equals any of", "9", "10"]],
                        "with": ["sections"],
                    },
                    {"kind": "staff", "where": [["ext.badge", "contains", "x"]], "with": ["schools", "N"]},
                ]
            },
            ("N",),
        ),
    ],
)
def test_a_share_is_written_as_it_was_read(given: Any, schools: tuple[str, ...]) -> None:
    share = parse(given)
    assert (as_json(share), schools_named(share)) == (given, schools)


def test_one_text_may_hold_a_list_and_a_blank_stands_for_blank_cells() -> None:
    share = parse({"rules": [{"kind": "student", "where": [["grade", "equals any of", "9; 10;;9", ""]]}]})
    assert share
    assert share.rules[0].conditions[0].values == ("9", "10", "")


def of_student(**more: Any) -> dict[str, Any]:
    return {"rules": [{"kind": "student", **more}]}


CONDITION = ["grade", "contains", "9"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([], 'share: expected {"schools"'),
        ({"school": []}, 'share: expected {"schools"'),
        ({"schools": "N"}, "share: expected lists"),
        ({"schools": ["N"], "rules": [{"kind": "student"}]}, "got both"),
        ({"rules": [{"kind": "student"}] * (RULES_MAX + 1)}, f"at most {RULES_MAX} rules, got 201"),
        ({"rules": ["student"]}, "rule: expected a kind"),
        ({"rules": [{"kind": "pupil"}]}, "rule: expected a kind"),
        (of_student(when=[]), "expected kind, where and with; got 'when'"),
        (of_student(where={}), "rule of student: where: expected a list, got {}"),
        (of_student(**{"with": ["parents"]}), "rule of student: with: expected some of"),
        (of_student(where=[CONDITION] * (CONDITIONS_MAX + 1)), "expected at most 50 conditions, got 51"),
        (of_student(where=[["grade", "contains"]]), "expected [field, operator, value, ...]"),
        (of_student(where=[["grade", "is", "9"]]), "expected an operator, one of"),
        (of_student(where=[["colour", "contains", "red"]]), "expected a field, one of school, ext.NAME"),
        (of_student(where=[["grade", "equals any of", " ; "]]), "where: expected a value"),
        (of_student(where=[["grade", "contains", 9]]), "expected text, in quotation marks; got 9"),
        ({"schools": ["N"] * (VALUES_MAX + 1)}, f"expected at most {VALUES_MAX} values"),
        ({"schools": ["N" * (TEXT_MAX + 1)]}, f"expected at most {TEXT_MAX} characters, got '{'N' * 199}..."),
        ({"schools": ["\ud800"]}, "expected text without NUL and unpaired surrogates"),
        ({"schools": [DEEP]}, "got lists within lists"),
    ],
)
def test_a_wrong_part_is_named_with_what_was_expected(given: Any, told: str) -> None:
    with pytest.raises(BadSetting) as caught:
        parse(given)
    assert told in str(caught.value)
    assert len(str(caught.value)) < 3 * SHOWN_MAX + 200


def test_a_rule_of_admins_has_no_school_and_no_columns_of_a_district() -> None:
    with pytest.raises(BadSetting, match=r"rule of admin: expected a field, one of \w*email"):
        parse({"rules": [{"kind": "admin", "where": [["school", "contains", "N"]]}]})

"""The targets of a move, as a program asks for them: by key, with the command's names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rollbook.errors import BadSetting
from rollbook.synthetic.days import DAY_MAX
from rollbook.synthetic.stories import CALENDAR, HAPPENINGS

HELD = ("approve", "discard")
TARGETS: dict[str, Callable[[Any], bool]] = {
    "days": lambda value: isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= DAY_MAX,
    "to": lambda value: value in CALENDAR,
    "scenario": lambda value: value in HAPPENINGS,
    "held": lambda value: value in HELD,
}
EXPECTED = {
    "days": f"a whole number from 1 to {DAY_MAX}",
    "to": f"one of {', '.join(CALENDAR)}",
    "scenario": f"one of {', '.join(HAPPENINGS)}",
    "held": f"one of {', '.join(HELD)}",
}


def target(asked: Mapping[str, Any]) -> str:
    """The target for the command. Errors: BadSetting says what was expected."""
    if len(asked) != 1 or not {*asked} <= {*TARGETS}:
        raise BadSetting(f"expected one of {', '.join(TARGETS)}")
    ((name, value),) = asked.items()
    if isinstance(value, list | dict) or not TARGETS[name](value):
        raise BadSetting(f"{name}: expected {EXPECTED[name]}")
    return str(value)

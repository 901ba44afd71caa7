"""Tests that need a program of the machine."""

from __future__ import annotations

import pytest

from tests import machine


def test_a_test_goes_on_if_the_machine_has_its_programs() -> None:
    machine.need("sh", "cat", package="coreutils")


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_a_test_whose_program_is_absent_fails_in_ci_and_is_skipped_elsewhere(
    ci: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="no rollbook-cat on this machine: apt install cats"):
        machine.need("sh", "rollbook-cat", package="cats")

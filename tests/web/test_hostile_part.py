"""The part of the benchmark with hostile clients, at its smallest size."""

from __future__ import annotations

import pytest

from bench import hostile


def test_a_normal_client_is_answered_in_each_attack(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLBOOK_KEY_FILE", "")  # set within, and put back here
    hostile.measure(0.1, students=50, connections=20)
    cells = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| ")][1:]
    assert [row[0].removeprefix("| ") for row in cells] == ["nobody", *hostile.ATTACKS]
    assert {row[4] for row in cells} == {"0"}  # none failed

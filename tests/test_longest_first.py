"""Each test process begins with long tests, and no test is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.longest_first import LONGEST, ordered

NAMES = ["test_a.py"] * 50 + [*LONGEST] + ["test_z.py"] * 53


@pytest.mark.parametrize("processes", [1, 2, 3, 4])
def test_each_process_begins_with_its_share_of_the_longest_files(processes: int) -> None:
    tests = [*enumerate(NAMES)]
    found = ordered(tests, lambda test: test[1], processes)
    assert sorted(found) == tests
    at, begun = 0, set()
    for number in range(processes):
        begun.add(found[at][1])
        at += (len(tests) - at) // (processes - number)
    assert begun == {*LONGEST[:processes]}
    again = [number for number, name in found if name not in LONGEST]
    assert again == sorted(again)


def test_the_longest_files_exist() -> None:
    there = {path.name for path in Path(__file__).parent.rglob("test_*.py")}
    assert {*LONGEST} <= there

"""The order of tests: all test processes begin with the longest.

A long test that begins last keeps one process busy while the others have nothing left to do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")

# Files whose tests take more than ten seconds each, or that no other process can take over in part.
LONGEST = (
    "test_killed_sync.py",
    "test_soak.py",
    "test_days.py",
    "test_broken_sync.py",
    "test_bench.py",
    "test_history_model.py",
    "test_clone.py",
    "test_leak_sweep.py",
    "test_every_state.py",
    "test_guide.py",
)


def ordered(items: Sequence[Item], file: Callable[[Item], str], processes: int) -> list[Item]:
    """The tests for a number of processes. xdist first gives each process an equal part of the list, in order."""
    long = {name: [item for item in items if file(item) == name] for name in LONGEST}
    rest = [item for item in items if file(item) not in LONGEST]
    found: list[Item] = []
    for number in range(processes):
        part = (len(items) - len(found)) // (processes - number)
        begins = [item for name in LONGEST[number::processes] for item in long[name]]
        more = max(0, part - len(begins))
        found += [*begins, *rest[:more]]
        del rest[:more]
    return found + rest

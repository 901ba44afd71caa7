"""The memory of a long answer is used again by the next one."""

from __future__ import annotations

import ctypes
import subprocess
import sys

from tests import machine

# Prints how often the system has to give memory while long texts are made and dropped, after a first time.
ANSWERS = """
import resource
from rollbook.web.http.kept_memory import keep_memory
if {keeps}:
    keep_memory()
def answer(_):
    return [b"x" * 8_000_000 for _ in range(3)] and None
def given():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
answer(0)
before = given()
list(map(answer, range(10)))
print(given() - before)
"""


def given(*, keeps: bool) -> int:
    done = subprocess.run(
        [sys.executable, "-c", ANSWERS.format(keeps=keeps)], check=True, text=True, stdout=subprocess.PIPE
    )
    return int(done.stdout)


def test_a_server_keeps_the_memory_of_a_long_answer_for_the_next() -> None:
    if not hasattr(ctypes.CDLL(None), "mallopt"):
        machine.lacks("only glibc can keep memory")
    assert given(keeps=True) < 500 < given(keeps=False)

"""What the program logs while any test runs: no token, no password, no field of a person.

Each test process looks at its own log records, and at all that servers print which `tests.journeys.program`
starts. A secret is known by its form, a person by the cells of the files that most tests are made of.
"""

from __future__ import annotations

import csv
import io
import logging
import re
from collections.abc import Iterator
from typing import Any

from rollbook.demo import published
from tests import sso
from tests import world as small_world
from tests.roster import world

# 160 bits in hexadecimal: tokens, secrets and codes. 160 to 256 bits in Base64: links, cookies, passwords of uploads.
# A server without an operator prints the link for the first one, which works once.
_SECRET = re.compile(
    r"(?<![\w/-])(?<!/console/welcome#)(?:[0-9a-f]{40}|(?=[\w-]*[A-Z])(?=[\w-]*[a-z])(?=[\w-]*\d)[\w-]{27,43})(?![\w/-])"
)
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
# Columns of people's files that say nothing about a person. The other cells of less than five letters are words of
# sentences too, such as "ash" or "Amy".
_PUBLIC = frozenset({"School_id", "Grade", "Role", "Title", "Department"})
_PEOPLE = ("students.csv", "teachers.csv", "staff.csv", "administrators.csv")
_SHORTEST = 5
# Everybody knows these, and a demo prints them.
_PUBLISHED = frozenset(
    word for each in published.CLIENTS for word in (each.client_id, each.secret, each.basic)
)

_found: list[str] = []


def cells() -> Iterator[str]:
    """The fields of all people in the worlds that tests share."""
    for files in (small_world.FILES, sso.FILES, world.FILES):
        for name in _PEOPLE:
            for row in csv.DictReader(io.StringIO(files.get(name, ""))):
                yield from (value for column, value in row.items() if value and column not in _PUBLIC)


_CELLS = re.compile(
    r"(?<!\w)(?:"
    + "|".join(map(re.escape, sorted({cell for cell in cells() if len(cell) >= _SHORTEST})))
    + r")(?!\w)"
)


def secrets_in(text: str) -> list[str]:
    """Tokens, passwords and fields of people in a text that was logged."""
    told = (match.group() for form in (_SECRET, _EMAIL, _CELLS) for match in form.finditer(text))
    return [each for each in dict.fromkeys(told) if each not in _PUBLISHED]


def look_at(printed: str) -> None:
    """Let the test fail that is at work if the text tells what no log may tell.

    The line of `rollbook demo --json` is no log: it gives a program made-up people to sign in as.
    """
    logged = (line for line in printed.splitlines() if not line.startswith('{"base_url"'))
    _found.extend(f"{each!r} in {line!r}" for line in logged for each in secrets_in(line))


def taken() -> list[str]:
    """What was found since the last call."""
    told, _found[:] = [*_found], []
    return told


def listen() -> None:
    """Look at each log record of this process from now on, whichever handlers there are."""
    plain = logging.getLogRecordFactory()

    def made(*arguments: Any, **named: Any) -> logging.LogRecord:
        record = plain(*arguments, **named)
        if record.name.startswith(("rollbook", "uvicorn", "asyncio")):
            look_at(logging.Formatter().format(record))
        return record

    logging.setLogRecordFactory(made)

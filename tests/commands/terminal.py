"""The program as a terminal calls it, inside the test: `main` itself, with its own database and folder."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from rollbook.cli import main
from tests import world

DISTRICT = "Ash District"


@dataclass(frozen=True)
class Outcome:
    """The result of a command, and its output on both streams."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    def json(self) -> Any:
        return orjson.loads(self.out)


class Terminal:
    """One district, and its files."""

    def __init__(
        self, address: str, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.folder = folder
        self._capsys, self._monkeypatch = capsys, monkeypatch
        monkeypatch.chdir(folder)
        monkeypatch.setenv("ROLLBOOK_DATABASE", address)
        monkeypatch.setenv("ROLLBOOK_KEY_FILE", str(folder / "key"))

    def run(self, *arguments: str | Path) -> Outcome:
        """Run a command to its end, with any result."""
        self._capsys.readouterr()
        self._monkeypatch.setattr(sys, "argv", ["rollbook", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = self._capsys.readouterr()
        code = ended.value.code
        assert isinstance(code, int | None)
        return Outcome(code or 0, printed.out, printed.err)

    def done(self, *arguments: str | Path) -> Outcome:
        """Run a command that must succeed."""
        outcome = self.run(*arguments)
        assert (outcome.code, outcome.err) == (0, ""), outcome
        return outcome

    def send(self, files: Mapping[str, str], *options: str | Path) -> Outcome:
        """Sync the district with some files."""
        return self.run("sync", DISTRICT, world.write(self.folder / "files", files), *options)


def roll(students: int = 100, *, first: int = 0, prefix: str = "", last_name: str = "Ash") -> dict[str, str]:
    """A district with one school, one teacher, one section and a number of students; one of them is in the
    section."""
    names = [f"{prefix}s{number:04}" for number in range(first, first + students)]
    rows = "".join(f"{prefix}ash,{name},{last_name},Ann {name}\n" for name in names)
    return {
        "schools.csv": f"School_id,School_name,School_number\n{prefix}ash,Ash School,1\n",
        "teachers.csv": f"School_id,Teacher_id,First_name,Last_name\n{prefix}ash,{prefix}lund,Lars,Lund\n",
        "students.csv": f"School_id,Student_id,Last_name,First_name\n{rows}",
        "sections.csv": f"School_id,Section_id,Teacher_id,Name\n{prefix}ash,{prefix}algebra,{prefix}lund,Algebra\n",
        "enrollments.csv": f"School_id,Section_id,Student_id\n{prefix}ash,{prefix}algebra,{names[0]}\n",
    }

"""The guide's commands run as they are printed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from rollbook.cli import rollbook

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "sharing.md"


def test_commands_of_the_guide_run_as_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    assert len(lines) > 10
    for line in lines:
        words = shlex.split(line, comments=True)
        assert words[0] == "rollbook"
        done = CliRunner().invoke(rollbook, words[1:], catch_exceptions=False)
        assert (line, 3 if "# exits with 3" in line else 0) == (line, done.exit_code), done.output
    assert "is frozen" not in done.output

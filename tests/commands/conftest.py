"""A demo of a test's own, and a terminal, in which commands are typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands.terminal import DISTRICT, Terminal
from tests.demos import Demo


@pytest.fixture
def demo(made_demo: Path, tmp_path: Path) -> Demo:
    """A copy of a demo on its first day."""
    return Demo.copied(made_demo, tmp_path / "demo")


@pytest.fixture
def terminal(
    database_address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Terminal:
    """A terminal with an empty district, on each database."""
    opened = Terminal(database_address, tmp_path, capsys, monkeypatch)
    opened.done("district", "create", DISTRICT)
    return opened


@pytest.fixture
def small_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Terminal:
    """A terminal with an empty district on SQLite alone, for tests of output."""
    opened = Terminal(str(tmp_path / "rollbook.db"), tmp_path, capsys, monkeypatch)
    opened.done("district", "create", DISTRICT)
    return opened

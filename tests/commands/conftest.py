"""A demo on its first day, made once and copied for each test; and a terminal, in which commands are
typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import demos
from tests.commands.terminal import DISTRICT, Terminal
from tests.demos import Demo


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return demos.make(tmp_path_factory.mktemp("made") / "demo")


@pytest.fixture
def demo(made: Path, tmp_path: Path) -> Demo:
    return Demo.copied(made, tmp_path / "demo")


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

"""A demo of a test's own, and a terminal, in which commands are typed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner

from rollbook.cli import rollbook
from tests import world
from tests.commands.terminal import DISTRICT, Terminal, roll
from tests.demos import Demo
from tests.templates import Template


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


@pytest.fixture(scope="session")
def rolled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], tuple[Template, Path]]]:
    """A database whose district was synced once, with `roll()`, on each kind of database; and its folder."""
    with ExitStack() as stack:

        @cache
        def made(dialect: str) -> tuple[Template, Path]:
            server = request.getfixturevalue("postgresql_address") if dialect == "postgresql" else ""
            folder = tmp_path_factory.mktemp("rolled")
            template = Template(tmp_path_factory.mktemp("rolled_template"), server)
            with pytest.MonkeyPatch.context() as patched:
                patched.setenv("ROLLBOOK_DATABASE", stack.enter_context(template.filling()))
                patched.setenv("ROLLBOOK_KEY_FILE", str(folder / "key"))
                files = world.write(folder / "files", roll())
                for words in (("district", "create", DISTRICT), ("sync", DISTRICT, str(files))):
                    assert CliRunner().invoke(rollbook, words).exit_code == 0
            return template, folder

        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def rolled_terminal(
    request: pytest.FixtureRequest,
    rolled: Callable[[str], tuple[Template, Path]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Terminal]:
    """A terminal whose district was synced once, with `roll()`, on each database."""
    template, folder = rolled(request.param)
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    with template.copy(tmp_path) as address:
        yield Terminal(address, tmp_path, capsys, monkeypatch)


@pytest.fixture
def small_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Terminal:
    """A terminal with an empty district on SQLite alone, for tests of output."""
    opened = Terminal(str(tmp_path / "rollbook.db"), tmp_path, capsys, monkeypatch)
    opened.done("district", "create", DISTRICT)
    return opened

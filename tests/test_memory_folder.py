"""A test run keeps its temporary files in memory only if the machine has plenty of it, and nobody chose another folder."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from tests import memory_folder


@pytest.fixture(autouse=True)
def _no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", "")
    monkeypatch.delenv("TMPDIR")


def test_temporary_files_are_in_memory_if_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_folder, "ROOM_BYTES", 0)
    memory_folder.use(tmp_path)
    assert (os.environ["TMPDIR"], tempfile.gettempdir()) == (f"{tmp_path}/rollbook-{os.getuid()}",) * 2
    assert Path(tempfile.gettempdir()).stat().st_mode & 0o7777 == 0o1777


def test_they_are_where_they_were_without_room_or_shared_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = tempfile.gettempdir()
    memory_folder.use(tmp_path / "none")
    monkeypatch.setattr(memory_folder, "ROOM_BYTES", 2**60)
    memory_folder.use(tmp_path)
    assert ("TMPDIR" in os.environ, tempfile.gettempdir(), [*tmp_path.iterdir()]) == (False, usual, [])


def test_a_chosen_folder_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_folder, "ROOM_BYTES", 0)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    memory_folder.use(tmp_path)
    assert tempfile.gettempdir() == str(tmp_path)


def test_another_users_folder_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_folder, "ROOM_BYTES", 0)
    (tmp_path / "theirs").mkdir()
    (tmp_path / f"rollbook-{os.getuid()}").symlink_to(tmp_path / "theirs")
    memory_folder.use(tmp_path)
    assert "TMPDIR" not in os.environ

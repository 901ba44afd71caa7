"""Every part of the benchmark runs from start to end at its smallest size, and prints its tables."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from bench import material
from bench.__main__ import PARTS, main

TABLES = {
    "pages": [
        "Answers per CPU-second of the server, from the store",
        "What an answer from PostgreSQL costs a worker",
        "What an answer costs beside a bare ASGI answer",
        "/users?limit=100 beside nginx",
        "What the last page",
    ],
    "log": ["What the request log and JSON lines cost"],
    "sync": ["Syncing"],
    "history": ["What a page costs", "Answers to one reader"],
    "sharing": ["/users?limit=100 under a share"],
    "shares": ["2 distinct shares"],
    "sso": ["Single sign-on"],
    "demo": ["rollbook demo"],
    "client": ["What reading costs a program with the client"],
    "hostile": ["A normal client beside hostile ones"],
    "crowd": ["A reader of single records beside full pulls", "Twice the load at which it saturates"],
    "backup": ["A backup and its restore", "Answers to one reader"],
    "uploads": ["Uploads by SFTP"],
    "night": ["A night of many districts"],
    "console": ["Pages of the console", "The largest first view"],
    "search": ["The search among the people"],
    "sync-million": ["Syncing"],
}
SMALLEST = (
    "--students=60",
    "--seconds=0.2",
    "--repeats=1",
    "--connections=20",
    "--districts=2",
    "--megabytes=1",
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which generated files are kept from part to part."""
    return tmp_path_factory.mktemp("bench") / "files"


@pytest.mark.parametrize(
    "parts",
    [
        ("pages",),
        ("log", "sync"),
        ("history",),
        ("sharing", "shares"),
        ("sso",),
        ("demo", "client"),
        ("hostile", "crowd"),
        ("backup", "uploads"),
        ("night",),
        ("console", "search", "sync-million"),
    ],
    ids=" ".join,
)
def test_parts_run_one_after_the_other_and_print_their_tables(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], parts: tuple[str, ...]
) -> None:
    monkeypatch.setattr(material, "folder", lambda: files)
    before = dict(os.environ)
    main([*parts, *SMALLEST])
    assert dict(os.environ) == before
    printed = re.split(r"^## (.+)$", capsys.readouterr().out, flags=re.MULTILINE)
    assert printed[1::2] == list(parts)
    for part, text in zip(parts, printed[2::2], strict=True):
        titles = re.findall(r"^### (.+)\n\n\|.+\n\|---.+\n\|.+\d", text, re.MULTILINE)
        assert [title[: len(begin)] for title, begin in zip(titles, TABLES[part], strict=True)] == TABLES[
            part
        ]


def test_every_part_is_run_by_the_tests() -> None:
    assert [*PARTS] == [*TABLES]

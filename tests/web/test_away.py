"""A PostgreSQL that goes away under a running server, and comes back."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from rollbook.errors import MachineTrouble
from rollbook.store.engine.database import open_database
from rollbook.store.engine.migrations import migrate
from rollbook.web import server
from rollbook.web.http.database_away import Away
from tests.journeys.hub import Hub
from tests.web.wire import serving

NAME = ".s.PGSQL.5432"


class Cable:
    """A connection to the database that can be cut: a socket in a folder, which passes bytes to another one
    and back."""

    def __init__(self, folder: Path, target: Path) -> None:
        self._place, self._target = folder / NAME, target
        self._open: list[socket.socket] = []
        self.plug_in()

    def plug_in(self) -> None:
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(self._place))
        self._listening.listen()
        threading.Thread(target=self._take, args=(self._listening,), daemon=True).start()

    def pull_out(self) -> None:
        """Close all connections, and accept none."""
        self._place.unlink()
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut()

    def cut(self) -> None:
        """Close all connections, and accept new ones, as after a quick restart."""
        while self._open:
            with contextlib.suppress(OSError):
                self._open.pop().shutdown(socket.SHUT_RDWR)

    def _take(self, listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listening.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(str(self._target))
                self._open += [client, server]
                for source, target in ((client, server), (server, client)):
                    threading.Thread(target=self._carry, args=(source, target), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        source.close()


@pytest.fixture
def cable(postgresql_address: str, tmp_path: Path) -> Iterator[Cable]:
    folder = parse_qs(urlsplit(postgresql_address).query)["host"][0]
    opened = Cable(tmp_path, Path(folder) / NAME)
    yield opened
    with contextlib.suppress(OSError):
        opened.pull_out()


@pytest.fixture
def served(
    cable: Cable, database_address: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> Iterator[tuple[str, str]]:
    """The address of a server whose database is behind the cable, and a token."""
    folder = parse_qs(urlsplit(database_address).query)["host"][0]
    address = database_address.replace(f"host={folder}", f"host={tmp_path}")
    assert address != database_address
    with closing(open_database(address)) as database:
        migrate(database)
        with closing(Hub(database, address, tmp_path)) as hub:
            token = hub.connect()
            with serving(hub.app()) as wire:
                yield f"http://127.0.0.1:{wire.port}", token


@pytest.mark.parametrize("database_address", ["postgresql"], indirect=True)
def test_requests_are_told_that_the_database_is_away_and_answered_once_it_is_back(
    cable: Cable, served: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    base, token = served
    bearer = {"authorization": f"Bearer {token}"}
    paths = ["/v3.0/users", "/v3.0/events", "/oauth/tokeninfo", "/login", "/userinfo"]
    before = [httpx.get(base + path, headers=bearer).status_code for path in paths]
    for asked in (paths[:3], paths[:1]):
        cable.pull_out()
        caplog.clear()
        for path in asked:
            got = httpx.get(base + path, headers=bearer, timeout=60)
            assert (got.status_code, got.headers["retry-after"]) == (503, "2"), path
            assert got.json()["message"] == "The database is away; try again in a few seconds."
        assert [
            line.levelno for line in caplog.records if line.levelno > logging.WARNING or line.exc_info
        ] == []
        cable.plug_in()
        assert before == [httpx.get(base + path, headers=bearer, timeout=60).status_code for path in paths]


@pytest.mark.parametrize("database_address", ["postgresql"], indirect=True)
def test_a_person_who_signs_in_meanwhile_gets_a_page_and_a_program_json(
    cable: Cable, served: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    base, token = served
    browser = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    with httpx.Client(base_url=base, headers=browser, timeout=60) as person:
        form = re.search(r'name="form" value="([^"]+)"', person.get("/badge").text)
        assert form is not None
        cable.pull_out()
        sent = person.post("/badge", data={"form": form[1], "code": "ABCD"})
    assert (sent.status_code, "cannot reach its database" in sent.text) == (503, True)
    bearer = {"authorization": f"Bearer {token}"}
    shown = [
        httpx.get(base + path, headers={**browser, **bearer}, timeout=60)
        for path in ("/login", "/oauth/authorize?client_id=1", "/v3.0/me")
    ]
    assert [(got.status_code, got.headers["retry-after"]) for got in shown] == [(503, "2")] * 3
    assert ["cannot reach its database" in got.text for got in shown] == [True, True, False]
    assert shown[2].json()["message"] == "The database is away; try again in a few seconds."
    assert "default-src" in shown[0].headers["content-security-policy"]
    assert [line.levelno for line in caplog.records if line.levelno > logging.WARNING or line.exc_info] == []


@pytest.mark.parametrize("database_address", ["postgresql"], indirect=True)
def test_connections_that_were_lost_meanwhile_fail_no_request(cable: Cable, served: tuple[str, str]) -> None:
    base, token = served
    for _ in range(5):
        got = httpx.get(f"{base}/v3.0/users", headers={"authorization": f"Bearer {token}"}, timeout=60)
        assert got.status_code == 200
        cable.cut()


def test_a_flood_of_requests_is_told_in_one_line_a_second(caplog: pytest.LogCaptureFixture) -> None:
    away = Away()
    for number in range(100):
        away.answer(MachineTrouble("database: gone"), "GET", f"/{number}")
    assert [line.getMessage() for line in caplog.records] == ["no answer to GET /…: database: gone"]


def test_a_worker_that_starts_while_the_database_is_away_says_so_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ROLLBOOK_DATABASE", f"postgresql://user:hunter2@/x?host={tmp_path}")
    worker = multiprocessing.get_context("spawn").Process(target=server.create_app)
    worker.start()
    worker.join()
    _, told = capfd.readouterr()
    assert worker.exitcode == 1
    assert told.count("\n") == 1
    assert told.startswith(
        "rollbook: a worker cannot start and will be started again: database: the PostgreSQL server cannot be reached: "
    )
    assert told.endswith(
        "; start the server, or correct the address in `ROLLBOOK_DATABASE` or `--database`\n"
    )
    assert "hunter2" not in told

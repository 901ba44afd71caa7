"""The story of a developer who clones a running Rollbook and works with the copy: by commands, over real
HTTP."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from rollbook.contract.clever import event_rows
from rollbook.contract.clever.endpoints import ENDPOINTS, Endpoint
from rollbook.contract.clever.view_spec import SENSITIVE_FIELDS
from rollbook.domain.access import SECURE_SYNC, SENSITIVE
from rollbook.store.accounts import applications
from rollbook.store.engine.database import open_database
from rollbook.store.records import event_feed as events_store

STUDENTS = 200
SHOWN = 25  # records of each kind whose related paths are compared


def rollbook(*arguments: str, database: str, folder: Path, **environment: str) -> str:
    """Run the program; returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "rollbook", *arguments],
        env={
            **os.environ,
            "ROLLBOOK_DATABASE": database,
            "ROLLBOOK_KEY_FILE": str(folder / "key"),
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@dataclass
class Server:
    """A running Rollbook and a token for its district."""

    port: int
    token: str

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def reader(self) -> Iterator[Reader]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        yield Reader(connection, self.token)
        connection.close()


@dataclass
class Reader:
    connection: HTTPConnection
    token: str

    def get(self, path: str) -> tuple[int, bytes]:
        self.connection.request("GET", path, headers={"authorization": f"Bearer {self.token}"})
        response = self.connection.getresponse()
        return response.status, response.read()

    def all(self, path: str) -> list[Any]:
        """Every record of a list, in pages."""
        found: list[Any] = []
        step: str | None = path
        while step:
            page = json.loads(self.get(step)[1])
            found += [element["data"] for element in page["data"]]
            step = next((link["uri"] for link in page["links"] if link["rel"] == "next"), None)
        return found


@contextmanager
def serving(database: str, folder: Path, token: str) -> Iterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        "ROLLBOOK_DATABASE": database,
        "ROLLBOOK_KEY_FILE": str(folder / "key"),
        "ROLLBOOK_RATE_LIMIT": "0",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "rollbook", "serve", "--port", str(port)],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
    )
    try:
        _wait_for(port)
        yield Server(port, token)
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int) -> None:
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("the server did not start")


def connected(database: str, folder: Path, district: str) -> str:
    """A district token of an application with all scopes and with events."""
    token = narrowed(database, folder, district, "Reader", " ".join(SECURE_SYNC), "everything")
    store = open_database(database)
    events_store.switch(store, applications.find(store, "Reader").number, on=True)
    store.close()
    return token


def narrowed(database: str, folder: Path, district: str, name: str, scopes: str, share: str) -> str:
    """A district token of an application with these scopes and this share."""
    rollbook("application", "create", name, "--scopes", scopes, database=database, folder=folder)
    printed = rollbook(
        "connect", name, district, "--share", "nothing", "--json", database=database, folder=folder
    )
    opened = [part for field in SENSITIVE_FIELDS for part in ("--sensitive", field)]
    rollbook("share", name, district, share, *opened, database=database, folder=folder)
    return str(json.loads(printed)["access_token"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def origin(folder: Path) -> Iterator[Server]:
    """A running Rollbook with an invented district."""
    database = str(folder / "origin.db")
    rollbook("generate", str(folder / "files"), "--students", str(STUDENTS), database=database, folder=folder)
    rollbook("district", "create", "Springfield", database=database, folder=folder)
    rollbook("sync", "Springfield", str(folder / "files"), database=database, folder=folder)
    token = connected(database, folder, "Springfield")
    with serving(database, folder, token) as server:
        yield server


def clone(origin: Server, database: str, folder: Path) -> dict[str, Any]:
    printed = rollbook(
        "clone", origin.address, "--json", database=database, folder=folder, ROLLBOOK_CLONE_TOKEN=origin.token
    )
    assert origin.token not in printed
    report: dict[str, Any] = json.loads(printed)
    return report


def paths(reader: Reader) -> Iterator[str]:
    """Every list with its parameters, every single record, and every related path of the first records of
    each kind."""
    for endpoint in ENDPOINTS:
        kind = f"/v3.0/{endpoint.source}"
        if endpoint.shape == "list":
            yield from (kind, f"{kind}?count=true", f"{kind}?limit=7", f"{kind}?limit=3&ending_before=last")
            yield from (f"{kind}?role={role}" for role in endpoint.roles)
    for kind, ids in known(reader).items():
        yield from (f"/v3.0/{kind}/{id_}" for id_ in ids)
        for endpoint in (
            entry for entry in ENDPOINTS if entry.source == kind and entry.shape in ("one", "many")
        ):
            for id_ in spread(ids):
                yield from _asked(endpoint, id_)


def _asked(endpoint: Endpoint, id_: str) -> Iterator[str]:
    path = "/v3.0" + endpoint.path.replace("{id}", id_)
    yield path
    yield from (f"{path}?role={role}" for role in endpoint.roles)
    if endpoint.has_primary:
        yield f"{path}?primary=true"


def known(reader: Reader) -> dict[str, list[str]]:
    kinds = [endpoint.source for endpoint in ENDPOINTS if endpoint.shape == "list"]
    return {kind: [record["id"] for record in reader.all(f"/v3.0/{kind}?limit=1000")] for kind in kinds}


def spread(ids: list[str]) -> list[str]:
    """A number of the ids, from all parts of the list, so that every role is included."""
    return ids[:: max(1, len(ids) // SHOWN)]


def assert_same(origin: Server, copy: Server) -> None:
    with origin.reader() as there, copy.reader() as here:
        different = [path for path in paths(there) if there.get(path) != here.get(path)]
    assert different == []


def state(reader: Reader) -> dict[tuple[str, str], Any]:
    """Every record as an event shows it, without its dates."""
    return {
        (kind, record["id"]): undated(event_rows.shown(kind, record))
        for kind in known(reader)
        for record in reader.all(f"/v3.0/{kind}?limit=1000")
    }


def undated(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in event_rows.DATES}


def replayed(before: dict[tuple[str, str], Any], feed: list[Any]) -> dict[tuple[str, str], Any]:
    after = dict(before)
    for event in feed:
        kind, _, verb = event["type"].partition(".")
        record = event["data"]["object"]
        if verb == "deleted":
            del after[kind, record["id"]]
        else:
            after[kind, record["id"]] = undated(record)
    return after


def test_a_clone_of_a_running_rollbook_equals_its_source_byte_for_byte_and_follows_it(
    origin: Server, folder: Path, database_address: str
) -> None:
    first = clone(origin, database_address, folder)
    assert first["kinds"]["students"]["created"] == STUDENTS
    token = connected(database_address, folder, first["district"])
    with serving(database_address, folder, token) as copy, copy.reader() as here:
        assert_same(origin, copy)
        before = state(here)

        again = clone(origin, database_address, folder)
        assert {tuple(counts.values())[1:] for counts in again["kinds"].values()} == {(0, 0, 0, 0)}
        assert state(here) == before

        shutil.rmtree(folder / "files")
        rollbook(
            "generate",
            str(folder / "files"),
            "--students",
            str(STUDENTS),
            "--day",
            "30",
            database="",
            folder=folder,
        )
        rollbook(
            "sync",
            "Springfield",
            str(folder / "files"),
            "--approve",
            database=str(folder / "origin.db"),
            folder=folder,
        )
        clone(origin, database_address, folder)
        assert_same(origin, copy)
        feed = here.all("/v3.0/events?limit=1000")
        assert feed != []
        assert replayed(before, feed) == state(here)


def test_a_share_shows_the_same_of_a_clone_as_of_its_source(
    origin: Server, folder: Path, database_address: str
) -> None:
    source = str(folder / "origin.db")
    origin.token = narrowed(
        source, folder, "Springfield", "Copier", " ".join((*SECURE_SYNC, *SENSITIVE)), "everything"
    )
    district = clone(origin, database_address, folder)["district"]
    few = (
        "Few",
        "read:students read:student_contacts read:sections read:ell_status",
        '{"schools": ["0002"]}',
    )
    one_grade = (
        '{"rules": [{"kind": "student", "where": [["grade", "equals any of", "3", "4"]], '
        '"with": ["sections"]}]}'
    )
    with serving(source, folder, "") as there, serving(database_address, folder, "") as here:
        for name, scopes, share in (few, ("Grades", " ".join(SECURE_SYNC), one_grade)):
            shown = []
            for server, database in ((there, source), (here, database_address)):
                server.token = narrowed(database, folder, district, name, scopes, share)
                with server.reader() as reader:
                    shown.append({kind: reader.all(f"/v3.0/{kind}?limit=1000") for kind in known(reader)})
            # The source has moved to another address since then, as its own record says.
            assert [one.pop("districts") is None for one in shown] == [False, False]
            assert shown[0] == shown[1]
            assert 0 < len(shown[0]["users"]) < STUDENTS
            assert ("ell_status" in json.dumps(shown)) == (name == "Few")


def test_a_clone_is_reported_as_a_sync_is(origin: Server, folder: Path) -> None:
    printed = rollbook(
        "clone",
        f"{origin.address}/v3.0/",
        "--token",
        origin.token,
        "--name",
        "Copy",
        database=str(folder / "copy.db"),
        folder=folder,
    )
    assert printed.startswith("Copy: sync 1 committed at ")
    assert ["students", "0", str(STUDENTS), "0", "0", "0"] in [line.split() for line in printed.splitlines()]

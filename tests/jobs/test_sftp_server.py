"""The SFTP server, driven by OpenSSH's own client: keys, passwords, put, rename, resume, and a jail."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import asyncssh
import pytest

from rollbook import settings as setting_rows
from rollbook.errors import BadSetting, Conflict, Refused, Unknown
from rollbook.jobs import sftp_files, sftp_server
from rollbook.jobs.sftp_logins import (
    FAILURES_MAX,
    LOGINS_ADDRESS_MAX,
    LOGINS_MAX,
    SESSIONS_MAX,
    Door,
    Login,
)
from rollbook.operations import drop_folders, scheduling, sftp_setup
from rollbook.store.district import districts
from rollbook.store.engine.database import Database, open_database
from rollbook.store.engine.keys import Sealer, sealer, settle
from rollbook.store.engine.migrations import migrate
from tests import world
from tests.journeys import program

pytestmark = pytest.mark.needs("sftp", "ssh-keygen", package="openssh-client")
NAME = "springfield"


@dataclass
class Place:
    """A server with one account, and a client's folder."""

    folder: Path
    database: Database
    port: int
    password: str

    @property
    def drop(self) -> Path:
        return self.folder / "drop"

    def sftp(
        self, *lines: str, key: str | None = "key", password: str = "", name: str = NAME
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(key, name),
            cwd=self.folder / "sis",
            input="\n".join(lines),
            env=self.environment(password),
            capture_output=True,
            text=True,
            timeout=program.TIMEOUT_SECONDS,
            check=False,
        )

    def command(self, key: str | None = "key", name: str = NAME) -> list[str]:
        proof = (
            ["-i", str(self.folder / key), "-o", "IdentitiesOnly=yes", "-o", "PasswordAuthentication=no"]
            if key
            else []
        )
        proof = proof or ["-o", "PubkeyAuthentication=no", "-o", "NumberOfPasswordPrompts=1"]
        known = [
            "-o",
            f"UserKnownHostsFile={self.folder / 'known'}",
            "-o",
            "StrictHostKeyChecking=yes",
            "-F",
            "none",
        ]
        # The first word counts: `-b` alone would never ask for a password.
        plain = ["sftp", "-q", "-o", "BatchMode=no", "-b", "-", "-P", str(self.port)]
        return [*plain, *known, *proof, f"{name}@127.0.0.1"]

    def environment(self, password: str) -> dict[str, str]:
        ask = self.folder / "ask"
        ask.write_text(f"#!/bin/sh\necho '{password}'\n")
        ask.chmod(0o700)
        return {**os.environ, "SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": ":0"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("sftp")
    settings = setting_rows.read({}, database=str(folder / "rollbook.db"))
    for key in ("key", "wrong"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)], check=True)
    for made in ("drop", "drop2", "sis"):
        (folder / made).mkdir()
    world.write(folder / "sis")
    with closing(open_database(settings.database)) as database:
        migrate(database)
        settle(database, settings)
        for name, drop in (("Springfield", "drop"), ("Shelbyville", "drop2")):
            districts.create(database, name)
            scheduling.change(database, name, partial(replace, folder=str(folder / drop)))
        public = (folder / "key.pub").read_text().strip()
        sftp_setup.open_account(database, "Springfield", NAME, (public,))
        other = sftp_setup.open_account(database, "Shelbyville", "shelbyville")
        port, own = program.free_port(), sealer(database, settings)
        host_key = sftp_server.host_key(own).export_public_key().decode().strip()
        (folder / "known").write_text(f"[127.0.0.1]:{port} {host_key}\n")
        with running(database, own, port):
            yield Place(folder, database, port, other.password)


class running:  # noqa: N801 - used like a function
    """The server in a thread of its own."""

    def __init__(self, database: Database, own: Sealer, port: int) -> None:
        self._loop = asyncio.new_event_loop()
        self._listening = self._loop.run_until_complete(sftp_server.listen(database, own, "127.0.0.1", port))
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        async def end() -> None:
            self._listening.close()
            await self._listening.wait_closed()
            others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture(autouse=True)
def _empty(place: Place) -> None:
    for folder in (place.drop, place.folder / "drop2"):
        for path in folder.iterdir():
            path.unlink()
    rule(place, "marker")


def rule(place: Place, name: str) -> None:
    scheduling.change(place.database, "Springfield", lambda now: replace(now, rule=name))


def until(found: object) -> None:
    end = time.monotonic() + program.TIMEOUT_SECONDS
    while not found():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.02)


def test_files_are_put_renamed_resumed_and_listed_with_a_key(place: Place) -> None:
    done = place.sftp("put *.csv", "rename resources.csv other.csv", "rm other.csv", "ls -1")
    assert done.returncode == 0, done.stderr
    names = {name for name in world.FILES if name != "resources.csv"}
    assert set(done.stdout.split()) >= names
    assert {path.name: path.read_text() for path in place.drop.iterdir()} == {
        name: world.FILES[name] for name in names
    }
    whole = world.FILES["students.csv"]
    (place.drop / "students.csv").write_text(whole[:100])
    assert place.sftp("reput students.csv").returncode == 0
    assert (place.drop / "students.csv").read_text() == whole
    assert {oct(path.stat().st_mode & 0o777) for path in place.drop.glob("te*")} == {"0o600"}


def test_a_password_opens_the_folder_of_its_own_district_only(place: Place) -> None:
    done = place.sftp("put schools.csv", key=None, password=place.password, name="shelbyville")
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (place.folder / "drop2").iterdir()] == ["schools.csv"]
    assert [*place.drop.iterdir()] == []
    for key, password, name in (
        (None, "wrong", "shelbyville"),
        ("wrong", "", NAME),
        (None, "", NAME),
        ("key", "", "nobody"),
    ):
        assert place.sftp("ls", key=key, password=password, name=name).returncode != 0


@pytest.mark.parametrize(
    "line",
    [
        "put schools.csv ../../folder/outside.csv",
        "put schools.csv /etc/outside.csv",
        "put schools.csv .hidden.csv",
        "get ../../rollbook.db",
        "get /etc/passwd",
        "get link",
        "put schools.csv link",
        "symlink /etc/passwd inner",
        "ln schools.csv hard",
        "mkdir folder",
        "cd ..\nget rollbook.db",
    ],
)
def test_nothing_leaves_the_folder(place: Place, line: str) -> None:
    secret = place.folder / "secret"
    secret.write_text("another district's")
    (place.drop / "link").symlink_to(secret)
    assert place.sftp(*line.split("\n")).returncode != 0
    assert secret.read_text() == "another district's"
    assert [path.name for path in place.drop.iterdir()] == ["link"]
    assert not (place.folder.parent / "outside.csv").exists()
    assert not (place.folder / "sis" / "link").exists()


def test_a_client_sets_no_times(place: Place) -> None:
    os.utime(place.folder / "sis" / "schools.csv", (1_000_000_000,) * 2)
    assert place.sftp("put -p schools.csv").returncode == 0
    assert time.time() - (place.drop / "schools.csv").stat().st_mtime < 3600


def test_a_session_that_closes_completes_its_upload(place: Place) -> None:
    rule(place, "closed")
    assert place.sftp("ls").returncode == 0
    assert place.sftp("put *.csv").returncode == 0
    until((place.drop / "complete").exists)
    (number,) = drop_folders.watch(place.database)
    assert number >= 1
    assert [*place.drop.iterdir()] == []


def test_a_session_that_is_cut_off_completes_nothing(place: Place) -> None:
    rule(place, "closed")
    (place.folder / "sis" / "large").write_bytes(os.urandom(4_000_000))
    slow = [*place.command()[:1], "-l", "800", *place.command()[1:]]
    process = subprocess.Popen(
        slow,
        cwd=place.folder / "sis",
        env=place.environment(""),
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin
    process.stdin.write(b"put large\n")
    process.stdin.flush()
    until((place.drop / "large").exists)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    (place.folder / "sis" / "large").unlink()
    # The next session is served, after the end of the one before was seen.
    until(lambda: place.sftp("ls").returncode == 0)
    assert {path.name for path in place.drop.iterdir()} == {"large", ".large.open"}


@pytest.mark.parametrize(("name", "value"), [("FILE_BYTES_MAX", 10), ("FREE_BYTES_MIN", 1 << 60)])
def test_an_upload_that_does_not_fit_fails_and_is_not_complete(
    place: Place, name: str, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule(place, "closed")
    with monkeypatch.context() as small:
        small.setattr(sftp_files, name, value)
        assert place.sftp("-put schools.csv", "-put students.csv").stderr.count("Failure") == 2
    assert place.sftp("ls").returncode == 0  # the session before has ended by then
    assert {path.name for path in place.drop.iterdir()} == {"schools.csv", "students.csv"}
    assert place.sftp("-put schools.csv", "-put students.csv").returncode == 0
    until((place.drop / "complete").exists)


def test_a_file_has_no_size_that_was_never_written(place: Place) -> None:
    folder = object.__new__(sftp_files.DropFolder)
    with (place.drop / "a.csv").open("w+b") as file, pytest.raises(asyncssh.SFTPFailure, match="at most"):
        folder.fsetstat(file, asyncssh.SFTPAttrs(size=1 << 60))
    assert (place.drop / "a.csv").stat().st_size == 0


def test_a_short_write_goes_on(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A nearly full disk may take a part of a block."""
    plain = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, data, at: plain(file, bytes(data)[:100], at))
    assert place.sftp("put students.csv").returncode == 0
    assert (place.drop / "students.csv").read_text() == world.FILES["students.csv"]


def test_an_address_that_fails_too_often_is_turned_away(place: Place) -> None:
    door = Door(place.database)
    for number in range(FAILURES_MAX):
        assert not door.is_shut("10.0.0.1"), number
        door.failed("10.0.0.1")
    assert (door.is_shut("10.0.0.1"), door.is_shut("10.0.0.2")) == (True, False)


class Line:
    """A connection as a login sees it."""

    def __init__(self) -> None:
        self.username, self.is_open = "", True

    def get_extra_info(self, name: str) -> Any:
        return ("10.0.0.1", 22) if name == "peername" else self.username

    def abort(self) -> None:
        self.is_open = False


def login(door: Door, line: Line | None = None) -> tuple[Login, Line]:
    made, line = Login(door), line or Line()
    made.connection_made(cast(Any, line))
    return made, line


def test_a_public_key_without_its_proof_takes_no_session(place: Place) -> None:
    """A stranger with a public key may ask whether it fits. Asking keeps nobody out."""
    door, key = Door(place.database), asyncssh.import_public_key((place.folder / "key.pub").read_text())
    for _ in range(SESSIONS_MAX):
        asking, _ = login(door)
        assert asking.validate_public_key(NAME, key)
        assert asking.folder is None
        assert asking.validate_password("shelbyville", place.password)
    opened = []
    for _ in range(SESSIONS_MAX + 1):
        made, line = login(door)
        line.username = NAME
        assert made.validate_public_key(NAME, key)
        made.auth_completed()
        opened.append((made, line.is_open))
    assert [is_open for _, is_open in opened] == [True] * SESSIONS_MAX + [False]
    for made, _ in opened:
        made.connection_lost(None)
    assert door.sessions == {NAME: 0}


def test_a_login_forgets_the_keys_that_did_not_fit(place: Place) -> None:
    door, key = Door(place.database), asyncssh.import_public_key((place.folder / "key.pub").read_text())
    other = asyncssh.import_public_key((place.folder / "wrong.pub").read_text())
    for _ in range(FAILURES_MAX + 1):
        made, line = login(door)
        line.username = NAME
        assert line.is_open
        assert [made.validate_public_key(NAME, each) for each in (other, key)] == [False, True]
        made.auth_completed()
        made.connection_lost(None)


def greeted(place: Place, held: ExitStack) -> bool:
    """Open a connection that does not log in; whether the server greets it."""
    line = held.enter_context(socket.create_connection(("127.0.0.1", place.port), program.TIMEOUT_SECONDS))
    try:
        return line.recv(4) == b"SSH-"
    except ConnectionResetError:
        return False


def test_an_address_has_a_maximum_of_connections_before_their_login(place: Place) -> None:
    with ExitStack() as held:
        first = ExitStack()
        with first:
            assert greeted(place, first)
            for _ in range(LOGINS_ADDRESS_MAX - 1):
                assert greeted(place, held)
            assert not greeted(place, held)
        end = time.monotonic() + program.TIMEOUT_SECONDS
        while place.sftp("ls").returncode:  # until the server has seen that one is gone
            assert time.monotonic() < end
        assert greeted(place, held), "a session is no login"


def test_all_addresses_together_have_a_maximum_of_logins(place: Place) -> None:
    door = Door(place.database)
    addresses = [f"192.0.2.{number}" for number in range(LOGINS_MAX)]
    assert all(map(door.arrive, addresses))
    assert not door.arrive("192.0.2.250")
    door.leave(addresses[0])
    assert door.arrive("192.0.2.250")


def test_an_account_needs_a_drop_folder_a_name_of_its_own_and_a_key_that_is_one(
    small_database: Database, tmp_path: Path
) -> None:
    districts.create(small_database, "Springfield")
    districts.create(small_database, "Shelbyville")
    with pytest.raises(Refused, match="has no drop folder"):
        sftp_setup.open_account(small_database, "Springfield", "a")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    for district, name in (("Springfield", "a"), ("Shelbyville", "b")):
        scheduling.change(small_database, district, partial(replace, folder=str(tmp_path / name)))
    assert re.fullmatch(r"[\w-]{27}", sftp_setup.open_account(small_database, "Springfield", "a").password)
    with pytest.raises(Conflict, match="belongs to another district"):
        sftp_setup.open_account(small_database, "Shelbyville", "a")
    with pytest.raises(BadSetting, match="account: expected small letters"):
        sftp_setup.open_account(small_database, "Shelbyville", "../b")
    with pytest.raises(BadSetting, match="key: expected a public key"):
        sftp_setup.open_account(small_database, "Shelbyville", "b", ("-----BEGIN OPENSSH PRIVATE KEY-----",))
    sftp_setup.close_account(small_database, "Springfield")
    with pytest.raises(Unknown, match="has no account"):
        sftp_setup.close_account(small_database, "Springfield")


def test_the_server_runs_as_a_command_until_it_is_told_to_end(tmp_path: Path) -> None:
    (tmp_path / "drop").mkdir()
    program.done("district", "create", "Springfield", folder=tmp_path)
    program.done("schedule", "Springfield", "--folder", "drop", folder=tmp_path)
    said = program.done("sftp", "account", "Springfield", "--name", NAME, folder=tmp_path)
    assert re.fullmatch(r"account   springfield\npassword  [\w-]{27}   \(shown once\)\n", said)
    with program.serving("sftp", "serve", folder=tmp_path, wait=False) as server:
        assert server.printed_line("Host key: ssh-ed25519 ")
        server.stop()
        assert server.process.returncode == 0
    assert (
        program.done("sftp", "account", "Springfield", "--remove", folder=tmp_path)
        == "the account is dropped\n"
    )

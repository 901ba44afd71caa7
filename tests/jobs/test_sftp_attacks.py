"""Accounts of the SFTP server that do harm, by malice or by a fault: half files, many handles, odd names, floods."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncssh
import orjson
import pytest

from rollbook.jobs import sftp_files
from rollbook.jobs.sftp_files import CHANNELS_MAX, HANDLES_MAX, LISTINGS_MAX, READ_BYTES_MAX, UNSENT_BYTES_MAX
from rollbook.jobs.sftp_logins import LOGINS_ADDRESS_MAX, Door
from rollbook.operations import drop_folders, scheduling
from tests import world
from tests.jobs.test_sftp_server import NAME, Line, Place, login, place, rule, until
from tests.journeys import program

__all__ = ("place",)
pytestmark = pytest.mark.needs("sftp", "ssh-keygen", package="openssh-client")


@asynccontextmanager
async def connected(place: Place) -> AsyncIterator[asyncssh.SSHClientConnection]:
    key = str(place.folder / "key")
    async with asyncssh.connect(
        "127.0.0.1", place.port, username=NAME, client_keys=[key], known_hosts=None, config=None
    ) as line:
        yield line


def by_client(place: Place, act: Callable[[asyncssh.SFTPClient], Awaitable[None]]) -> None:
    """Do something in one session that ends well."""

    async def run() -> None:
        async with connected(place) as line, line.start_sftp_client() as client:
            await act(client)

    asyncio.run(run())


@pytest.fixture(autouse=True)
def _empty(place: Place) -> None:
    for path in place.drop.iterdir():
        path.unlink()
    rule(place, "marker")


def names(place: Place) -> set[str]:
    return {path.name for path in place.drop.iterdir()}


async def cut(place: Place, name: str, text: bytes = b"half") -> None:
    """Write a part of a file, and go without closing it."""
    async with connected(place) as line:
        client = await line.start_sftp_client()
        file = await client.open(name, "wb")
        await file.write(text)
        line.abort()


def next_step(place: Place) -> str:
    return next(night.next_step for night in scheduling.nights(place.database) if night.name == "Springfield")


@pytest.mark.parametrize("chosen", ["marker", "closed"])
def test_half_a_file_is_no_part_of_a_complete_upload_until_it_is_uploaded_again(
    place: Place, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule(place, chosen)
    monkeypatch.setattr(scheduling, "UNFINISHED_SECONDS", -1)
    asyncio.run(cut(place, "students.csv"))
    (place.drop / "complete").touch()
    assert drop_folders.watch(place.database) == []
    assert next_step(place) == (
        "An upload was cut off: students.csv did not come to its end. Ask the district to upload again."
    )
    assert place.sftp("put *.csv", "put schools.csv complete").returncode == 0
    until(lambda: ".students.csv.open" not in names(place))
    assert len(drop_folders.watch(place.database)) == 1
    assert names(place) == set()


def test_a_file_that_another_session_still_writes_is_not_taken(place: Place) -> None:
    async def write(client: asyncssh.SFTPClient) -> None:
        async with client.open("students.csv", "wb") as file:
            await file.write(b"half")
            assert (await asyncio.to_thread(place.sftp, "put schools.csv complete")).returncode == 0
            assert await asyncio.to_thread(drop_folders.watch, place.database) == []

    by_client(place, write)
    until(lambda: ".students.csv.open" not in names(place))
    assert len(drop_folders.watch(place.database)) == 1


def test_an_older_connection_that_dies_later_does_not_spoil_the_whole_file(place: Place) -> None:
    """After a broken line, the client comes back before the server has seen the end of its first connection."""

    async def run() -> None:
        async with connected(place) as old:
            client = await old.start_sftp_client()
            file = await client.open("students.csv", "wb")
            await file.write(b"half")
            assert (await asyncio.to_thread(place.sftp, "put students.csv")).returncode == 0
            old.abort()

    asyncio.run(run())
    until(lambda: place.sftp("ls").returncode == 0)
    assert names(place) == {"students.csv"}
    assert (place.drop / "students.csv").read_text() == world.FILES["students.csv"]


def test_a_mark_goes_with_its_file(place: Place) -> None:
    asyncio.run(cut(place, "a.csv"))
    asyncio.run(cut(place, "b.csv"))
    until(lambda: names(place) == {"a.csv", ".a.csv.open", "b.csv", ".b.csv.open"})
    assert place.sftp("rename a.csv c.csv", "rm b.csv").returncode == 0
    assert names(place) == {"c.csv", ".c.csv.open"}
    assert place.sftp("put schools.csv d.csv", "rename d.csv c.csv").returncode == 0
    assert names(place) == {"c.csv"}

    async def renamed_while_open(client: asyncssh.SFTPClient) -> None:
        async with client.open("e.csv", "wb") as file:
            await client.rename("e.csv", "f.csv")
            await file.write(b"whole")

    by_client(place, renamed_while_open)
    until(lambda: names(place) == {"c.csv", "f.csv"})


def test_a_folder_that_vanishes_or_an_open_that_fails_leaves_no_mark(place: Place) -> None:
    (place.drop / "folder").mkdir()
    for line in ("put schools.csv folder", "reput missing.csv", "rename / x.csv", "rename schools.csv /"):
        assert place.sftp(line).returncode != 0
    (place.drop / "folder").rmdir()
    assert names(place) == set()


def test_sizes_and_numbers_have_a_maximum(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    async def attack(client: asyncssh.SFTPClient) -> None:
        opened = [await client.open("students.csv", "wb") for _ in range(HANDLES_MAX)]
        with pytest.raises(asyncssh.SFTPFailure, match=f"at most {HANDLES_MAX} open files"):
            await client.open("students.csv", "rb")
        await opened[0].truncate(1 << 33)
        for file in opened:
            await file.close()
        async with client.open("students.csv", "rb", block_size=0) as file:
            assert len(await file.read(0xFFFF_FFFF)) == READ_BYTES_MAX
        with pytest.raises(asyncssh.SFTPError):
            await client.open("x" * 255, "wb")
        monkeypatch.setattr(drop_folders, "FILES_MAX", 1)
        with pytest.raises(asyncssh.SFTPFailure, match="at most 1 files"):
            await client.open("b.csv", "wb")
        await (await client.open("students.csv", "wb")).close()

    by_client(place, attack)
    until(lambda: names(place) == {"students.csv"})


def test_only_an_open_for_writing_makes_or_empties_a_file(place: Place) -> None:
    """Otherwise an account would make files without number, and empty one without a mark."""

    async def attack(client: asyncssh.SFTPClient) -> None:
        with pytest.raises(asyncssh.SFTPNoSuchFile):
            await client.open("a.csv", asyncssh.FXF_READ | asyncssh.FXF_CREAT)
        async with client.open("b.csv", "wb") as file:
            await file.write(b"whole")
        async with client.open("b.csv", asyncssh.FXF_READ | asyncssh.FXF_TRUNC, encoding=None) as file:
            assert len(await file.read()) == len(b"whole")

    by_client(place, attack)
    assert names(place) == {"b.csv"}


def test_listings_have_a_maximum_and_a_closed_one_makes_room(place: Place) -> None:
    async def attack(client: asyncssh.SFTPClient) -> None:
        handler = client._handler
        opened = [await handler.opendir(b"/") for _ in range(LISTINGS_MAX)]
        with pytest.raises(asyncssh.SFTPFailure, match=f"at most {LISTINGS_MAX} open listings"):
            await handler.opendir(b"/")
        await handler.close(opened[0])
        await handler.opendir(b"/")

    by_client(place, attack)


def test_a_connection_that_opens_too_many_channels_is_ended(place: Place) -> None:
    async def run() -> None:
        async with connected(place) as line:
            for _ in range(2):  # a channel that ends makes room
                held = [await line.start_sftp_client() for _ in range(CHANNELS_MAX)]
                for client in held:
                    client.exit()
                    await client.wait_closed()
            held = [await line.start_sftp_client() for _ in range(CHANNELS_MAX)]
            with pytest.raises((asyncssh.Error, OSError)):
                await line.start_sftp_client()
            await line.wait_closed()

    asyncio.run(asyncio.wait_for(run(), program.TIMEOUT_SECONDS))
    assert place.sftp("ls").returncode == 0


def test_a_client_that_asks_without_taking_waits(tmp_path: Path) -> None:
    class Channel:
        unsent, asked = UNSENT_BYTES_MAX + 1, 0

        def get_write_buffer_size(self) -> int:
            self.asked += 1
            return self.unsent if self.asked < 3 else 0

        def is_closing(self) -> bool:
            return False

    folder: Any = object.__new__(sftp_files.DropFolder)
    folder._channel = channel = Channel()
    (tmp_path / "a").write_bytes(b"text")
    with (tmp_path / "a").open("rb") as file:
        assert asyncio.run(folder.read(file, 1, 2)) == b"ex"
    assert channel.asked == 3

    async def listed() -> list[Any]:
        return [name.filename async for name in folder._listing(b"/")]

    folder._folder, channel.asked = os.fsencode(tmp_path), 0
    assert asyncio.run(listed()) == [b"a"]
    assert channel.asked == 3


@pytest.mark.parametrize(
    "name", [b"\xff\xfe.csv", "\u202egnp.csv".encode(), b"a\nb.csv", b"' ; rm -rf.csv", b"-rf"]
)
def test_odd_names_stop_nothing(place: Place, name: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    async def write(client: asyncssh.SFTPClient) -> None:
        async with client.open(name, "wb") as file:
            await file.write(b"x")

    by_client(place, write)
    monkeypatch.setattr(scheduling, "UNFINISHED_SECONDS", -1)
    assert "1 files lie in the drop folder" in next_step(place)
    (place.drop / os.fsdecode(b"." + name + b".open")).touch()
    assert "did not come to its end" in next_step(place)
    orjson.dumps(next_step(place))
    said = program.run("night", "--json", folder=place.folder)
    assert (orjson.loads(said.stdout)["districts"] != [], said.stderr) == (True, "")
    (place.drop / os.fsdecode(b"." + name + b".open")).unlink()
    (place.drop / "complete").touch()
    assert len(drop_folders.watch(place.database)) == 1
    assert names(place) == set()


def test_addresses_of_one_ipv6_network_count_as_one(place: Place) -> None:
    door = Door(place.database)

    class Line6(Line):
        def get_extra_info(self, name: str) -> Any:
            return (f"2001:db8::{next(numbers):x}", 22, 0, 0) if name == "peername" else self.username

    numbers = iter(range(1, 100))
    opened = []
    for _ in range(LOGINS_ADDRESS_MAX + 1):
        _, line = login(door, Line6())
        opened.append(line.is_open)
    assert opened == [True] * LOGINS_ADDRESS_MAX + [False]

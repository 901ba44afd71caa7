"""An interrupted pull continues where it stopped, and a pull that mixes two states is repeated."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from rollbook.clone import pull
from rollbook.errors import Busy, RemoteTrouble
from rollbook.store.district import districts
from rollbook.store.engine.database import Database
from tests.clone.conftest import Copy
from tests.clone.stub import DISTRICT, TOKEN, Reply, Stub, id_of

DIES = Reply(500)
Broken = Callable[[int], None]


@pytest.fixture
def broken(clone: Copy, source: Stub) -> Broken:
    """A clone that dies after a number of requests, from a server with small pages; the server then works
    again."""
    source.limit_max = 100
    source.put("users", *({"id": id_of(10_000 + number), "roles": {"student": {}}} for number in range(350)))

    def run(requests: int) -> None:
        source.answer = lambda number, _: DIES if number >= requests else None
        with pytest.raises(RemoteTrouble, match="run the command again to go on from here"):
            clone()
        source.answer = lambda _, __: None
        source.requests.clear()

    return run


def folders(tmp_path: Path) -> list[Path]:
    return list(tmp_path.glob(f"{pull.PREFIX}*"))


def reads(source: Stub) -> list[str]:
    """The requests for records, without those for the district's status."""
    return [
        path
        for path in source.requests
        if not any(part in path for part in ("/districts", "/events", "count=true"))
    ]


@pytest.mark.parametrize("requests", [4, 7, 10, 13, 15, 17, 19, 21])
def test_a_broken_clone_goes_on_without_asking_for_the_pages_it_has(
    requests: int, broken: Broken, clone: Copy, source: Stub, sqlite: Database, tmp_path: Path
) -> None:
    broken(requests)
    kept = [path.name for folder in folders(tmp_path) for path in folder.glob("*.jsonl.gz")]
    assert districts.list_all(sqlite) == []
    assert clone().kinds["students"].created == 356
    for name in pull.LISTS:
        asked = [
            path
            for path in reads(source)
            if path.startswith(f"/v3.0/{name}?") and "limit=100" in path.split("&")[0]
        ]
        small = [path for path in asked if "limit=100&" in f"{path}&"]
        there = sum(page.startswith(f"{name}-") for page in kept)
        assert len(small) == (4 if name == "users" else 1) - there
    assert folders(tmp_path) == []


def test_what_is_kept_is_its_owners_alone_and_does_not_hold_the_token(broken: Broken, tmp_path: Path) -> None:
    broken(12)
    (folder,) = folders(tmp_path)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert TOKEN not in folder.name
    assert {TOKEN.encode() in path.read_bytes() for path in folder.iterdir()} == {False}


def test_a_clone_after_an_hour_starts_over(broken: Broken, clone: Copy, source: Stub, tmp_path: Path) -> None:
    broken(14)
    (folder,) = folders(tmp_path)
    past = (folder / "reading.json").stat().st_mtime - pull.KEPT_SECONDS - 1
    os.utime(folder / "reading.json", (past, past))
    clone()
    assert reads(source)[0].startswith("/v3.0/schools")


def test_fresh_starts_over(broken: Broken, clone: Copy, source: Stub) -> None:
    broken(14)
    clone(is_fresh=True)
    assert reads(source)[0].startswith("/v3.0/schools")


def test_another_token_does_not_go_on_with_what_this_one_may_see(
    broken: Broken, clone: Copy, source: Stub
) -> None:
    broken(14)
    clone(token="another")
    assert reads(source)[0].startswith("/v3.0/schools")


def test_what_cannot_be_read_any_more_is_dropped(
    broken: Broken, clone: Copy, source: Stub, tmp_path: Path
) -> None:
    broken(14)
    (folder,) = folders(tmp_path)
    (folder / "reading.json").write_bytes(b"{")
    assert clone().kinds["students"].created == 356


def test_leftovers_that_nobody_went_on_with_are_swept(broken: Broken, clone: Copy, tmp_path: Path) -> None:
    broken(14)
    (folder,) = folders(tmp_path)
    os.utime(folder / "reading.json", (0, 0))
    clone(token="another")
    assert folders(tmp_path) == []


def test_two_clones_of_one_token_at_once_are_refused(clone: Copy, source: Stub, tmp_path: Path) -> None:
    with (
        pull.folder(tmp_path, source.address, TOKEN, is_fresh=False),
        pytest.raises(Busy, match="another clone"),
    ):
        clone()


def test_a_source_that_syncs_meanwhile_is_read_again(clone: Copy, source: Stub) -> None:
    def sync_once(number: int, path: str) -> None:
        if path.startswith("/v3.0/sections?limit") and not moved:
            moved.append(number)
            source.put(
                "districts", {"id": DISTRICT, "name": "Springfield", "last_sync": "2026-11-02T06:00:00.000Z"}
            )
            source.put("users", {"id": id_of(7_000), "roles": {"student": {}}})

    moved: list[int] = []
    source.answer = sync_once
    assert clone().kinds["students"].created == 7
    assert len([path for path in source.requests if path.startswith("/v3.0/users?limit")]) == 2


def test_a_new_event_alone_says_that_the_source_has_moved(clone: Copy, source: Stub) -> None:
    def publish_once(_: int, path: str) -> None:
        if path.startswith("/v3.0/users?limit") and not source.records["events"]:
            source.put("events", {"id": id_of(99), "type": "users.updated"})

    source.answer = publish_once
    clone()
    assert len([path for path in source.requests if path.startswith("/v3.0/users?limit")]) == 2


def test_a_source_that_never_rests_is_told_after_three_readings(
    clone: Copy, source: Stub, sqlite: Database
) -> None:
    def sync_always(number: int, path: str) -> None:
        if path.startswith("/v3.0/users?limit"):
            source.put(
                "districts",
                {"id": DISTRICT, "name": "Springfield", "last_sync": f"2026-11-02T06:00:00.{number:03}Z"},
            )

    source.answer = sync_always
    with pytest.raises(RemoteTrouble, match="changed there during each of 3 readings"):
        clone()
    assert len([path for path in source.requests if path.startswith("/v3.0/users?limit")]) == 3
    assert districts.list_all(sqlite) == []


def test_a_resumed_clone_notices_that_the_source_moved_in_between(
    broken: Broken, clone: Copy, source: Stub
) -> None:
    broken(14)
    source.put("districts", {"id": DISTRICT, "name": "Springfield", "last_sync": "2026-11-02T06:00:00.000Z"})
    source.put("schools", {"id": id_of(1), "name": "Springfield Upper"})
    done = clone()
    assert {sample["label"] for sample in done.samples if sample["kind"] == "schools"} == {
        "Springfield Upper"
    }


def test_progress_tells_each_list_and_how_much_there_is(clone: Copy, source: Stub) -> None:
    told: list[tuple[str, int, int | None]] = []
    clone(progress=lambda *step: told.append(step))
    assert [step for step in told if step[0] == "users"] == [("users", 0, 8), ("users", 8, 8)]
    assert {name for name, _, _ in told} == {*pull.LISTS, "resources.courses"}

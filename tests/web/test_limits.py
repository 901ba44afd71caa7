"""The rate limit: a fixed window for each token, counted over threads and processes, and its form over
HTTP."""

from __future__ import annotations

import fcntl
import multiprocessing
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rollbook.contract.clever.query import Query
from rollbook.domain.access import Access
from rollbook.domain.snapshot_names import SnapshotName
from rollbook.errors import TooManyRequests
from rollbook.store.engine import shared_counters
from rollbook.store.engine.shared_counters import SharedTable
from rollbook.web.data.pinned_pulls import Pins
from rollbook.web.http.rate_limit import SLOTS, RateLimit
from tests.journeys.hub import Client, Hub

NAMES = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "x-ratelimit-bucket")


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 1_000_000.25

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rate_limit(tmp_path: Path, clock: Clock) -> Iterator[RateLimit]:
    """Three requests in sixty seconds."""
    opened = RateLimit(tmp_path / "limits", 3, 60, clock)
    yield opened
    opened.close()


def taken(rate_limit: RateLimit, bucket: str = "a") -> tuple[int, int, bool]:
    """Remaining, reset, and whether the request is refused."""
    allowance = rate_limit.take(bucket)
    assert allowance is not None
    return allowance.remaining, allowance.reset, allowance.is_exceeded


# --- the window -----------------------------------------------------------------------------------------------------------


def test_a_window_counts_down_to_its_limit_and_then_refuses(rate_limit: RateLimit) -> None:
    reset = 1_000_060
    assert [taken(rate_limit) for _ in range(5)] == [
        (2, reset, False),
        (1, reset, False),
        (0, reset, False),
        (-1, reset, True),
        (-1, reset, True),
    ]


def test_a_window_is_opened_by_its_first_request_and_does_not_move(
    rate_limit: RateLimit, clock: Clock
) -> None:
    assert taken(rate_limit) == (2, 1_000_060, False)
    clock.now += 59.5
    assert [taken(rate_limit) for _ in range(3)][-1] == (-1, 1_000_060, True)
    clock.now += 0.4999
    assert taken(rate_limit) == (-1, 1_000_060, True)
    clock.now += 0.0001
    assert taken(rate_limit) == (2, 1_000_120, False)
    clock.now += 3600.5
    assert taken(rate_limit) == (2, 1_003_720, False)


def test_each_bucket_has_a_window_of_its_own(rate_limit: RateLimit) -> None:
    assert [taken(rate_limit, "a")[0] for _ in range(4)] == [2, 1, 0, -1]
    assert [taken(rate_limit, "b")[0] for _ in range(4)] == [2, 1, 0, -1]


def test_without_a_limit_nothing_is_counted(tmp_path: Path) -> None:
    unlimited = RateLimit(tmp_path / "limits", 0, 60)
    assert [unlimited.take("a") for _ in range(3)] == [None] * 3
    unlimited.close()


def test_a_clock_that_is_set_back_ends_the_window_instead_of_stretching_it(
    rate_limit: RateLimit, clock: Clock
) -> None:
    assert [taken(rate_limit)[0] for _ in range(4)] == [2, 1, 0, -1]
    clock.now -= 3600
    assert taken(rate_limit) == (2, 996_460, False)


# --- shared ---------------------------------------------------------------------------------------------------------------


def test_threads_never_count_past_each_other(tmp_path: Path) -> None:
    limit, each, threads = 8_000, 3_000, 4
    shared = RateLimit(tmp_path / "limits", limit, 3600)
    allowed: list[int] = []
    start = threading.Barrier(threads)

    def hammer() -> None:
        start.wait()
        allowed.append(sum(not taken(shared)[2] for _ in range(each)))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        running = [threading.Thread(target=hammer) for _ in range(threads)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
        shared.close()
    assert sum(allowed) == limit


def _hammer(path: Path, limit: int, each: int, start: object, results: object) -> None:
    """One worker process; the arguments are a Barrier and a Queue, which have no public types."""
    rate_limit = RateLimit(path, limit, 3600)
    start.wait()  # type: ignore[attr-defined]
    results.put(sum(not taken(rate_limit)[2] for _ in range(each)))  # type: ignore[attr-defined]
    rate_limit.close()


def test_processes_share_one_window_to_the_request(tmp_path: Path) -> None:
    limit, each, workers = 4_000, 2_500, 2
    spawn = multiprocessing.get_context("spawn")
    start, results = spawn.Barrier(workers), spawn.Queue()
    running = [
        spawn.Process(target=_hammer, args=(tmp_path / "limits", limit, each, start, results))
        for _ in range(workers)
    ]
    for process in running:
        process.start()
    allowed = [results.get(timeout=60) for _ in running]
    for process in running:
        process.join()
    assert sum(allowed) == limit
    assert all(allowed)


def test_a_crowd_of_pulls_does_not_make_the_limit_forget(tmp_path: Path, rate_limit: RateLimit) -> None:
    # A pull notes where it began. A client that reads the lists of everyone in a large district leaves many
    # such notes.
    pins, access = Pins(tmp_path / "pulls"), Access(1, "d", 1, 1, "c", ())
    buckets = [f"token {number}" for number in range(50)]
    assert {taken(rate_limit, bucket)[0] for bucket in buckets} == {2}
    for number in range(SLOTS * 2):
        pins.note(
            access,
            f"/v3.0/users/{number}/sections",
            Query(),
            [("starting_after", "x")],
            SnapshotName(1, "0badcafe"),
        )
    pins.close()
    assert {taken(rate_limit, bucket)[0] for bucket in buckets} == {1}


# --- over HTTP ------------------------------------------------------------------------------------------------------------


def test_every_counted_answer_says_what_is_left(synced_hub: Hub) -> None:
    client = synced_hub.client(synced_hub.connect(), rate_limit=100)
    began = time.time()
    tag = client.get("/v3.0/schools").headers["etag"]
    answers = [
        client.get("/v3.0/users"),
        client.get("/v3.0/schools", if_none_match=tag),
        client.get(f"/v3.0/users/{'5f' * 12}"),
        client.get("/v3.0/users/x"),
        client.get("/v3.0/users?limit=x"),
        client.get("/v3.0/users?limit=10001"),
        client.get("/v3.0/nothing"),
        client.request("POST", "/v3.0/users"),
        client.request("HEAD", "/v3.0/users"),
    ]
    assert [answer.status_code for answer in answers] == [200, 304, 404, 404, 400, 413, 404, 404, 200]
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == [
        str(left) for left in range(98, 89, -1)
    ]
    assert {tuple(answer.headers[name] for name in NAMES[::3]) for answer in answers} == {("100", "bearer")}
    (reset,) = {int(answer.headers["x-ratelimit-reset"]) for answer in answers}
    assert int(began) + 60 <= reset <= time.time() + 60


def test_what_is_not_counted_says_nothing_of_a_limit(synced_hub: Hub) -> None:
    token = synced_hub.connect()
    client, stranger = synced_hub.client(token, rate_limit=2), synced_hub.client(rate_limit=2)
    free = [
        *(client.request("OPTIONS", "/v3.0/users") for _ in range(5)),
        *(client.get("/oauth/tokeninfo") for _ in range(5)),
        *(client.get("/openapi.json") for _ in range(2)),
        *(stranger.get("/v3.0/users") for _ in range(5)),
        *(stranger.get("/v3.0/nothing") for _ in range(5)),
    ]
    assert not any(name in answer.headers for answer in free for name in NAMES)
    assert client.get("/v3.0/users").headers["x-ratelimit-remaining"] == "1"


def test_beyond_the_limit_every_path_answers_429_with_nothing_in_it(synced_hub: Hub) -> None:
    token = synced_hub.connect()
    client = synced_hub.client(token, rate_limit=2)
    assert [client.get("/v3.0/users").status_code for _ in range(3)] == [200, 200, 429]
    reset = client.get("/v3.0/users").headers["x-ratelimit-reset"]
    for path in ("/v3.0/users", "/v3.0/nothing", "/v3.0/users?limit=x", "/v3.0/users/x"):
        answer = client.get(path)
        assert (path, 429, b"", "0") == (
            path,
            answer.status_code,
            answer.content,
            answer.headers["content-length"],
        )
        assert [answer.headers[name] for name in NAMES] == ["2", "0", reset, "bearer"]
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "retry-after" not in answer.headers
    other = synced_hub.client(synced_hub.connect("read:ell_status"), rate_limit=2)
    assert other.get("/v3.0/users").status_code == 200


def test_the_published_limit_is_the_default(town: Hub, token: str) -> None:
    default = town.client(token, rate_limit=1200)
    assert int(default.get("/v3.0/users").headers["x-ratelimit-limit"]) == 1200


def test_without_a_limit_there_are_no_such_headers(reader: Client) -> None:
    assert not any(name in reader.get("/v3.0/users").headers for name in NAMES)


def test_a_request_is_admitted_with_what_is_left_or_refused_with_when_to_go_on(tmp_path: Path) -> None:
    rate_limit = RateLimit(tmp_path / "limits", 1, 60, lambda: 1_000.0)
    left = (
        (b"x-ratelimit-limit", b"1"),
        (b"x-ratelimit-remaining", b"0"),
        (b"x-ratelimit-reset", b"1060"),
        (b"x-ratelimit-bucket", b"bearer"),
    )
    assert rate_limit.admit("a") == left
    with pytest.raises(TooManyRequests, match="Too many requests") as refused:
        rate_limit.admit("a")
    assert refused.value.headers == left
    assert rate_limit.uncounted().admit("a") == ()
    rate_limit.close()


def test_bytes_that_look_like_a_key_elsewhere_in_a_slot_are_no_key(tmp_path: Path) -> None:
    """A number may hold the very bytes by which another key is found."""
    table = SharedTable(tmp_path / "table", SLOTS)
    digest, first = shared_counters._place("a", SLOTS)
    # The slot before the key's own holds its digest as a number.
    neighbour = b"neighbor"
    shared_counters._SLOT.pack_into(
        table._table, first * shared_counters._SLOT.size, neighbour, 2e9, int.from_bytes(digest, "little")
    )
    assert table.read("a") == (0.0, 0)
    assert table.change("a", lambda until, number: (1e9, number + 1)) == (1e9, 1)
    assert table.read("a") == (1e9, 1)
    table.close()


def test_a_table_of_one_process_locks_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locked: list[int] = []
    monkeypatch.setattr(fcntl, "lockf", lambda _, how, *__: locked.append(how))
    for is_shared, locks in ((True, 2), (False, 0)):
        table = SharedTable(tmp_path / "table", SLOTS, is_shared=is_shared)
        assert table.change("a", lambda _, number: (2e9, number + 1))[1] == 1 + (not is_shared)
        assert len(locked) == locks
        table.put(("b", "c"), (3e9, 7))
        assert (table.read("b"), table.read("c"), len(locked)) == ((3e9, 7), (3e9, 7), 2 * locks)
        table.close()
        locked.clear()

"""The client: the cost of a full pull compared with decoding the same JSON, and of a catch-up compared with a
pull."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import msgspec

from bench import demo, tables
from bench.load import Load
from bench.processes import ROLLBOOK, free_port, started
from bench.tables import Target, number
from rollbook.client import Client, MemoryCopy, SqliteCopy, User
from rollbook.client.local_copies import LocalCopy
from rollbook.demo.published import DISTRICT_TOKEN

# Gives about 100,000 users.
STUDENTS = 40_000
# How long making a demo of this size may take on a busy machine.
MAKING_SECONDS = 400
BEARER = {"Authorization": f"Bearer {DISTRICT_TOKEN}"}


def measure(repeats: int, students: int = STUDENTS) -> None:
    """Print the table of this part."""
    with tempfile.TemporaryDirectory(prefix="rollbook-bench-") as name:
        folder, port = Path(name), free_port()
        command = (ROLLBOOK, "demo", "--students", str(students), "--folder", f"{name}/demo")
        with started((*command, "--port", str(port)), {"ROLLBOOK_RATE_LIMIT": "0"}):
            demo.wait_for_page(Load(port, [], BEARER), MAKING_SECONDS)
            _show(f"http://127.0.0.1:{port}", folder, repeats)


def _show(base: str, folder: Path, repeats: int) -> None:
    with Client(base, DISTRICT_TOKEN) as client, httpx.Client(timeout=600) as http:
        bodies = _bodies(base, http)
        memory, file = MemoryCopy(), SqliteCopy(folder / "copy.db")
        full: dict[str, float] = {
            "a full pull of users, as records": _cpu(repeats, lambda: _read(client)),
            "the same, into a copy in memory": _cpu(repeats, lambda: client.pull(MemoryCopy(), [User])),
            "the same, into a copy in a file": _cpu(repeats, lambda: _pull_anew(client, folder)),
        }
        decoding = _cpu(repeats, lambda: _decode(bodies))
        users = sum(len(page.records) for page in client.pages(User))
        for copy in (memory, file):
            client.pull(copy, [User])
        answer = http.post(f"{base}/demo/advance", json={"days": 1}, headers=BEARER)
        answer.raise_for_status()
        # A catch-up happens once: a second one has nothing to do.
        nights = {
            "a catch-up after one night, in memory": _once(client, memory),
            "the same, in a file": _once(client, file),
        }
        file.close()
    pull = full["a full pull of users, as records"]
    rows = [
        *((name, spent, spent / decoding, "decoding", Target("at most", 2)) for name, spent in full.items()),
        *((name, spent, spent / pull, "the pull", Target("at most", 0.02)) for name, spent in nights.items()),
    ]
    print(f"\n{users:,} users in pages of 10,000; decoding their JSON costs {decoding * 1000:.1f} ms of CPU.")
    tables.show(
        "What reading costs a program with the client",
        ("what", "CPU ms", "beside", "ratio", "target", "is"),
        (
            (name, number(spent * 1000), beside, number(ratio), *tables.verdict(ratio, target))
            for name, spent, ratio, beside, target in rows
        ),
    )


def _bodies(base: str, http: httpx.Client) -> list[bytes]:
    """The pages, as they come."""
    found, path = [], "/v3.0/users?limit=10000"
    while path:
        answer = http.get(base + path, headers=BEARER)
        found.append(answer.content)
        path = next((link["uri"] for link in answer.json()["links"] if link["rel"] == "next"), "")
    return found


def _decode(bodies: list[bytes]) -> None:
    for body in bodies:
        assert msgspec.json.decode(body)


def _read(client: Client) -> None:
    for page in client.pages(User):
        assert page.records


def _pull_anew(client: Client, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as place, SqliteCopy(Path(place) / "copy.db") as copy:
        client.pull(copy, [User])


def _once(client: Client, copy: LocalCopy) -> float:
    began = time.process_time()
    update = client.update(copy)
    spent = time.process_time() - began
    assert update.how == "events", update
    return spent


def _cpu(repeats: int, work: Callable[[], object]) -> float:
    """The median of this program's CPU seconds for the work."""
    spent = []
    for _ in range(repeats):
        began = time.process_time()
        work()
        spent.append(time.process_time() - began)
    return statistics.median(spent)

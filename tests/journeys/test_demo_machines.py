"""Two machines with folders of their own have one demo, over one PostgreSQL: no day passes twice, and both show the
same faults."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from rollbook import settings as setting_rows
from rollbook.demo import advance as moves
from rollbook.demo import build, published
from rollbook.demo.advance import advance
from rollbook.demo.serving import Demo
from rollbook.errors import Busy
from rollbook.operations import backing_up
from rollbook.settings import Settings
from rollbook.store.accounts import connections
from rollbook.store.district import demo_state
from rollbook.store.engine.database import open_database
from rollbook.synthetic import writer
from rollbook.web.app import App
from tests.demos import BEARER

STUDENTS = 60
Machine = tuple[Path, Settings]


@pytest.fixture
def machines(database_address: str, tmp_path: Path) -> list[Machine]:
    """A demo that was copied into PostgreSQL, and two machines with the same key."""
    made = tmp_path / "made"
    build.prepare(made, "#DEMO Elm", STUDENTS, 1, "http://127.0.0.1:8400")
    backing_up.copy_database(str(made / "rollbook.db"), database_address)
    found = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        key = shutil.copy(made / "rollbook.db.key", folder / "key")
        found.append((folder, setting_rows.read({}, database=database_address, key_file=str(key))))
    return found


def days(machine: Machine) -> list[int]:
    """The day after each run of the demo's district, oldest first."""
    with closing(open_database(machine[1].database)) as database, database.read() as transaction:
        access = connections.resolve(transaction, published.DISTRICT_TOKEN, in_demo=True)
        assert access
        told = demo_state.moves(transaction, access, 99)
    return [run.after.day for run in reversed(told) if run.after]


@pytest.mark.parametrize("database_address", ["postgresql"], indirect=True)
def test_machines_that_take_turns_or_come_at_once_pass_each_day_once(
    machines: list[Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = machines
    for machine in (one, two):
        advance(machine[0], "1", machine[1])
    assert days(one) == [0, 1, 2]

    def meanwhile(*arguments: Any, **more: Any) -> Any:
        """The other machine passes the same night, between this one's look at the day and its sync."""
        monkeypatch.undo()
        advance(two[0], "1", two[1])
        return writer.write(*arguments, **more)

    monkeypatch.setattr(moves, "writer", SimpleNamespace(write=meanwhile))
    with pytest.raises(Busy, match="moved by another machine"):
        advance(one[0], "1", one[1])
    assert days(one) == [0, 1, 2, 3]
    advance(one[0], "1", one[1])
    assert days(two) == [0, 1, 2, 3, 4]


@contextmanager
def served(machine: Machine) -> Iterator[App]:
    folder, settings = machine
    facts = Demo(published.DISTRICT_TOKEN, published.BASIC, "#DEMO Elm")
    with closing(open_database(settings.database)) as database:
        app = App(database, settings, limits=folder / "limits", extend=facts.extend)
        try:
            yield app
        finally:
            app.close()


def client_of(app: App) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8400", headers=BEARER)


@pytest.mark.parametrize("database_address", ["postgresql"], indirect=True)
def test_two_servers_of_one_demo_show_and_obey_the_same_faults(machines: list[Machine]) -> None:
    fault = {"fault": "server-error", "path": "/v3.0/users", "requests": 5}

    async def play(one: httpx.AsyncClient, other: httpx.AsyncClient) -> None:
        asked = (await one.post("/demo/faults", json=fault)).json()
        assert asked == {**fault, "id": "1"}
        await other.post("/demo/faults", json={"fault": "slow", "path": "/v3.0/events"})
        shown = [(await server.get("/demo/faults")).json()["faults"] for server in (one, other)]
        assert shown[0] == shown[1]
        assert [row["fault"] for row in shown[0]] == ["server-error", "slow"]

        # Both machines take requests at once, and exactly five of them fail.
        answers = await asyncio.gather(*(side.get("/v3.0/users?limit=1") for side in (one, other) * 6))
        assert sorted(answer.status_code for answer in answers) == [200] * 7 + [500] * 5
        assert [row["fault"] for row in (await one.get("/demo/faults")).json()["faults"]] == ["slow"]

        assert (await other.delete("/demo/faults/9")).status_code == 404
        assert (await other.delete("/demo/faults")).json() == {"faults": []}
        assert (await one.get("/demo/faults")).json() == {"faults": []}

        moved = await one.post("/demo/advance", json={"days": 1})
        assert [run["day"] for run in moved.json()["runs"]] == [1]
        refused = await one.post("/demo/save", json={"name": "before"})
        assert (refused.status_code, refused.json()["message"]) == (
            409,
            "this demo is in a database server, so it has no saves; `rollbook backup` writes it into a file",
        )

    async def both() -> None:
        async with client_of(one) as first, client_of(other) as second:
            await play(first, second)

    with served(machines[0]) as one, served(machines[1]) as other:
        asyncio.run(both())
    assert days(machines[1]) == [0, 1]

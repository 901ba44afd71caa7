"""Two servers that share nothing but a PostgreSQL: no limit counts twice, no pull tears, no code is used twice, and a
person who signs out at one is signed out at the other."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from rollbook import sync
from rollbook.settings import key_path
from rollbook.store.district import districts
from rollbook.store.engine.database import open_database
from rollbook.store.engine.keys import Sealer
from rollbook.store.engine.shared_counts import SharedCounts
from rollbook.sync import How
from tests.roster import world as small_world
from tests.sso import FILES, STUDENTS, Browser, World
from tests.web.wire import Wire, serving

pytestmark = pytest.mark.parametrize("sso_world", ["postgresql"], indirect=True)

LIMIT = 50


@pytest.fixture
def pair(sso_world: World, tmp_path: Path) -> Iterator[tuple[World, World]]:
    """One server's world, and the same as another machine has it: its own folder with a copy of the key."""
    shutil.copy(key_path(sso_world.settings), tmp_path / "key")
    settings = replace(sso_world.settings, key_file=str(tmp_path / "key"))
    with closing(open_database(settings.database)) as database:
        sealer = Sealer(key_path(settings))
        yield (
            sso_world,
            replace(sso_world, database=database, settings=settings, sealer=sealer, folder=tmp_path),
        )


def district_token(world: World, name: str) -> dict[str, str]:
    club = world.club(name, "https://club.example/back")
    answer = world.browser().client.get("/oauth/tokens?owner_type=district", headers=club.basic)
    return {"authorization": f"Bearer {answer.json()['data'][0]['access_token']}"}


def client_of(wire: Wire, headers: dict[str, str]) -> httpx.Client:
    return httpx.Client(base_url=f"http://127.0.0.1:{wire.port}", headers=headers, timeout=60)


def test_a_limit_is_one_limit(pair: tuple[World, World]) -> None:
    bearer = district_token(pair[0], "Counted")
    with (
        serving(pair[0].app(rate_limit=LIMIT, rate_window_seconds=3600)) as one,
        serving(pair[1].app(rate_limit=LIMIT, rate_window_seconds=3600)) as other,
    ):

        def ask(port: int) -> httpx.Response:
            return httpx.get(f"http://127.0.0.1:{port}/v3.0/schools", headers=bearer, timeout=60)

        with ThreadPoolExecutor(4) as threads:
            answers = [*threads.map(ask, [one.port, other.port] * LIMIT)]
    counts = [answer.status_code for answer in answers]
    assert (counts.count(200), counts.count(429)) == (LIMIT, LIMIT)
    assert len({answer.headers["x-ratelimit-reset"] for answer in answers}) == 1
    left = [int(answer.headers["x-ratelimit-remaining"]) for answer in answers]
    assert (max(left), min(left)) == (LIMIT - 1, 0)


def test_one_machine_admits_all_of_a_limit_and_tells_exactly_what_is_left(pair: tuple[World, World]) -> None:
    bearer = district_token(pair[0], "Alone")
    with (
        serving(pair[0].app(rate_limit=LIMIT, rate_window_seconds=3600)) as wire,
        client_of(wire, bearer) as client,
    ):
        answers = [client.get("/v3.0/schools") for _ in range(LIMIT + 2)]
    assert [(answer.status_code, int(answer.headers["x-ratelimit-remaining"])) for answer in answers] == [
        *((200, left) for left in reversed(range(LIMIT))),
        (429, 0),
        (429, 0),
    ]


def test_blocks_of_all_machines_together_are_the_limit(pair: tuple[World, World]) -> None:
    counts = [SharedCounts(world.database) for world in pair]
    sizes = [1, 64, 7, 200, 3, 1000, *[16] * 200]
    taken = [counts[at % 2].take("blocks", size, 1000, 3600) for at, size in enumerate(sizes)]
    assert sum(block.size for block in taken) == 1000
    assert all(block.size <= size for block, size in zip(taken, sizes, strict=True))
    assert [block.given for block in taken] == sorted(block.given for block in taken)
    assert len({block.end for block in taken}) == 1
    assert counts[0].take("blocks", 5, 1000, -1).size == 1, "a window that would end later is begun anew"


def test_a_pull_that_goes_from_machine_to_machine_shows_one_snapshot(pair: tuple[World, World]) -> None:
    world = pair[0]
    bearer = district_token(world, "Pulling")
    renamed = {**FILES, "students.csv": STUDENTS.replace("ben", "bob").replace("Ben", "Bob")}
    with ExitStack() as stack:
        wires = [stack.enter_context(serving(each.app())) for each in pair]
        clients = [stack.enter_context(client_of(wire, bearer)) for wire in wires]
        whole = clients[0].get("/v3.0/users").json()["data"]
        for first in (0, 1):
            page, pages = clients[first].get("/v3.0/users?limit=2").json(), []
            files = small_world.write(world.folder / f"changed {first}", (renamed, FILES)[first])
            district = districts.find(world.database, world.district.id)
            sync.run(world.database, district, files, world.settings, how=How(is_approved=True))
            changed = clients[0].get("/v3.0/users").json()["data"]
            while True:
                pages += page["data"]
                uri = next((link["uri"] for link in page["links"] if link["rel"] == "next"), None)
                if uri is None:
                    break
                page = clients[(first + len(pages) // 2) % 2].get(uri).json()
            assert pages == whole
            assert changed != whole
            whole = changed


def test_a_code_is_exchanged_once(pair: tuple[World, World]) -> None:
    world, other = pair
    browsers = [world.browser(), other.browser()]
    for person in ("amy", "cem", "dot"):
        code = browsers[0].arrive(world.reader, person)["code"]
        together = threading.Barrier(2)

        def exchange(browser: Browser, code: str = code, together: threading.Barrier = together) -> int:
            together.wait()
            return browser.exchange(world.reader, code).status_code

        with ThreadPoolExecutor(2) as threads:
            assert sorted(threads.map(exchange, browsers)) == [200, 400]
        browsers[0] = world.browser()


def test_a_sign_out_holds_on_the_other_machine_at_once(pair: tuple[World, World]) -> None:
    world, other = pair
    here, there = world.browser(), other.browser()
    here.sign_in("amy")
    there.client.cookies = here.client.cookies
    page = there.follow(there.get("/login"))
    assert "Sign out" in page.text
    there.press(page, "/logout")
    assert "Sign out" not in here.follow(here.get("/login")).text


def test_a_token_that_is_revoked_on_one_machine_is_refused_by_the_other(pair: tuple[World, World]) -> None:
    world, other = pair
    bearer = district_token(world, "Ending")
    with serving(other.app()) as wire, client_of(wire, bearer) as client:
        assert [client.get("/v3.0/users?limit=1").status_code for _ in range(3)] == [200] * 3
        with world.database.write() as transaction:
            transaction.run(
                "UPDATE connections SET token_hash = 'ended' WHERE application ="
                " (SELECT number FROM applications WHERE name = 'Ending')"
            )
        assert client.get("/v3.0/users?limit=1").status_code == 401

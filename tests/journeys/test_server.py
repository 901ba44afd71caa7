"""`rollbook serve` as a process, with real sockets: framing, several workers, syncs while it serves, and its
end."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests import world
from tests.journeys import program
from tests.journeys.program import Server
from tests.web.wire import read_all


def prepare(folder: Path, **settings: object) -> str:
    """Sync the small world, and return a district token."""
    world.write(folder / "files")
    program.done("district", "create", "Springfield", folder=folder, **settings)
    program.done("application", "create", "Reader", folder=folder, **settings)
    program.done("sync", "Springfield", "files", folder=folder, **settings)
    connected = json.loads(
        program.done("connect", "Reader", "Springfield", "--json", folder=folder, **settings)
    )
    return str(connected["access_token"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def token(folder: Path) -> str:
    return prepare(folder)


@pytest.fixture(scope="module")
def server(folder: Path, token: str) -> Iterator[Server]:
    with program.serving("serve", "--workers", "2", folder=folder) as opened:
        yield opened


def test_answers_are_framed_so_that_a_connection_can_go_on(server: Server, token: str) -> None:
    """One connection for all kinds of answers: an unexpected body would be read as the next answer's head."""
    wire = http.client.HTTPConnection(urlsplit(server.base).netloc, timeout=60)
    bearer = {"Authorization": f"Bearer {token}"}
    tag = ""
    for method, path, headers, status in [
        ("HEAD", "/v3.0/users", bearer, 200),
        ("GET", "/v3.0/users", bearer, 200),
        ("GET", "/v3.0/users", {**bearer, "Accept-Encoding": "gzip"}, 200),
        ("GET", "/v3.0/users", {**bearer, "If-None-Match": "TAG"}, 304),
        ("OPTIONS", "/v3.0/users", {}, 204),
        ("GET", "/v3.0/users", {}, 401),
        ("HEAD", "/v3.0/users", {}, 401),
        ("HEAD", "/v3.0/nothing", {}, 404),
        ("GET", "/v3.0/nothing", {}, 404),
        ("POST", "/v3.0/users", {**bearer, "Content-Type": "application/json"}, 404),
        ("GET", "//v3.0//users/", {**bearer, "Content-Type": "application/json"}, 200),
        ("GET", "/oauth/tokeninfo/", bearer, 200),
        ("HEAD", "/oauth/tokeninfo", bearer, 200),
        ("HEAD", "/openapi.json", {}, 200),
        ("GET", "/v3.0/users?limit=1", bearer, 200),
    ]:
        wire.request(
            method, path, headers={name: tag if value == "TAG" else value for name, value in headers.items()}
        )
        answer = wire.getresponse()
        body = answer.read()
        assert (method, path, status) == (method, path, answer.status)
        assert (body == b"") == (method == "HEAD" or status in (204, 304))
        if method == "GET" and status == 200:
            assert int(answer.headers["Content-Length"]) == len(body)
        tag = answer.headers.get("ETag") or tag
    wire.close()


def test_a_body_behind_an_upgrade_is_no_request_of_its_own(server: Server, token: str) -> None:
    """The head comes before the body, as java.net.http and `curl --http2` send it."""
    hidden = f"GET /v3.0/users HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n"
    head = (
        "POST /oauth/tokens HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\n"
        f"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABk\r\nContent-Length: {len(hidden)}\r\n\r\n"
    )
    place = urlsplit(server.base)
    with socket.create_connection((place.hostname, place.port), 60) as wire:
        for segment in (head, hidden):
            wire.sendall(segment.encode())
            time.sleep(0.05)
        got = read_all(wire)
    assert got.startswith(b"HTTP/1.1 400 ")
    assert got.count(b"HTTP/1.1 ") == 1


def test_the_limit_holds_to_the_request_over_all_workers(folder: Path, token: str) -> None:
    limit, clients, each = 90, 6, 25
    found: Counter[int] = Counter()
    with program.serving("serve", "--workers", "2", folder=folder, rate_limit=limit) as limited:

        def ask() -> None:
            for _ in range(each):  # a connection for each request, so that all workers get some
                answer = httpx.get(
                    f"{limited.base}/v3.0/users?limit=1", headers={"authorization": f"Bearer {token}"}
                )
                found[answer.status_code] += 1
                assert (answer.status_code == 429) == (answer.content == b"")

        threads = [threading.Thread(target=ask) for _ in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == {200: limit, 429: clients * each - limit}


def test_every_worker_shows_a_sync_as_soon_as_it_is_committed(
    server: Server, folder: Path, token: str, tmp_path: Path
) -> None:
    def names() -> set[str]:
        """The schools' names, each read on its own connection, so that all workers get some."""
        found: set[str] = set()
        for _ in range(20):
            page = httpx.get(
                f"{server.base}/v3.0/schools", headers={"authorization": f"Bearer {token}"}
            ).json()
            found |= {element["data"]["name"] for element in page["data"]}
        return found

    assert names() == {"North High", "South Elementary"}
    changed = world.write(
        tmp_path / "changed", world.changed(("schools.csv", "South Elementary", "South Primary"))
    )
    program.done("sync", "Springfield", changed, "--approve", folder=folder)
    assert names() == {"North High", "South Primary"}
    program.done("sync", "Springfield", "files", "--approve", folder=folder)
    assert names() == {"North High", "South Elementary"}


def test_a_new_token_is_good_at_once_on_every_worker(server: Server, folder: Path) -> None:
    program.done("application", "create", "Newcomer", folder=folder)
    connected = json.loads(program.done("connect", "Newcomer", "Springfield", "--json", folder=folder))
    bearer = {"authorization": f"Bearer {connected['access_token']}"}
    assert {httpx.get(f"{server.base}/v3.0/districts", headers=bearer).status_code for _ in range(20)} == {
        200
    }


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM], ids=["interrupted", "terminated"])
def test_a_server_that_is_stopped_leaves_nothing_behind(
    folder: Path, token: str, tmp_path: Path, workers: int, stop: int
) -> None:
    port = program.free_port()
    with program.serving("serve", "--workers", workers, folder=folder, port=port, tmpdir=tmp_path) as stopped:
        assert list(tmp_path.glob("rollbook-*")), "what its processes share"
        stopped.process.send_signal(stop)
        assert stopped.process.wait(60) == 0
    assert list(tmp_path.glob("rollbook-*")) == []
    assert stopped.printed.splitlines()[0] == f"Rollbook serves http://127.0.0.1:{port} (stop with Ctrl+C)"


def test_it_serves_postgresql_as_well(tmp_path: Path, database_address: str) -> None:
    token = prepare(tmp_path, database=database_address)
    with program.serving("serve", "--workers", "2", folder=tmp_path, database=database_address) as served:
        answers = [
            httpx.get(f"{served.base}/v3.0/users?role=student", headers={"authorization": f"Bearer {token}"})
            for _ in range(10)
        ]
    assert {(answer.status_code, len(answer.json()["data"])) for answer in answers} == {(200, 3)}
    first, invites, link = served.printed.splitlines()
    assert first == f"Rollbook serves {served.base} (stop with Ctrl+C)"
    assert invites.startswith("The console has no operator yet.")
    assert link.startswith(f"  {served.base}/console/welcome#")


def tries(server: Server, count: int) -> list[int]:
    """Wrong badges, each from another address by its header; returns the statuses."""
    found = []
    with httpx.Client(base_url=server.base) as browser:
        for number in range(count):
            page = browser.get("/badge")
            form = page.text.partition('name="form" value="')[2].partition('"')[0]
            told = {"x-forwarded-for": f"198.51.100.{number}"}
            found.append(
                browser.post("/badge", data={"form": form, "code": "NOBADGE"}, headers=told).status_code
            )
    return found


@pytest.mark.parametrize(("trusted", "last"), [("", 429), ("127.0.0.1", 401)])
def test_a_client_cannot_choose_the_address_by_which_it_is_counted(
    folder: Path, token: str, trusted: str, last: int
) -> None:
    with program.serving("serve", folder=folder, login_failures_address=3, trusted_proxies=trusted) as server:
        found = tries(server, 5)
    assert (found[0], found[-1]) == (401, last)


def test_nothing_in_the_environment_makes_a_server_a_demo(folder: Path, token: str) -> None:
    demo: Any = {"demo_token": "TEST_TOKEN", "demo_basic": "eDp5", "demo_district": "Springfield"}
    with program.serving("serve", folder=folder, **demo) as server:
        page = httpx.get(f"{server.base}/login", follow_redirects=True)
        assert ("Who do you want to be" in page.text, "Springfield" in page.text) == (False, True)


def test_a_server_tells_the_district_where_its_people_sign_in(folder: Path, token: str) -> None:
    with program.serving("serve", folder=folder, public_url="https://roster.example") as server:
        bearer = {"authorization": f"Bearer {token}"}
        end = time.monotonic() + 30
        portal = ""
        while not portal.startswith("https://roster.example/in/springfield") and time.monotonic() < end:
            portal = httpx.get(f"{server.base}/v3.0/districts", headers=bearer).json()["data"][0]["data"][
                "portal_url"
            ]
            time.sleep(0.05)
    assert portal.startswith("https://roster.example/in/springfield")


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("host", "printed", "reached"),
    [
        ("::1", "http://[::1]", ["[::1]"]),
        ("::", "http://[::]", ["[::1]", "127.0.0.1"]),
        ("127.0.0.1", "http://127.0.0.1", ["127.0.0.1"]),
    ],
)
def test_a_server_listens_on_addresses_of_both_kinds(
    folder: Path, token: str, host: str, printed: str, reached: list[str], workers: int
) -> None:
    port = program.free_port()
    with program.serving(
        "serve", "--host", host, "--workers", workers, folder=folder, port=port, wait=False
    ) as server:
        first = server.printed_at_once().splitlines()[0]
        assert first == f"Rollbook serves {printed}:{port} (stop with Ctrl+C)"
        for address in reached:
            server.base = f"http://{address}:{port}"
            server.wait_until_it_answers()
            discovered = httpx.get(f"{server.base}/.well-known/openid-configuration").json()
            assert discovered["issuer"] == f"{printed}:{port}"
        assert server.printed.count("Rollbook serves") == 1

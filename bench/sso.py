"""Single sign-on: exchanges of codes for a token with an RS256 id token, and redirects of signed-in
people."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from bench import load, material, servers, tables
from bench.load import CONNECTIONS
from bench.servers import Server
from bench.tables import Target
from rollbook.store.accounts import applications, logins
from rollbook.store.accounts.logins import Grant
from rollbook.store.district import districts
from rollbook.store.engine.database import Database, open_database
from rollbook.store.records import people_lookup

# The codes are made before the server starts. It accepts none that is valid for longer than its own.
GOOD_LONG = {"ROLLBOOK_CODE_SECONDS": "3600"}
STUDENTS = 1_000
CODES_PER_STUDENT = 3
BACK = "https://application.example/back"
EXCHANGES = Target("at least", 1_000)
REDIRECTS = Target("at least", 1_000)


@dataclass(frozen=True, slots=True)
class Prepared:
    """The input of a run: credentials, codes to exchange, and the cookie of a signed-in person."""

    client_id: str
    secret: str
    codes: list[str]
    cookie: str


def measure(seconds: float, repeats: int, students: int = STUDENTS) -> None:
    """Print both figures, on SQLite."""
    with material.place() as name:
        address = str(Path(name) / "rollbook.db")
        ready = material.ready(address, material.generated(students))
        exchanges, redirects = [], []
        for repeat in range(repeats):
            with _prepared(address, repeat) as prepared:
                with servers.serving(ready, GOOD_LONG) as server:
                    exchanges.append(_exchange_all(server, prepared))
                with servers.serving(ready, {**GOOD_LONG, "ROLLBOOK_WORKERS": "2"}) as server:
                    redirects.append(_redirects(server, prepared, seconds))
    rows = [
        ("code exchanges with an id token, per CPU-second", statistics.median(exchanges), EXCHANGES),
        ("redirects with a session, per second, two workers", statistics.median(redirects), REDIRECTS),
    ]
    tables.show(
        "Single sign-on",
        ("what", "figure", "target", ""),
        [(what, tables.number(it), *tables.verdict(it, to)) for what, it, to in rows],
    )


@contextlib.contextmanager
def _prepared(address: str, repeat: int) -> Iterator[Prepared]:
    with contextlib.closing(open_database(address)) as database:
        yield _prepare(database, repeat)


def _prepare(database: Database, repeat: int) -> Prepared:
    application = applications.find(database, material.APPLICATION)
    applications.change(database, application, redirect_uris=(BACK,), has_oidc=True)
    secret = applications.rotate_secret(database, application, overlap_seconds=0)
    district = districts.find(database, material.DISTRICT)
    with database.write() as transaction:
        students = people_lookup.everybody(
            transaction, people_lookup.whole(transaction, district.number), role="student", school=""
        )
        grants = [
            Grant(application.number, district.number, student.id, "student", "district", BACK, logins.now())
            for student in students
        ]
        codes = [
            logins.issue_code(transaction, grants[number % len(grants)], seconds=3_600)
            for number in range(CODES_PER_STUDENT * len(grants))
        ]
        person = students[repeat]
        cookie = logins.open_session(
            transaction, district.number, person.id, "student", "bench", absolute_seconds=3_600
        )
    return Prepared(application.client_id, secret, codes, cookie)


def _exchange_all(server: Server, prepared: Prepared) -> float:
    """Exchange every code once; returns exchanges per second of the server's CPU."""
    left, failed = list(prepared.codes), [0]

    def exchange_until_none_is_left() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        while left:
            with contextlib.suppress(IndexError):
                failed[0] += not _exchange(connection, prepared, left.pop())
        connection.close()

    before = server.meters[0]()
    threads = [threading.Thread(target=exchange_until_none_is_left) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed[0]:
        raise RuntimeError(f"{failed[0]} exchanges failed")
    return len(prepared.codes) / (server.meters[0]() - before)


def _exchange(connection: http.client.HTTPConnection, prepared: Prepared, code: str) -> bool:
    body = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK}
    secrets = {"client_id": prepared.client_id, "client_secret": prepared.secret}
    connection.request(
        "POST", "/oauth/tokens", json.dumps(body | secrets), {"Content-Type": "application/json"}
    )
    answer = connection.getresponse()
    read = answer.read()
    return answer.status == 200 and b"id_token" in read


def _redirects(server: Server, prepared: Prepared, seconds: float) -> float:
    """Request codes repeatedly, as the browsers of signed-in people do; returns answers per second."""
    query = urlencode({"response_type": "code", "client_id": prepared.client_id, "state": "s", "nonce": "n"})
    if not load.has_wrk():
        return _redirects_by_threads(server, prepared, query, seconds)
    command = [
        "wrk",
        "-t1",
        f"-c{CONNECTIONS}",
        f"-d{max(1, seconds):.0f}",
        f"-HCookie: rollbook-session={prepared.cookie}",
    ]
    address = f"http://127.0.0.1:{server.port}/oauth/authorize?{query}"
    _assert_code_comes(server, prepared, query)
    told = subprocess.run([*command, address], check=True, text=True, stdout=subprocess.PIPE).stdout
    found = re.search(r"Requests/sec:\s+([\d.]+)", told)
    if found is None or "Non-2xx" in told:
        raise RuntimeError(f"wrk said: {told}")
    return float(found[1])


def _redirects_by_threads(server: Server, prepared: Prepared, query: str, seconds: float) -> float:
    """The same with our own client, which is slower than the server: then the figure is the client's."""
    _assert_code_comes(server, prepared, query)
    counts: list[int] = []
    end = time.monotonic() + seconds

    def ask_until_end() -> None:
        connection, answered = http.client.HTTPConnection("127.0.0.1", server.port), 0
        while not answered or time.monotonic() < end:
            _ask_for_code(connection, prepared, query)
            answered += 1
        connection.close()
        counts.append(answered)

    threads = [threading.Thread(target=ask_until_end) for _ in range(CONNECTIONS)]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(counts) < len(threads):
        raise RuntimeError("a code did not come")
    return sum(counts) / (time.monotonic() - start)


def _assert_code_comes(server: Server, prepared: Prepared, query: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    _ask_for_code(connection, prepared, query)
    connection.close()


def _ask_for_code(connection: http.client.HTTPConnection, prepared: Prepared, query: str) -> None:
    connection.request(
        "GET", f"/oauth/authorize?{query}", headers={"Cookie": f"rollbook-session={prepared.cookie}"}
    )
    answer = connection.getresponse()
    answer.read()
    location = answer.headers["location"] or ""
    if answer.status != 302 or not location.startswith(f"{BACK}?code="):
        raise RuntimeError(f"no code came: {answer.status} {location}")

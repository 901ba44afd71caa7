"""What a server, its jobs and its SFTP server log of a whole story: no token, no password, no field of a person."""

from __future__ import annotations

import asyncio
import csv
import io
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import asyncssh
import httpx
import pytest

from rollbook import settings as setting_rows
from rollbook.operations import connecting, district_setup, registering, scheduling, sftp_setup
from rollbook.store.accounts.applications import NewApplication
from rollbook.store.engine.keys import settle
from rollbook.store.engine.opening import opened
from rollbook.store.work import job_queue
from tests import sso
from tests.journeys import program
from tests.journeys.program import Server
from tests.roster import world

DISTRICT, ACCOUNT, STATE = "Springfield", "uploads", "a-state-of-the-application"
# A student without a school, another one twice, and a password that cannot be kept.
BAD = "elm,zoe,Zoe,Zimmerman,4,zoe@example.org,zoez,cherry 5\nash,amy,Ulf,Ulfsson,4,ulf@example.org,ulfu,grape 6\n"
FILES = {**sso.FILES, "students.csv": sso.STUDENTS + BAD}
# What a person has: every column of these files but schools and grades, which the log may not need, yet others share.
PEOPLE = ("students.csv", "teachers.csv", "staff.csv", "administrators.csv")
PUBLIC = ("School_id", "Grade", "Role", "Title")


@dataclass
class Place:
    """A server's folder with one district, and every secret that was made so far."""

    folder: Path
    database: str
    token: str = ""
    client_id: str = ""
    password: str = ""
    secrets: set[str] = field(default_factory=set)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    settings = setting_rows.read({}, database=str(tmp_path / "rollbook.db"))
    (tmp_path / "drop").mkdir()
    with opened(settings, may_begin=True) as database:
        settle(database, settings)
        district_setup.create(database, DISTRICT)
        wanted = NewApplication("Reader", redirect_uris=(sso.BACK,), has_oidc=True)
        application, secret = registering.register(database, wanted)
        token = connecting.connect(database, settings, "Reader", DISTRICT).token
        scheduling.change(
            database, DISTRICT, lambda now: replace(now, folder=str(tmp_path / "drop"), rule="closed")
        )
        password = sftp_setup.open_account(database, DISTRICT, ACCOUNT).password
    made = Place(tmp_path, settings.database, token, application.client_id, password)
    made.secrets |= {token, secret, password, "wrong-password-of-sftp", STATE}
    return made


def cells() -> Iterator[str]:
    """The fields of all people."""
    for name in PEOPLE:
        for row in csv.DictReader(io.StringIO(FILES[name])):
            yield from (value for column, value in row.items() if value and column not in PUBLIC)


async def upload(place: Place, port: int, files: Path) -> None:
    """Fail a login, then upload the files in a session."""
    there: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": port,
        "username": ACCOUNT,
        "known_hosts": None,
        "config": None,
    }
    only: dict[str, Any] = {"client_keys": None, "agent_path": None}
    with pytest.raises(asyncssh.PermissionDenied):
        await asyncssh.connect(**there, **only, password="wrong-password-of-sftp")
    async with (
        asyncssh.connect(**there, **only, password=place.password) as line,
        line.start_sftp_client() as client,
    ):
        for path in sorted(files.glob("*.csv")):
            await client.put(str(path), path.name)


def until_done(place: Place, count: int) -> list[str]:
    """Wait until so many jobs have ended; how their syncs ended."""
    end = time.monotonic() + program.TIMEOUT_SECONDS
    with opened(setting_rows.read({}, database=place.database)) as database:
        while time.monotonic() < end:
            with database.read() as transaction:
                jobs = [job for job in job_queue.latest(transaction, 10) if job.kind == "sync"]
            if [job.state for job in jobs] == ["done"] * count:
                return [job.run_state for job in reversed(jobs)]
            time.sleep(0.05)
    raise AssertionError([job.state for job in jobs])


def read(place: Place, server: Server) -> None:
    """An application reads, with good and bad tokens, and with tokens and names where none belong."""
    bearer = {"Authorization": f"Bearer {place.token}"}
    with httpx.Client(base_url=server.base) as client:
        people = client.get("/v3.0/users", headers=bearer).json()["data"]
        assert people
        place.secrets |= {person["data"]["id"] for person in people}
        for path in (
            f"/v3.0/users/{people[0]['data']['id']}",
            f"/v3.0/Zimmerman?access_token={place.token}",
            "/v3.0/users?limit=Zimmerman",
            f"/{place.token}",
        ):
            client.get(path, headers=bearer)
        client.get("/v3.0/users", headers={"Authorization": "Bearer no-such-token"})
        client.post("/oauth/tokens", data={"code": "no-such-code"}, auth=("client", "no-such-secret"))
    place.secrets |= {"no-such-token", "no-such-code", "no-such-secret"}


def sign_in(place: Place, server: Server) -> None:
    """A person fails to sign in, then signs in to the application."""
    with httpx.Client(base_url=server.base) as client:
        window = sso.Window(client)
        asked = {"response_type": "code", "client_id": place.client_id, "redirect_uri": sso.BACK}
        page = window.follow(window.get("/oauth/authorize", **asked, state=STATE))
        assert window.press(page, "/in/", username="amya", password="banana 2").status_code == 401
        page = window.follow(window.get("/oauth/authorize", **asked, state=STATE))
        end = window.follow(window.press(page, "/in/", username="amya", password="apple 1"))
        place.secrets |= {sso.answer(end)["code"], *client.cookies.values()}


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_log_tells_a_token_a_password_or_a_field_of_a_person(place: Place, form: str) -> None:
    files = world.write(place.folder / "files", FILES)
    at = place.folder
    with (
        program.serving("serve", folder=at, log_format=form) as server,
        program.serving("sftp", "serve", folder=at, wait=False, log_format=form) as uploads,
    ):
        port = int(uploads.base.rpartition(":")[2])
        uploads.printed_line("Host key")
        asyncio.run(upload(place, port, files))
        assert until_done(place, 1) == ["committed"]
        read(place, server)
        sign_in(place, server)
        (files / "students.csv").write_text("Zoe,Zimmerman,cherry 5\n")
        asyncio.run(upload(place, port, files))
        assert until_done(place, 2) == ["committed", "failed"]
        shutil.rmtree(place.folder / "drop")
        server.printed_line('{"at"') if form == "json" else None
        server.stop()
        uploads.stop()
        printed = server.printed + uploads.printed
    assert "of Springfield is committed" in printed
    assert "the files of Springfield cannot be used" in printed
    words = {*re.findall(r"[\w@.:-]+", printed)}
    told = [cell for cell in {*cells(), *place.secrets} if cell in (words if len(cell) < 5 else printed)]
    assert told == []

"""A server inside the test: a database, an operator's acts on it, and clients that speak HTTP to its
application."""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from rollbook import settings as setting_rows
from rollbook import sync
from rollbook.contract.clever.endpoints import ENDPOINTS
from rollbook.contract.clever.view_spec import SENSITIVE_FIELDS
from rollbook.demo.serving import Demo
from rollbook.domain.access import SECURE_SYNC
from rollbook.settings import key_path
from rollbook.store.accounts import applications, connections
from rollbook.store.accounts.applications import Application, NewApplication
from rollbook.store.district import districts
from rollbook.store.district.districts import District
from rollbook.store.engine.database import Database
from rollbook.store.engine.keys import Sealer
from rollbook.sync import How, Sync
from rollbook.web.app import App
from tests import world

BASE = "http://rollbook.test"


class Hub:
    """One district on one database; `address` is the database's.

    `like` is the hub whose database this one is a copy of. `first` is the sync that a prepared hub begins with.
    """

    first: Sync

    def __init__(
        self,
        database: Database,
        address: str,
        folder: Path,
        *,
        district: str = "Springfield",
        like: Hub | None = None,
    ) -> None:
        self.database, self.folder = database, folder
        # The rate limit has its own tests; all others may send any number of requests.
        self.settings = setting_rows.read({}, database=address, key_file=str(folder / "key"), rate_limit=0)
        self.district: District = like.district if like else districts.create(database, district)
        self._open = ExitStack()

    def sync(self, source: Path | Mapping[str, str], *, days_on: float = 0, is_again: bool = False) -> Sync:
        """Sync a folder, or files by name and text, so many days from now; it is not held, however much it
        changes."""
        if not isinstance(source, Path):
            source = world.write(self.folder / "small world", source)
        district = districts.find(self.database, self.district.id)
        moment = time.time() + days_on * sync.DAY_SECONDS
        how = How(is_approved=True, name=self.district.name, moment=moment, is_again=is_again)
        return sync.run(self.database, district, source, self.settings, how=how)

    def beside(self, name: str) -> Hub:
        """Another district on the same database."""
        other = Hub(self.database, self.settings.database, self.folder, district=name)
        self._open.callback(other.close)
        return other

    def connect(self, *scopes: str, name: str | None = None) -> str:
        """The token of a new application with the usual scopes and these."""
        name = name or f"Reader of {' '.join(scopes) or 'the usual'} in {self.district.name}"
        application, _ = applications.create(
            self.database, NewApplication(name, scopes=(*SECURE_SYNC, *scopes))
        )
        return self.reconnect(application)

    def reconnect(self, application: Application, **more: Any) -> str:
        """The token of an application in this district, which opens every sensitive field."""
        spec = replace(application.asks, sensitive=tuple(SENSITIVE_FIELDS))
        view = sync.view_of(self.database, self.district, spec, self.settings)
        return connections.connect(
            self.database, Sealer(key_path(self.settings)), application, self.district, view, **more
        )

    def client(self, token: str | None = None, *, demo: Demo | None = None, **settings: Any) -> Client:
        """A client of this server with changed settings; without a token it sends no Authorization header."""
        return self._open.enter_context(Client(self.app(demo, **settings), token))

    def app(self, demo: Demo | None = None, **settings: Any) -> App:
        """This server under changed settings."""
        app = App(
            self.database,
            replace(self.settings, **settings),
            limits=self.folder / "limits",
            extend=demo.extend if demo else None,
        )
        self._open.callback(app.close)
        return app

    def close(self) -> None:
        self._open.close()


class Client:
    """Sends requests to an ASGI application, one after another."""

    def __init__(self, app: App, token: str | None) -> None:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.AsyncClient(transport=httpx.ASGITransport(app), headers=headers)
        self._loop = asyncio.Runner()

    def request(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, **more: Any
    ) -> httpx.Response:
        """Send the path unchanged, also doubled slashes."""
        return self._loop.run(self._http.request(method, BASE + path, headers=headers, **more))

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Header names are written with underscores."""
        return self.request("GET", path, {name.replace("_", "-"): value for name, value in headers.items()})

    def read(self, path: str) -> Any:
        """The JSON of an answer that must be 200."""
        answer = self.get(path)
        assert (path, 200) == (path, answer.status_code), answer.text
        return answer.json()

    def records(self, path: str) -> list[Any]:
        """All records of a list, which must fit one page."""
        joint = "&" if "?" in path else "?"
        page = self.read(f"{path}{joint}limit=10000")
        assert [link["rel"] for link in page["links"]] == ["self"]
        return [element["data"] for element in page["data"]]

    def everything(self, *, one_user_in: int = 1) -> dict[str, list[Any]]:
        """The records of every list, by path; the related lists of every user, or of a fixed part of them."""
        lists = {
            f"/v3.0{row.path}": self.records(f"/v3.0{row.path}") for row in ENDPOINTS if row.shape == "list"
        }
        for row in ENDPOINTS:
            for record in lists[f"/v3.0/{row.source}"] if row.shape == "many" else ():
                if row.source != "users" or zlib.crc32(str(record["name"]).encode()) % one_user_in == 0:
                    path = f"/v3.0{row.path}".replace("{id}", record["id"])
                    lists[path] = self.records(path)
        return lists

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.run(self._http.aclose())
        self._loop.close()

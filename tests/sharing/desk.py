"""One district and the applications that read it: connecting them, editing their shares, and asking the Data
API as each."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from rollbook import settings as setting_rows
from rollbook import sync
from rollbook.clone import copy
from rollbook.contract.clever import view_spec
from rollbook.domain import shares
from rollbook.domain.access import SECURE_SYNC, SENSITIVE
from rollbook.store.accounts import applications, connections
from rollbook.store.accounts.applications import Application, NewApplication
from rollbook.store.district import districts
from rollbook.store.district.districts import District
from rollbook.store.district.views import Spec
from rollbook.store.engine.database import Database
from rollbook.store.engine.keys import Sealer
from rollbook.store.records import event_feed
from rollbook.store.records.own_record import change_record
from rollbook.sync import How, Sync
from rollbook.synthetic import writer
from rollbook.web.app import App
from rollbook.web.data.data_request import Request
from rollbook.web.http.answers import Answer
from tests import world
from tests.clone.stub import Reply, Stub, serving

ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{24}(?![0-9a-f])")
KINDS = ("courses", "districts", "resources", "schools", "sections", "terms", "users")

Json = dict[str, Any]

# For tests of a district from files.
of_files = pytest.mark.parametrize("origin", ["files"], indirect=True)
# For tests of a copy.
of_a_clone = pytest.mark.parametrize("origin", ["clone"], indirect=True)


@dataclass(frozen=True)
class Reader:
    """An application that reads the district, and its token."""

    desk: Desk
    application: Application
    token: str

    def ask(self, uri: str) -> Answer:
        path, _, query = uri.partition("?")
        request = Request("GET", path, query, f"Bearer {self.token}", "", takes_gzip=False)
        return self.desk.app.data.answer(request)

    def read(self, uri: str) -> Json:
        answer = self.ask(uri)
        assert (uri, 200) == (uri, answer.status), answer.body
        body: Json = json.loads(answer.body)
        return body

    def pull(self, uri: str, limit: int = 10_000) -> list[Json]:
        """A whole list, by following its links."""
        found: list[Json] = []
        at: str | None = f"{uri}{'&' if '?' in uri else '?'}limit={limit}"
        while at:
            page = self.read(at)
            found += [element["data"] for element in page["data"]]
            at = next((link["uri"] for link in page["links"] if link["rel"] == "next"), None)
        return found

    def everything(self) -> dict[str, dict[str, Json]]:
        """All records by kind and id."""
        return {kind: {record["id"]: record for record in self.pull(f"/v3.0/{kind}")} for kind in KINDS}

    def share(
        self, share: object = None, *, is_plan: bool = False, freezes: bool | None = None, **more: Any
    ) -> Sync:
        """Edit what it sees; `share` is in the form that `domain.shares.parse` reads."""
        spec = replace(self.application.asks, share=shares.parse(share), **more)
        return self.edit(spec, is_plan=is_plan, freezes=freezes)

    def edit(self, spec: Spec, *, is_plan: bool = False, freezes: bool | None = None) -> Sync:
        desk = self.desk
        how = How(is_plan=is_plan, moment=desk.moment())
        return sync.share(
            desk.database, desk.now, self.application, spec, desk.settings, how, freezes=freezes
        )

    def listen(self) -> None:
        event_feed.switch(self.desk.database, self.application.number, on=True)

    def feed(self) -> list[Json]:
        return self.pull("/v3.0/events")


class Desk:
    """The district Springfield on a database; `like` is the desk whose database this one is a copy of."""

    def __init__(self, database: Database, folder: Path, like: Desk | None = None) -> None:
        self.database, self.folder = database, folder
        self.settings = setting_rows.read(
            {}, key_file=str(folder / "key"), rate_limit=0, temporary=str(folder)
        )
        self.district: District = like.district if like else self.begin()
        self.app = App(database, self.settings, limits=folder / "limits")
        self._moment: float = like._moment if like else time.time() - 40 * sync.DAY_SECONDS

    def begin(self) -> District:
        return districts.create(self.database, "Springfield")

    def moment(self) -> float:
        """Each run is an hour after the one before."""
        self._moment += 3600
        return self._moment

    @property
    def now(self) -> District:
        return districts.find(self.database, self.district.id)

    def sync(self, files: Mapping[str, str] | Path = world.FILES) -> Sync:
        source = files if isinstance(files, Path) else world.write(self.folder / "files", files)
        how = How(is_approved=True, name="Springfield", moment=self.moment())
        return sync.run(self.database, self.now, source, self.settings, how=how)

    def day(self, number: int, *, students: int, seed: int) -> Sync:
        """Sync an invented district as it is on a day."""
        files = self.folder / f"{students}-{seed}-{number}"
        if not files.exists():
            writer.write(files, students=students, seed=seed, day=number)
        return self.sync(files)

    def name_contact(self, user: str) -> None:
        """Name the person (by id) as the contact for applications."""
        change_record(self.database, self.now, "contact", {"contact": user})

    def connect(
        self, name: str = "Reader", scopes: Iterable[str] = SECURE_SYNC, sensitive: Iterable[str] = ()
    ) -> Reader:
        application, _ = applications.create(self.database, NewApplication(name, scopes=tuple(scopes)))
        view = sync.view_of(
            self.database, self.now, replace(application.asks, sensitive=tuple(sensitive)), self.settings
        )
        sealer = Sealer(self.folder / "key")
        return Reader(
            self, application, connections.connect(self.database, sealer, application, self.now, view)
        )

    def close(self) -> None:
        self.app.close()


class CopyDesk(Desk):
    """A copy of another desk's district, cloned over HTTP.

    New files go to that district, and a clone follows.
    """

    def __init__(self, database: Database, folder: Path, origin: Desk, like: CopyDesk | None = None) -> None:
        self.origin = origin
        self.source: Reader = (
            replace(like.source, desk=origin)
            if like
            else origin.connect("Copier", (*SECURE_SYNC, *SENSITIVE), view_spec.SENSITIVE_FIELDS)
        )
        super().__init__(database, folder, like)

    def begin(self) -> District:
        return self.clone().district

    def sync(self, files: Mapping[str, str] | Path = world.FILES) -> Sync:
        self.origin.sync(files)
        return self.clone()

    def name_contact(self, user: str) -> None:
        self.origin.name_contact(user)
        self.clone()

    def clone(self) -> Sync:
        with serving(Mirror(self.source)) as mirror:
            return copy.run(self.database, mirror.address, self.source.token, self.settings)


class Mirror(Stub):
    """A server that answers as the Data API answers a reader."""

    def __init__(self, reader: Reader) -> None:
        super().__init__()
        self.reader = reader

    def reply(self, target: str) -> Reply:
        answer = self.reader.ask(target)
        return Reply(
            answer.status, answer.body, {name.decode(): value.decode() for name, value in answer.headers}
        )


def ids_in(text: bytes | str) -> set[str]:
    return set(ID.findall(text if isinstance(text, str) else text.decode()))

"""A small world in which people sign in: two districts, four applications, and a browser.

Ash and Birch are the schools of `tests.roster.world`. Okoye teaches and is also staff (one email); Gil runs
the district. The district shares with Reader (Secure Sync), Badge Door (SSO) and Old Reader (only older
users, in development); Shelf is a Library application that no district is connected with.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import anyio
from httpx import ASGITransport, BaseTransport, Client, Request, Response

from rollbook import settings as setting_rows
from rollbook import sync
from rollbook.demo.serving import Demo
from rollbook.settings import key_path
from rollbook.store.accounts import applications, connections
from rollbook.store.accounts.applications import Application, NewApplication
from rollbook.store.district import districts
from rollbook.store.district.districts import District
from rollbook.store.engine.database import Database
from rollbook.store.engine.keys import Sealer
from rollbook.store.records import people_lookup
from rollbook.web.app import App
from tests.roster import world

HOME = "http://testserver"
BACK = "https://reader.example/back"
OTHER = "https://reader.example/other?shelf=1"
STUDENTS = """School_id,Student_id,First_name,Last_name,Grade,Student_email,Username,Password
ash,amy,Amy,Adams,4,amy@example.org,amya,apple 1
ash,ben,Ben,Baker,4,,benb,banana 2
birch,cem,Cem,Celik,5,cem@example.org,cemc,
birch,dot,Dot,Diaz,5,dot@example.org,,
"""
TEACHERS = """School_id,Teacher_id,First_name,Last_name,Teacher_email,Username,Password
ash,lund,Lars,Lund,lund@example.org,lundl,lemon 3
birch,okoye,Oba,Okoye,okoye@example.org,okoyeo,olive 4
"""
STAFF = """School_id,Staff_id,Staff_email,First_name,Last_name
birch,s1,okoye@example.org,Oba,Okoye
ash,s2,fay@example.org,Fay,Fox
"""
ADMINISTRATORS = """Admin_id,Admin_email,First_name,Last_name,Title,Role
gil,gil@example.org,Gil,Gold,Head,Clever Administrator
"""
FILES = {
    "students.csv": STUDENTS,
    "teachers.csv": TEACHERS,
    "staff.csv": STAFF,
    "administrators.csv": ADMINISTRATORS,
}


class Direct(BaseTransport):
    """Requests that go directly into the application, without a socket."""

    def __init__(self, app: App, address: str) -> None:
        self._transport = ASGITransport(app, client=(address, 1))

    def handle_request(self, request: Request) -> Response:
        return anyio.run(self._answer, request)

    async def _answer(self, request: Request) -> Response:
        answered = await self._transport.handle_async_request(request)
        # As on the wire: the outer client decodes what is compressed.
        body = b"".join([part async for part in answered.aiter_raw()])
        return Response(answered.status_code, headers=answered.headers, content=body, request=request)


@dataclass
class Club:
    """One application with its secret, as its vendor knows it."""

    application: Application
    secret: str

    @property
    def client_id(self) -> str:
        return self.application.client_id

    @property
    def basic(self) -> dict[str, str]:
        text = f"{self.client_id}:{self.secret}".encode()
        return {"authorization": f"Basic {base64.b64encode(text).decode()}"}


@dataclass
class World:
    """The server, its database, and its people; `ids` has a person's id by SIS id. `opened` closes its applications."""

    database: Database
    settings: setting_rows.Settings
    sealer: Sealer
    district: District
    folder: Path
    reader: Club
    door: Club
    shelf: Club
    ids: Mapping[str, str] = field(default_factory=dict)
    opened: ExitStack = field(default_factory=ExitStack)

    def copied(self, database: Database, address: str, folder: Path) -> World:
        """The same world in a copy of its database and folder."""
        settings = replace(self.settings, database=address, key_file=str(folder / "key"))
        return replace(
            self,
            database=database,
            settings=settings,
            sealer=Sealer(key_path(settings)),
            folder=folder,
            opened=ExitStack(),
        )

    def close(self) -> None:
        """Let go of the files of all its applications."""
        self.opened.close()

    def app(self, *, is_demo: bool = True, **settings: Any) -> App:
        demo = Demo("TEST_TOKEN", "", self.district.name) if is_demo else None
        values = {name: getattr(self.settings, name) for name in setting_rows.names()} | settings
        app = App(
            self.database,
            setting_rows.Settings(**values),
            limits=self.folder / "limits",
            extend=demo.extend if demo else None,
        )
        self.opened.callback(app.close)
        return app

    def connect(self, application: Application) -> None:
        """Let an application read the whole district."""
        view = sync.view_of(self.database, self.district, application.asks, self.settings)
        connections.connect(self.database, self.sealer, application, self.district, view)

    def club(self, name: str, redirect_uri: str, **more: Any) -> Club:
        """A new application that reads the whole district, with OpenID Connect unless stated otherwise."""
        made, secret = applications.create(
            self.database, NewApplication(name, redirect_uris=(redirect_uri,), **{"has_oidc": True, **more})
        )
        self.connect(made)
        return Club(made, secret)

    def browser(self, app: App | None = None, base: str = HOME, address: str = "127.0.0.1") -> Browser:
        return Browser(Client(transport=Direct(app or self.app(), address), base_url=base), self)


@dataclass
class Window:
    """A browser on any server: opens addresses, presses buttons."""

    client: Client

    def get(self, address: str, **query: str) -> Response:
        return self.client.get(address + (f"?{urlencode(query)}" if query else ""))

    def follow(self, response: Response) -> Response:
        """Follow redirects while they stay on this server."""
        while response.is_redirect and response.headers["location"].startswith("/"):
            response = self.client.get(response.headers["location"])
        return response

    def press(self, page: Response, action: str = "", **values: str) -> Response:
        """Send the page's form: its hidden fields and the typed values."""
        forms = re.findall(
            r'<form[^>]*method="post" action="([^"]+)"[^>]*>(.*?)</form>', page.text, re.DOTALL
        )
        target, inside = next((target, inside) for target, inside in forms if action in target)
        hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', inside)
        return self.client.post(
            unescape(target), data={**{name: unescape(value) for name, value in hidden}, **values}
        )


@dataclass
class Browser(Window):
    """A browser in the small world, which does what a person does."""

    world: World

    def ask(self, club: Club, **more: str) -> Response:
        """Open an application's sign-in link."""
        return self.get("/oauth/authorize", **{"response_type": "code", "client_id": club.client_id, **more})

    def sign_in(self, person: str, response: Response | None = None) -> Response:
        """Pick a person of the demo by SIS id, and follow to the end."""
        page = self.follow(response or self.get("/login"))
        return self.follow(self.press(page, person=self.world.ids[person]))

    def log_in(self, address: str, person: str) -> str:
        """Open the address to which an application sends a person, sign in, and return where that ends."""
        return str(self.sign_in(person, self.client.get(address)).headers["location"])

    def arrive(self, club: Club, person: str, **more: str) -> dict[str, str]:
        """Sign in to an application; returns the parameters that it received."""
        return answer(self.sign_in(person, self.ask(club, **more)))

    def exchange(self, club: Club, code: str, redirect_uri: str = BACK, **more: str) -> Response:
        body = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri, **more}
        return self.client.post("/oauth/tokens", json=body, headers=club.basic)

    def token(self, club: Club, person: str, **more: str) -> str:
        sent = self.arrive(club, person, **more)
        return str(self.exchange(club, sent["code"], more.get("redirect_uri", BACK)).json()["access_token"])

    def api(self, path: str, token: str) -> Response:
        return self.client.get(path, headers={"authorization": f"Bearer {token}"})


def words(page: Response) -> str:
    """What a person reads on a page: the text of its main part, without markup."""
    main = page.text.partition("<main")[2].partition(">")[2].partition("</main>")[0]
    return " ".join(unescape(re.sub(r"<[^>]*>", "", main)).split())


def links(page: Response) -> dict[str, str]:
    """The targets of a page's links, by their words."""
    found = re.findall(r'<a [^>]*href="([^"]*)"[^>]*>(.*?)</a>', page.text, re.DOTALL)
    return {" ".join(re.sub(r"<[^>]*>", "", text).split()): unescape(address) for address, text in found}


def answer(response: Response) -> dict[str, str]:
    """The parameters of a redirect to an application."""
    assert response.is_redirect, response.text
    return {
        name: values[-1] for name, values in parse_qs(urlsplit(response.headers["location"]).query).items()
    }


def build(
    database: Database, address: str, folder: Path, files: Mapping[str, str] = FILES, *, named: str = ""
) -> World:
    """Make the world in a database; `named` is added to the names of its applications."""
    settings = setting_rows.read({}, database=address, key_file=str(folder / "key"), public_url=HOME)
    district = districts.create(database, f"#DEMO Two Schools{named}")
    written = world.write(folder / "files", files)
    sync.run(database, district, written, settings)
    sealer = Sealer(key_path(settings))
    reader = Club(
        *applications.create(
            database, NewApplication(f"Reader{named}", redirect_uris=(BACK, OTHER), has_oidc=True)
        )
    )
    asked: Any = {"redirect_uris": (BACK,), "has_oidc": True}
    door = Club(
        *applications.create(
            database,
            NewApplication(f"Badge Door{named}", **asked, tier="sso", user_types=("teacher", "staff")),
        )
    )
    shelf = Club(*applications.create(database, NewApplication(f"Shelf{named}", **asked, tier="library")))
    made = World(database, settings, sealer, district, folder, reader, door, shelf)
    for club in (reader, door):
        made.connect(club.application)
    made.ids = _ids(database, district)
    return made


def _ids(database: Database, district: District) -> dict[str, str]:
    found = {}
    with database.read() as transaction:
        access = people_lookup.whole(transaction, district.number)
        for key in ("amy", "ben", "cem", "dot", "lund", "okoye", "s2"):
            found[key] = people_lookup.find(transaction, access, key).id
        found["gil"] = people_lookup.find(transaction, access, "gil@example.org").id
    return found

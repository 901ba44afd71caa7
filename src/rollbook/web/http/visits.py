"""What the sign-in pages share: who is visiting, in which browser, and how pages and redirects are answered.

A form must be ours before its handler runs. All answers are kept out of caches and frames. Work that may wait
for the database runs in a thread.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from anyio import CapacityLimiter, to_thread
from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from rollbook.auth.cookies import Cookie, Jar
from rollbook.auth.oauth import VENDOR
from rollbook.auth.oidc import Signer
from rollbook.auth.services import Services
from rollbook.errors import Busy, MachineTrouble, RollbookError, SignInStopped
from rollbook.settings import Settings, base_url
from rollbook.store.accounts import logins
from rollbook.store.accounts.applications import Application
from rollbook.store.accounts.logins import Session
from rollbook.store.district import districts
from rollbook.store.district.districts import District
from rollbook.store.engine.database import Database, Transaction
from rollbook.store.engine.keys import Sealer
from rollbook.store.records import people_lookup
from rollbook.urls import networks
from rollbook.web.http import inline_or_thread, kept_parts
from rollbook.web.http.demo_lines import ARRIVED
from rollbook.web.http.request_tap import note
from rollbook.web.http.safety_headers import safety

FORM_BYTES_MAX = 64 * 1024
NUL_SHOWN = "\ufffd"
# Argon2id takes 19 MiB and a core for each attempt, and other servers may let us wait. Neither may use all
# threads.
COSTLY_MAX = 4
# How often to retry a write that conflicts with others at the same moment. In each round at least one of them
# succeeds.
WRITES_MAX = 10


@dataclass(slots=True)
class Visit:
    """One request to sign-in. `form_cookie` is the cookie that the answer's forms will be checked against.

    `session` is set once it was looked up. `note` is a word for the request log. `files` is the folder with the
    files of an upload.
    """

    method: str
    path: str
    parts: Mapping[str, str]
    query: list[tuple[str, str]]
    form: dict[str, str]
    cookies: Mapping[str, str]
    address: str
    form_cookie: str = ""
    session: Session | None = None
    put: list[Cookie] = field(default_factory=list)
    note: str = ""
    files: Path | None = None

    def asked(self, name: str) -> str:
        """A parameter of the query, or of the form if there is one."""
        return self.form[name] if name in self.form else dict(self.query).get(name, "")


@dataclass(frozen=True, slots=True)
class Who:
    """A signed-in person: the name (blank if the roster no longer has them), the district's name, and the
    portal's path."""

    name: str
    district: str
    portal: str


Handler = Callable[["Desk", Visit], Response]
Result = TypeVar("Result")


class Desk:
    """What all sign-in pages need."""

    def __init__(
        self, database: Database, settings: Settings, sealer: Sealer, templates: Environment, *, in_demo: bool
    ) -> None:
        self.database = database
        self.settings = settings
        self.sealer = sealer
        self.templates = templates
        self.in_demo = in_demo
        self.base = base_url(settings)
        self.signer = Signer(database, sealer)
        self.services = Services(networks(settings.signin_networks))
        self._jar: Jar | None = None

    @property
    def jar(self) -> Jar:
        if self._jar is None:
            self._jar = Jar(self.sealer.derive("forms"), is_secure=self.base.startswith("https:"))
        return self._jar

    def at(
        self, handler: Handler, *, few: CapacityLimiter | None = None, is_quick: bool = False
    ) -> Callable[[Request], Awaitable[Response]]:
        """The handler as an endpoint. `few` limits its threads, if it waits for others or computes for long.

        An `is_quick` handler needs no thread while nothing blocks, so it must write to the database before it
        sets cookies.
        """

        async def endpoint(request: Request) -> Response:
            visit = await visit_of(request)
            try:
                if is_quick:
                    response = await self._quickly(handler, visit)
                else:
                    response = await to_thread.run_sync(self._answer, handler, visit, limiter=few)
            except Busy:
                busy = SignInStopped(
                    "The server is busy with a large update.", "nobody needs to; try again in a minute", 503
                )
                response = await to_thread.run_sync(self._stopped, visit, busy)
            if visit.note:
                note(request.scope, stopped=visit.note)
            for cookie in visit.put:
                response.headers.append("set-cookie", cookie.header())
            response.headers["cache-control"] = "no-store"
            return response

        return endpoint

    async def _quickly(self, handler: Handler, visit: Visit) -> Response:
        try:
            return await inline_or_thread.done(self.database, self._answer, handler, visit)
        except Busy:
            if self.database.is_local:
                raise
            # If two transactions conflict, PostgreSQL refuses one. The retry sees what the other has written.
            return await to_thread.run_sync(self._answer, handler, visit)

    def _answer(self, handler: Handler, visit: Visit) -> Response:
        try:
            self._check_form(visit)
            response = handler(self, visit)
            self._touch(visit)
            return response
        except SignInStopped as error:
            visit.note = error.note
            return self._stopped(visit, error)
        except (Busy, MachineTrouble):
            raise
        except RollbookError:
            logging.getLogger(__name__).exception(
                "no answer to %s %s", visit.method, kept_parts.path(visit.path)
            )
            broken = SignInStopped(
                "Something went wrong here.", "the people who run this server; its log says more", 500
            )
            return self._stopped(visit, broken)

    def _check_form(self, visit: Visit) -> None:
        """Refuse a form that is not ours (cross-site request forgery).

        An application's POST to `/oauth/authorize` has no effect: it becomes a redirect to the same request
        as GET.
        """
        visit.form_cookie = visit.cookies.get(self.jar.form, "")
        if visit.method != "POST" or visit.path == "/oauth/authorize":
            return
        if not self.jar.is_ours(visit.form_cookie, visit.form.get("form", "")):
            raise SignInStopped(
                "This form has expired.", "you; go back, reload the page, and send the form again", 403
            )

    def write(self, work: Callable[[Transaction], Result], *, is_durable: bool = True) -> Result:
        """Do `work` in a transaction that writes. It must change nothing else, because it may be repeated.

        If two transactions conflict, PostgreSQL refuses one. The retry sees what the other has written.
        """
        for _ in range(WRITES_MAX - 1):
            with (
                suppress(*(() if self.database.is_local else (Busy,))),
                self.database.write(is_durable=is_durable) as transaction,
            ):
                return work(transaction)
        with self.database.write(is_durable=is_durable) as transaction:
            return work(transaction)

    # Answers ---------------------------------------------------------------------------------------

    def page(
        self, visit: Visit, template: str, *, status: int = 200, leads_to: str = "", **context: object
    ) -> HTMLResponse:
        """A page. `leads_to` is the address to which its forms may finally be redirected."""
        if not visit.form_cookie:
            cookie = self.jar.new_form()
            visit.form_cookie = cookie.value
            visit.put.append(cookie)
        shown = self.templates.get_template(template).render(
            form=self.jar.form_token(visit.form_cookie), **context
        )
        return HTMLResponse(shown, status, safety(" ".join(("'self'", _origin(leads_to))).strip()))

    def _stopped(self, visit: Visit, error: SignInStopped) -> Response:
        """The page of an error.

        A signed-in person can sign out there, so another person's session is no dead end.
        """
        who = self._who(visit)
        return self.page(
            visit,
            "signin/stopped.html",
            status=error.status,
            message=str(error),
            mender=error.mender,
            ask=error.ask,
            hints=error.hints,
            who=who,
            district=who.district if who else "",
        )

    def redirect(self, address: str, status: int = 302) -> Response:
        return RedirectResponse(address, status, {"Referrer-Policy": "no-referrer"})

    def redirect_uris(self, application: Application) -> tuple[str, ...]:
        """Where logins to an application may return.

        For a demo's application, a page of this server is added.
        """
        own = (f"{self.base}{ARRIVED}",) if application.is_demo else ()
        return (*application.redirect_uris, *own)

    # Who -------------------------------------------------------------------------------------------

    def session(self, transaction: Transaction, visit: Visit) -> Session | None:
        secret = visit.cookies.get(self.jar.session)
        idle = self.settings.session_idle_seconds
        visit.session = logins.session(transaction, secret, idle_seconds=idle) if secret else None
        return visit.session

    def _touch(self, visit: Visit) -> None:
        """Note that a session is in use.

        If another process is writing the database, skip this: the next request will note it.
        """
        if visit.session and logins.needs_touch(
            visit.session, idle_seconds=self.settings.session_idle_seconds
        ):
            unwaiting = self.database.without_waiting() if self.database.is_local else nullcontext()
            with suppress(Busy), unwaiting, self.database.write(is_durable=False) as transaction:
                logins.touch(transaction, visit.session)

    def _who(self, visit: Visit) -> Who | None:
        """The signed-in person; None if there is none, or if the database is too busy to say."""
        try:
            with self.database.read() as transaction:
                session = self.session(transaction, visit)
                if session is None:
                    return None
                district = districts.by_number(transaction, session.district)
                person = people_lookup.get(
                    transaction, people_lookup.whole(transaction, session.district), session.user_id
                )
        except Busy:
            return None
        return Who(person.name if person else "", district.name, f"/in/{districts.slug(district)}")

    def district_of(self, transaction: Transaction, visit: Visit, district_id: str) -> District | None:
        """The requested district, else this browser's last one, else the only one.

        Errors: SignInStopped for a requested district that does not exist.
        """
        if district_id:
            asked = districts.by_id(transaction, district_id)
            if asked is None:
                raise SignInStopped("This sign-in link names a district that is not on this server.", VENDOR)
            return asked
        return districts.by_id(transaction, visit.cookies.get(self.jar.district, "")) or districts.only(
            transaction
        )


def _origin(address: str) -> str:
    """The part of an address that a content policy names."""
    parts = urlsplit(address)
    if parts.scheme in ("http", "https"):
        return f"{parts.scheme}://{parts.netloc}"
    return f"{parts.scheme}:" if parts.scheme else ""


def asked_before(ask: str) -> list[tuple[str, str]]:
    """The parameters of `/oauth/authorize` that our pages have carried along."""
    return parse_qsl(ask[:FORM_BYTES_MAX], keep_blank_values=True)


def way_back(ask: str) -> str:
    """Our own path back to the application's request.

    It is built anew, so nothing else can be in it (no open redirect).
    """
    return f"/oauth/authorize?{urlencode(asked_before(ask))}"


def onward(ask: str, slug: str) -> str:
    """Where a sign-in leads: back to the application that asked, through our own path, or to the portal."""
    return way_back(ask) if ask else f"/in/{slug}"


def chunks(request: Request) -> AsyncIterator[bytes]:
    """The body of a request as it comes, without a bound: its reader has one."""
    return request.stream()


async def visit_of(request: Request, *, reads_body: bool = True) -> Visit:
    """A request as the pages for people read it; without its body if another function reads that."""
    is_form = reads_body and request.method == "POST"
    body = (await limited_body(request)).decode("utf-8", "replace") if is_form else ""
    # PostgreSQL accepts no NUL. It is replaced, never removed: without it, the value could equal another,
    # known one.
    form = {name: value.replace("\0", NUL_SHOWN) for name, value in parse_qsl(body)}
    return Visit(
        method=request.method,
        path=request.url.path,
        parts=request.path_params,
        query=[
            (name, value.replace("\0", NUL_SHOWN))
            for name, value in parse_qsl(request.url.query, keep_blank_values=True)
        ],
        form=form,
        cookies=request.cookies,
        address=address_of(request),
    )


def address_of(request: Request) -> str:
    """The address that a request comes from; blank if it is not an address, because a proxy may pass on any
    text."""
    host = request.client.host if request.client else ""
    try:
        return str(ip_address(host))
    except ValueError:
        return ""


async def limited_body(request: Request, bytes_max: int = FORM_BYTES_MAX) -> bytes:
    """The body, up to a maximum size; the rest is not read. Blank for a larger one."""
    body = b""
    async for chunk in chunks(request):
        body += chunk
        if len(body) > bytes_max:
            return b""
    return body

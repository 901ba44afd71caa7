"""What all pages of the console share: who asks, for which district, and how a page is answered.

A page is a row (`Page`). Its function returns `Shown`: a template and the content that it shows. The same
content is the answer at the page's address plus `.json`, and its rows at the address plus `.csv`.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import urlencode

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from rollbook.auth.cookies import Jar
from rollbook.domain.actors import OPERATOR, Actor
from rollbook.errors import BadSetting, Busy, Conflict, Forbidden, MachineTrouble, RollbookError, Unknown
from rollbook.operations import acting, console_entry, uploads
from rollbook.store.district import districts
from rollbook.store.district.districts import District
from rollbook.store.engine.database import Database, Transaction
from rollbook.store.operators import operator_accounts
from rollbook.store.operators.operator_accounts import ConsoleSession
from rollbook.web.console import console_times, page_files
from rollbook.web.console.thread_pools import Pool
from rollbook.web.http import kept_parts
from rollbook.web.http.page_compression import compressed
from rollbook.web.http.request_tap import RequestTap
from rollbook.web.http.safety_headers import safety
from rollbook.web.http.uploaded_files import take
from rollbook.web.http.visits import Desk, Visit, chunks, visit_of

HTML, JSON, CSV = "html", "json", "csv"
# How many districts the bar offers; the overview finds the others.
OFFERED = 12
# How many digits are read of a number in a query or a form; no page needs more.
DIGITS_MAX = 18
# How long a sentence waits for the page that shows it after a form.
SAID_SECONDS, SAID = 60, "said in the console"
# How many threads the console may use, and how many requests wait for those that compute for long.
THREADS, COSTLY, ENTERING, OUTSIDE, WAITING_MAX = 8, 2, 2, 4, 16
VISITOR = "Visitor of the demo"
STATUS: tuple[tuple[type[RollbookError], int], ...] = (
    (Forbidden, 403),
    (Unknown, 404),
    (Busy, 503),
    (MachineTrouble, 503),
    (Conflict, 409),
    (BadSetting, 400),
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A page: its template, and the content that the template and `.json` show.

    `rows` are the page's table for `.csv`, the heads first. `leave_out` names content that only the template
    gets, such as drawings.
    """

    template: str
    content: Mapping[str, Any]
    status: int = 200
    rows: Iterable[Sequence[object]] | None = None
    leave_out: tuple[str, ...] = ()


@dataclass(slots=True)
class Ask:
    """One request to the console, by a person who may make it.

    `district` is that of the address. `form` is html, json or csv.
    """

    visit: Visit
    actor: Actor
    form: str = HTML
    found: District | None = None

    @property
    def district(self) -> District:
        """The district of the address. Errors: Unknown if the page has none."""
        if self.found is None:
            raise Unknown("this page needs a district")
        return self.found

    @property
    def slug(self) -> str:
        return districts.slug(self.district)

    @property
    def place(self) -> str:
        """The path of the district's pages."""
        return f"/console/d/{self.slug}"

    def asked(self, name: str, default: str = "") -> str:
        """A parameter of the query or the form, without blanks around it."""
        return self.visit.asked(name).strip() or default

    def number(self, name: str, *, least: int = 0, most: int = 1_000_000) -> int:
        """A whole number of the query within bounds; the smallest one if there is none."""
        text = self.asked(name)
        if not (text.isascii() and text.isdigit()):
            return least
        # Python refuses to read a number of thousands of digits.
        return min(max(int(text[:DIGITS_MAX]), least), most)


Handler = Callable[["Console", Ask], "Shown | Response"]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the console, and its entry in the sidebar if it has a title.

    `path` may hold `{slug}`, the district's name in addresses. `needs` is a permission of `domain.actors`.
    `show` answers GET and `send` POST. An entry without `{slug}` stands on every page, the others only on
    those of a district. `is_open`: people who are not signed in may ask, too. `is_costly`: `send` computes for
    long, so few may run at once. `waits`: `send` waits for another server, in threads of its own.
    `takes_files`: `send` gets the files of an upload.
    """

    name: str
    path: str
    needs: str
    show: Handler | None = None
    send: Handler | None = None
    title: str = ""
    group: str = ""
    is_open: bool = False
    is_costly: bool = False
    waits: bool = False
    takes_files: bool = False


# The groups of the sidebar, in order. Entries of the first one have no heading.
GROUPS = ("", "District", "Sharing", "Developers", "Settings", "Demo")


@dataclass(slots=True)
class Console:
    """What all pages need. `pages` are all rows, for the sidebar; `tap` has the request log, if one is kept."""

    desk: Desk
    pages: tuple[Page, ...]
    tap: RequestTap | None = None
    threads: Pool = field(default_factory=lambda: Pool(THREADS))
    few: Pool = field(default_factory=lambda: Pool(COSTLY, WAITING_MAX))
    waiting: Pool = field(default_factory=lambda: Pool(OUTSIDE, WAITING_MAX))
    entering: Pool = field(default_factory=lambda: Pool(ENTERING, WAITING_MAX))

    @property
    def database(self) -> Database:
        return self.desk.database

    @property
    def jar(self) -> Jar:
        return self.desk.jar.for_console()

    # Requests ----------------------------------------------------------------------------------------

    def at(self, page: Page, handler: Handler, form: str = HTML) -> Callable[[Request], Awaitable[Response]]:
        """A page's function as an endpoint."""

        async def endpoint(request: Request) -> Response:
            takes_files = page.takes_files and request.method == "POST"
            visit = await visit_of(request, reads_body=not takes_files)
            response = await self._take(page, visit, request) if takes_files else None
            if response is None:
                response = await self._pool(page, visit).run(self._answer, page, handler, visit, form)
            if visit.files and response.status_code >= 400:
                await to_thread.run_sync(partial(shutil.rmtree, visit.files, ignore_errors=True))
            for cookie in visit.put:
                response.headers.append("set-cookie", cookie.header())
            response.headers["cache-control"] = "no-store"
            # A page that repeats a text from its address stays as it is (BREACH).
            is_plain = request.method != "GET" or request.url.query
            return response if is_plain else compressed(request, response)

        return endpoint

    def _pool(self, page: Page, visit: Visit) -> Pool:
        if visit.method != "POST" or not (page.is_costly or page.waits):
            return self.threads
        if page.waits:
            return self.waiting
        return self.entering if page.is_open else self.few

    def _answer(self, page: Page, handler: Handler, visit: Visit, form: str) -> Response:
        actor = self._actor(visit)
        if actor is None and not page.is_open:
            return self._must_sign_in(visit, form)
        ask = Ask(visit, actor or Actor("", ""), form)
        try:
            self._check_form(visit)
            if not page.is_open:
                self._check_role(page, ask)
            answer = handler(self, ask)
            return self._shown(page, ask, answer) if isinstance(answer, Shown) else answer
        except MachineTrouble:
            raise
        except RollbookError as error:
            return self._refused(page, ask, error)

    async def _take(self, page: Page, visit: Visit, request: Request) -> Response | None:
        """Keep the files of an upload, if the person may send any; else the answer that refuses them."""
        settings = self.desk.settings
        asked = await to_thread.run_sync(self._may_send, page, visit)
        if isinstance(asked, Response):
            return asked
        folder = await to_thread.run_sync(uploads.new, settings, asked.district)
        try:
            content_type = request.headers.get("content-type", "")
            visit.form = await take(chunks(request), content_type, folder, settings.upload_bytes_max)
        except RollbookError as error:
            return await to_thread.run_sync(self._refused, page, asked, error)
        visit.files = folder
        return None

    def _may_send(self, page: Page, visit: Visit) -> Ask | Response:
        """The request, with the district that files are for, before anything of its body is read."""
        actor = self._actor(visit)
        if actor is None:
            return self._must_sign_in(visit, HTML)
        ask = Ask(visit, actor)
        try:
            self._check_role(page, ask)
        except RollbookError as error:
            return self._refused(page, ask, error)
        return ask

    def _actor(self, visit: Visit) -> Actor | None:
        """Who asks. A demo's console is open: its visitor may do everything."""
        if self.desk.in_demo:
            return Actor(VISITOR, OPERATOR, address=visit.address)
        secret = visit.cookies.get(self.jar.session, "")
        if not secret:
            return None
        idle = self.desk.settings.session_idle_seconds
        with self.database.read() as transaction:
            found = operator_accounts.session(transaction, secret, idle_seconds=idle)
        if found is None:
            return None
        if operator_accounts.needs_touch(found, idle_seconds=idle):
            self._touch(found)
        account = found.operator
        return Actor(account.name, account.role, account.district, account.number, visit.address)

    def _touch(self, found: ConsoleSession) -> None:
        """Note that a session is in use. If another process writes, the next request will note it."""
        unwaiting = self.database.without_waiting() if self.database.is_local else nullcontext()
        with suppress(Busy), unwaiting, self.database.write(is_durable=False) as transaction:
            console_entry.touch(transaction, found)

    def _must_sign_in(self, visit: Visit, form: str) -> Response:
        if form != HTML:
            return Response('{"error":"sign in to the console first"}', 401, safety(), "application/json")
        onward = f"?{urlencode({'next': visit.path})}" if visit.path != "/console" else ""
        return self.redirect(f"/console/sign-in{onward}")

    def _check_form(self, visit: Visit) -> None:
        """Refuse a form that is not ours (cross-site request forgery)."""
        visit.form_cookie = visit.cookies.get(self.jar.form, "")
        if visit.method == "POST" and not self.jar.is_ours(visit.form_cookie, visit.form.get("form", "")):
            raise Forbidden("This form has expired. Go back, reload the page, and send the form again.")

    def _check_role(self, page: Page, ask: Ask) -> None:
        """Errors: Forbidden; Unknown for a district that the person does not see."""
        slug = ask.visit.parts.get("slug")
        if slug is None:
            if not ask.actor.may_somewhere(page.needs):
                raise Forbidden(f"Your role is {ask.actor.role}. It has no permission to {page.needs}.")
            return
        with self.database.read() as transaction:
            found = districts.by_slug(transaction, slug)
        if found is None:
            raise Unknown("There is no district at this address.")
        try:
            ask.found = acting.check(ask.actor, page.needs, self.database, found.id)
        except Unknown:
            raise Unknown("There is no district at this address.") from None

    # Answers -----------------------------------------------------------------------------------------

    def redirect(self, address: str, status: int = 303) -> Response:
        return RedirectResponse(address, status, {"Referrer-Policy": "no-referrer"})

    def said(self, ask: Ask, sentence: str, address: str) -> Response:
        """Lead to a page that shows the sentence once, at its top."""
        sealed = self.desk.sealer.seal(sentence, SAID)
        ask.visit.put.append(self.jar.put(self.jar.said, sealed, SAID_SECONDS))
        return self.redirect(address)

    def _shown(self, page: Page, ask: Ask, shown: Shown) -> Response:
        if ask.form == JSON:
            told = {name: value for name, value in shown.content.items() if name not in shown.leave_out}
            return Response(page_files.as_json(told), shown.status, safety(), "application/json")
        if ask.form == CSV:
            if shown.rows is None:
                raise Unknown("This page has no table for a CSV file.")
            headers = {**safety(), "Content-Disposition": f'attachment; filename="{page.name}.csv"'}
            return Response(page_files.as_csv(shown.rows), shown.status, headers, "text/csv; charset=utf-8")
        return self._page(page, ask, shown)

    def _page(self, page: Page, ask: Ask, shown: Shown) -> Response:
        form = self.jar.form_token(self.form_cookie(ask.visit))
        body = self.desk.templates.get_template(f"console/{shown.template}").render(
            form=form, **self._frame(page, ask), **shown.content
        )
        return HTMLResponse(body, shown.status, safety("'self'"))

    def form_cookie(self, visit: Visit) -> str:
        """The cookie that this browser's forms are checked against; a new one if it has none."""
        if not visit.form_cookie:
            cookie = self.jar.new_form()
            visit.form_cookie = cookie.value
            visit.put.append(cookie)
        return visit.form_cookie

    def _frame(self, page: Page, ask: Ask) -> dict[str, object]:
        """What the frame shows around each page."""
        with self.database.read() as transaction:
            now = districts.now(transaction) if self.desk.in_demo else time.time()
            offered = [
                {"name": each.name, "address": f"/console/d/{districts.slug(each)}"}
                for each in _offered(transaction, ask.actor)
            ]
        return {
            "actor": ask.actor,
            "page": page.name,
            "here": ask.visit.path,
            "said": self._last_said(ask.visit),
            "offered": offered,
            "in_district": {"name": ask.district.name, "address": ask.place} if ask.found else None,
            "sidebar": self._sidebar(ask),
            # Runs bear the calendar of the roster, which a demo moves; acts and jobs bear the real time.
            "ago": console_times.ago(now),
            "done_ago": console_times.ago(time.time()),
        }

    def _sidebar(self, ask: Ask) -> list[tuple[str, list[tuple[str, str, str]]]]:
        """The sidebar: each group with the name, the title and the address of its entries."""
        slug = ask.slug if ask.found else ""
        number = ask.found.number if ask.found else None
        groups = []
        for group in GROUPS:
            entries = [
                (page.name, page.title, page.path.replace("{slug}", slug))
                for page in self.pages
                if page.group == group and page.title
                if (ask.actor.may(page.needs, number) if "{slug}" in page.path else self._offers(page, ask))
                if slug or "{slug}" not in page.path
            ]
            if entries:
                groups.append((group, entries))
        return groups

    def _offers(self, page: Page, ask: Ask) -> bool:
        return bool(ask.actor.role) and ask.actor.may_somewhere(page.needs)

    def _last_said(self, visit: Visit) -> str:
        sealed = visit.cookies.get(self.jar.said, "")
        if not sealed:
            return ""
        visit.put.append(self.jar.drop(self.jar.said))
        try:
            return self.desk.sealer.open(sealed, SAID, seconds=SAID_SECONDS)
        except RollbookError:
            return ""

    def _refused(self, page: Page, ask: Ask, error: RollbookError) -> Response:
        """The page of an error: one clear sentence, and a way back."""
        status = next((code for kind, code in STATUS if isinstance(error, kind)), 400)
        if not isinstance(error, tuple(kind for kind, _ in STATUS)):
            logging.getLogger(__name__).info(
                "%s %s: %s", ask.visit.method, kept_parts.path(ask.visit.path), error
            )
        if ask.form != HTML:
            return Response(page_files.as_json({"error": str(error)}), status, safety(), "application/json")
        text = str(error)
        back = ask.visit.path if ask.visit.method == "POST" and page.show else "/console"
        content = {"message": text[:1].upper() + text[1:], "back": back, "status": status}
        return self._page(page, ask, Shown("stopped.html", content, status))


def _offered(transaction: Transaction, actor: Actor) -> list[District]:
    """The districts that the bar offers to a person: their own one, or the first of all."""
    if not actor.may_somewhere("see districts"):
        return []
    if actor.district is not None:
        return [districts.by_number(transaction, actor.district)]
    return districts.first(transaction, OFFERED)

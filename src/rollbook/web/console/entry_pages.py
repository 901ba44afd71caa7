"""How people enter the console: the link of an invitation, signing in and out, and their own account."""

from __future__ import annotations

import io
import re
from typing import Any

import orjson
import segno
from markupsafe import Markup
from starlette.responses import Response

from rollbook.auth import one_time_codes
from rollbook.errors import BadSetting, Busy, Forbidden, Refused, RollbookError
from rollbook.operations import console_entry, passkey_entry, team
from rollbook.operations.console_entry import PASSWORD_MIN, Typed
from rollbook.operations.passkey_entry import Browser, Wanted
from rollbook.web.console.console_frame import Ask, Console, Page, Shown

# How long a person may take between the two steps of a link.
STEP_SECONDS, STEP = 1800, "first step of a link"
# Where a sign-in may lead: a page of the console, and nothing else (no open redirect).
_ONWARD = re.compile(r"/console(/[A-Za-z0-9._~/-]*)?")


def sign_in_page(console: Console, ask: Ask) -> Shown | Response:
    """The form to sign in. A person who is signed in goes on at once."""
    if ask.actor.role:
        return console.redirect(_onward(ask))
    return _sign_in(console, ask, "", 200)


def _sign_in(console: Console, ask: Ask, message: str, status: int) -> Shown:
    desk = console.desk
    asked = passkey_entry.asked_to_sign_in(desk.settings, desk.sealer, _browser(console, ask))
    content = {
        "message": message,
        "name": ask.visit.form.get("name", ""),
        "next": _onward(ask),
        "passkey": asked,
    }
    return Shown("sign_in.html", content, status)


def _browser(console: Console, ask: Ask) -> Browser:
    """The browser, by the cookie that its forms are checked against."""
    return Browser(console.form_cookie(ask.visit), ask.visit.address)


def sign_in(console: Console, ask: Ask) -> Shown | Response:
    """Sign in by name, password and one-time code."""
    desk, given = console.desk, ask.visit.form
    typed = Typed(
        given.get("name", "").strip(), given.get("password", ""), given.get("code", ""), ask.visit.address
    )
    try:
        secret = console_entry.sign_in(console.database, desk.settings, desk.sealer, typed)
    except (BadSetting, Busy):
        raise
    except Refused as error:
        return _sign_in(console, ask, str(error), _status(error))
    return _entered(console, ask, secret)


def sign_in_by_passkey(console: Console, ask: Ask) -> Shown | Response:
    """Sign in with a passkey, whose answer a script has put into the form."""
    desk, answer = console.desk, ask.visit.form.get("answer", "")
    browser = _browser(console, ask)
    try:
        secret = passkey_entry.sign_in(console.database, desk.settings, desk.sealer, browser, answer)
    except Busy:
        raise
    except Refused as error:
        return _sign_in(console, ask, str(error), _status(error))
    return _entered(console, ask, secret)


def _status(error: Refused) -> int:
    return 429 if str(error) == console_entry.WAIT else 401


def _entered(console: Console, ask: Ask, secret: str) -> Response:
    seconds = console.desk.settings.session_seconds
    ask.visit.put.append(console.jar.put(console.jar.session, secret, seconds))
    return console.redirect(_onward(ask))


def _onward(ask: Ask) -> str:
    wanted = ask.asked("next")
    return wanted if _ONWARD.fullmatch(wanted) and "//" not in wanted else "/console"


def welcome_page(_: Console, ask: Ask) -> Shown:
    """The first step of a link: a name and a password. A script takes the link's secret from the address."""
    return _welcome(ask, "", 200)


def _welcome(ask: Ask, message: str, status: int) -> Shown:
    given = ask.visit.form
    content = {
        "message": message,
        "link": given.get("link", ""),
        "name": given.get("name", ""),
        "least": PASSWORD_MIN,
    }
    return Shown("welcome.html", content, status)


def welcome(console: Console, ask: Ask) -> Shown | Response:
    """The steps of a link: choose a name and a password; then show that a phone makes the codes."""
    return _finish(console, ask) if ask.visit.form.get("kept") else _choose(console, ask)


def _choose(console: Console, ask: Ask) -> Shown:
    given = ask.visit.form
    # People paste the whole address, too.
    secret = given.get("link", "").strip().rpartition("#")[2]
    try:
        found = console_entry.look_up(console.database, secret)
        name = console_entry.check_choice(found, given.get("name", ""), given.get("password", ""))
    except Refused as error:
        return _welcome(ask, str(error), 400)
    kept = {
        "link": secret,
        "name": name,
        "password": given["password"],
        "codes": one_time_codes.new_secret(),
    }
    return _codes(console, ask, kept, "", 200)


def _codes(console: Console, ask: Ask, kept: dict[str, str], message: str, status: int) -> Shown:
    """The second step: a passkey, or one-time codes. Its forms carry the first one, sealed."""
    desk, browser = console.desk, _browser(console, ask)
    asked = passkey_entry.asked_to_begin(desk.settings, desk.sealer, kept["link"], kept["name"], browser)
    drawn = io.BytesIO()
    address = one_time_codes.address(kept["codes"], kept["name"])
    segno.make(address, error="m").save(drawn, kind="svg", scale=5, border=4, xmldecl=False, svgns=True)
    content = {
        "message": message,
        "name": kept["name"],
        "codes": kept["codes"],
        "passkey": orjson.dumps(asked).decode() if asked else "",
        "drawing": Markup(drawn.getvalue().decode()),  # noqa: S704 - made here, of modules only
        "kept": console.desk.sealer.seal(orjson.dumps(kept).decode(), STEP),
    }
    return Shown("codes.html", content, status)


def _finish(console: Console, ask: Ask) -> Shown | Response:
    sealer, given = console.desk.sealer, ask.visit.form
    try:
        kept = orjson.loads(sealer.open(given["kept"], STEP, seconds=STEP_SECONDS))
    except RollbookError:
        return _welcome(ask, "This took too long. Begin again with your link.", 400)
    typed = Typed(kept["name"], kept["password"], given.get("code", ""), ask.visit.address)
    if "answer" in given:
        return _finish_by_passkey(console, ask, kept, typed)
    try:
        console_entry.begin(console.database, sealer, kept["link"], typed, kept["codes"])
    except BadSetting as error:
        return _codes(console, ask, kept, str(error), 400)
    except Refused as error:
        return _welcome(ask, str(error), 409)
    return console.said(ask, f"{kept['name']} may sign in now, with the next code.", "/console/sign-in")


def _finish_by_passkey(console: Console, ask: Ask, kept: dict[str, str], typed: Typed) -> Shown | Response:
    desk, browser = console.desk, _browser(console, ask)
    wanted = Wanted(passkey_entry.FIRST, kept["codes"], ask.visit.form["answer"])
    try:
        passkey_entry.begin(
            console.database, desk.settings, desk.sealer, browser, kept["link"], typed, wanted
        )
    except Busy:
        raise
    except Refused as error:
        if str(error) in passkey_entry.TRY_AGAIN:
            return _codes(console, ask, kept, str(error), 400)
        return _welcome(ask, str(error), 409)
    said = f"{kept['name']} may sign in now, with the passkey."
    return console.said(ask, said, "/console/sign-in")


def account(console: Console, ask: Ask) -> Shown:
    """Who is signed in, and their passkeys. A demo's visitor has no account, so they have none."""
    return _account(console, ask, "", 200)


def _account(console: Console, ask: Ask, message: str, status: int) -> Shown:
    desk, actor = console.desk, ask.actor
    content: dict[str, Any] = {"name": actor.name, "role": actor.role, "message": message, "passkeys": []}
    if actor.number:
        browser = _browser(console, ask)
        content |= {
            "passkeys": [
                {"name": each.name, "created": each.created, "used": each.used}
                for each in passkey_entry.list_of(console.database, actor.name)
            ],
            "passkey": passkey_entry.asked_to_add(
                console.database, desk.settings, desk.sealer, actor, browser
            ),
            "nowhere": passkey_entry.NOWHERE.format(base=desk.base),
            "typed": ask.visit.form.get("name", ""),
        }
    return Shown("account.html", content, status, leave_out=("message", "nowhere", "typed"))


def change_account(console: Console, ask: Ask) -> Shown | Response:
    """Add a passkey to the person's own account, or remove one."""
    desk, actor, given = console.desk, ask.actor, ask.visit.form
    if not actor.number:
        raise Forbidden("A demo's visitor has no account.")
    name = given.get("name", "")
    if given.get("act") == "remove":
        passkey_entry.remove(console.database, actor.name, name, address=actor.address)
        return console.said(ask, f"The passkey {name} is removed.", "/console/account")
    wanted = Wanted(name, given.get("code", ""), given.get("answer", ""))
    browser = _browser(console, ask)
    try:
        passkey_entry.add(console.database, desk.settings, desk.sealer, actor, browser, wanted)
    except Busy:
        raise
    except Refused as error:
        return _account(console, ask, str(error), 400)
    return console.said(ask, f"The passkey {name} is added. You can sign in with it.", "/console/account")


def sign_out(console: Console, ask: Ask) -> Response:
    """End the session of this browser."""
    secret = ask.visit.cookies.get(console.jar.session, "")
    console_entry.sign_out(console.database, secret, ask.actor)
    ask.visit.put.append(console.jar.drop(console.jar.session))
    return console.redirect("/console/sign-in")


PAGES = (
    Page("sign-in", "/console/sign-in", "sign in", sign_in_page, sign_in, is_open=True, is_costly=True),
    Page("sign-in-by-passkey", "/console/sign-in/passkey", "sign in", send=sign_in_by_passkey, is_open=True),
    Page("welcome", team.WELCOME, "sign in", welcome_page, welcome, is_open=True, is_costly=True),
    Page("account", "/console/account", "sign in", account, change_account),
    Page("sign-out", "/console/sign-out", "sign in", send=sign_out),
)

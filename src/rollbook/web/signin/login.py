"""Signing in: find one's school, its login page, badges, the portal, and sign out.

No answer reveals whether a person exists: a wrong name and a wrong password look the same and take the same
time. In a demo, people are chosen from a list; other servers have no such page.
"""

from __future__ import annotations

from urllib.parse import urlencode

from anyio import CapacityLimiter
from starlette.responses import Response
from starlette.routing import Route

from rollbook.auth import passwords, throttle
from rollbook.auth.cookies import DISTRICT_SECONDS
from rollbook.auth.throttle import Limit
from rollbook.errors import SignInStopped
from rollbook.store.accounts import applications, audit, credentials, logins
from rollbook.store.accounts.applications import Application
from rollbook.store.district import districts
from rollbook.store.district.districts import District
from rollbook.store.engine.database import Transaction
from rollbook.store.records import people_lookup, roster_overview
from rollbook.web.http.visits import COSTLY_MAX, Desk, Visit, asked_before, onward
from rollbook.web.signin import people_list, portal

FOUND_MAX = 20
# The second is the address that people know from Clever.
BADGES = ("/badge", "/badges")
MISFIT = "The username or password is wrong."
NO_BADGE = "This code does not work. Check the letters, or ask your teacher for a new badge."
WAIT = "Too many attempts. Try again in a little while, a quarter of an hour at most, or use a badge."


def routes(desk: Desk) -> list[Route]:
    return [
        Route("/login", desk.at(find_school), methods=["GET"]),
        Route("/in/{slug}", desk.at(arrive), methods=["GET"]),
        Route("/in/{slug}", desk.at(sign_in, few=CapacityLimiter(COSTLY_MAX)), methods=["POST"]),
        *(Route(path, desk.at(badge), methods=["GET"]) for path in BADGES),
        *(Route(path, desk.at(sign_in_by_badge), methods=["POST"]) for path in BADGES),
        Route("/logout", desk.at(sign_out), methods=["POST"]),
    ]


# Finding one's school ------------------------------------------------------------------------------


def find_school(desk: Desk, visit: Visit) -> Response:
    """Search for a school or district by name, unless there is one district, or a demo's few."""
    text, ask = visit.asked("q").strip()[:100], visit.asked("ask")
    with desk.database.read() as transaction:
        session = desk.session(transaction, visit)
        if session and not text and not ask:
            return desk.redirect(f"/in/{districts.slug(districts.by_number(transaction, session.district))}")
        only = districts.only(transaction)
        found = roster_overview.search(transaction, text, FOUND_MAX + 1) if len(text) > 1 else []
        if desk.in_demo and not text:
            found = [(district, "") for district in districts.first(transaction, FOUND_MAX + 1)]
    if only:
        return desk.redirect(_login_address(only, ask))
    shown = [
        (_login_address(district, ask), school or district.name, district.name if school else "")
        for district, school in found
    ]
    return desk.page(
        visit,
        "signin/find.html",
        q=text,
        ask=ask,
        found=shown[:FOUND_MAX],
        tally=f"The first {FOUND_MAX}: write more of the name"
        if len(shown) > FOUND_MAX
        else f"{len(shown)} found",
        application=_name_of(desk, ask),
    )


def _login_address(district: District, ask: str) -> str:
    return f"/in/{districts.slug(district)}" + (f"?{_query(ask=ask)}" if ask else "")


# A district's login page, or its portal ------------------------------------------------------------


def arrive(desk: Desk, visit: Visit) -> Response:
    """The login page of a district; a person who is signed in there sees the portal."""
    with desk.database.read() as transaction:
        district = _district(transaction, visit)
        session = desk.session(transaction, visit)
        if session and session.district == district.number and not visit.asked("ask"):
            return portal.page(desk, visit, transaction, district, session)
    return _login_page(desk, visit, district)


def sign_in(desk: Desk, visit: Visit) -> Response:
    """Sign in by name and password or, in a demo, by choice."""
    with desk.database.read() as transaction:
        district = _district(transaction, visit)
    if desk.in_demo and "person" in visit.form:
        return _sign_in_by_choice(desk, visit, district)
    return _sign_in_by_password(desk, visit, district)


def _district(transaction: Transaction, visit: Visit) -> District:
    found = districts.by_slug(transaction, visit.parts["slug"])
    if found is None:
        raise SignInStopped("There is no district at this address.", "", 404)
    return found


def _login_page(
    desk: Desk,
    visit: Visit,
    district: District,
    *,
    message: str = "",
    status: int = 200,
    is_password: bool = False,
) -> Response:
    """The login page; with a message if its password form, or a demo's list, was refused."""
    ask = visit.asked("ask")
    with desk.database.read() as transaction:
        application, leads_to = _asking(desk, transaction, ask)
        context: dict[str, object] = {
            "provider": credentials.provider(transaction, district.number),
            "has_passwords": credentials.has_passwords(transaction, district.number),
            "is_only": districts.only(transaction) is not None,
        }
        if desk.in_demo:
            access = people_lookup.whole(transaction, district.number)
            context |= people_list.choice(
                transaction, access, visit.asked("q"), visit.asked("role"), visit.asked("school")
            )
    return desk.page(
        visit,
        "signin/login.html",
        status=status,
        leads_to=leads_to,
        district=district.name,
        slug=districts.slug(district),
        ask=ask,
        application=application.name if application else "",
        message=message,
        is_password=is_password,
        is_wrong=status == 401,
        username=visit.form.get("username", ""),
        in_demo=desk.in_demo,
        **context,
    )


def _sign_in_by_choice(desk: Desk, visit: Visit, district: District) -> Response:
    with desk.database.read() as transaction:
        person = people_lookup.get(
            transaction, people_lookup.whole(transaction, district.number), visit.form["person"]
        )
    if person is None:
        return _login_page(
            desk, visit, district, message="This person is no longer in the roster.", status=400
        )
    return open_session(desk, visit, district, person.id, person.roles[0], "demo")


def _sign_in_by_password(desk: Desk, visit: Visit, district: District) -> Response:
    username, password = (
        visit.form.get("username", ""),
        visit.form.get("password", "")[: passwords.PASSWORD_MAX],
    )
    limit = throttle.of(desk.settings, district.id, username, visit.address)
    with desk.database.read() as transaction:
        is_shut, is_slowed = throttle.is_shut(transaction, limit), throttle.is_slowed(transaction, limit)
        is_familiar = is_slowed and throttle.is_familiar(transaction, limit)
        active = people_lookup.whole(transaction, district.number)
        known = credentials.by_username(transaction, district.number, username)
        candidates = [one for one in known if people_lookup.get(transaction, active, one.user_id)]
    if is_shut or (is_slowed and not is_familiar and not _take_turn(desk, limit)):
        return _login_page(desk, visit, district, message=WAIT, status=429, is_password=True)
    fitting = passwords.fitting(credentials.keys(desk.sealer, district.id), candidates, password)
    if len({credential.user_id for credential, _ in fitting}) != 1:
        return _refuse_password(desk, visit, district, limit, needs_turn=is_familiar)
    credential, digest = fitting[0]
    strong = passwords.strong(digest) if credential.password is None else None

    def enter(transaction: Transaction) -> str:
        # The comparison takes time, and a sync may have changed the password meanwhile.
        if not credentials.is_good(transaction, district.number, credential):
            return ""
        throttle.succeed(transaction, limit)
        if strong:
            credentials.strengthen(transaction, district.number, credential, strong)
        person = (credential.user_id, credential.role)
        return _new_session(desk, visit, transaction, district, *person, "password", credential.verifier)

    secret = desk.write(enter)
    return (
        _welcome(desk, visit, district, secret) if secret else _refuse_password(desk, visit, district, limit)
    )


def _take_turn(desk: Desk, limit: Limit) -> bool:
    return desk.write(lambda transaction: throttle.take_turn(transaction, limit), is_durable=False)


def _refuse_password(
    desk: Desk, visit: Visit, district: District, limit: Limit, *, needs_turn: bool = False
) -> Response:
    """Count the failure.

    If attempts take turns, all accounts get the same answer, so nobody learns which account needs no turn.
    """

    def count(transaction: Transaction) -> bool:
        has_turn = not needs_turn or throttle.take_turn(transaction, limit)
        throttle.count(transaction, limit)
        audit.record(
            transaction, "sign-in failed", district=district.number, address=visit.address, method="password"
        )
        return has_turn

    if not desk.write(count, is_durable=False):
        return _login_page(desk, visit, district, message=WAIT, status=429, is_password=True)
    return _login_page(desk, visit, district, message=MISFIT, status=401, is_password=True)


def open_session(
    desk: Desk, visit: Visit, district: District, user_id: str, role: str, method: str
) -> Response:
    """Sign in a person by another service or from a demo's list.

    Errors: SignInStopped if the roster no longer has them.
    """

    def enter(transaction: Transaction) -> str:
        if people_lookup.get(transaction, people_lookup.whole(transaction, district.number), user_id) is None:
            raise SignInStopped(
                "Your account is no longer in the roster.", f"an administrator of {district.name}", 403
            )
        return _new_session(desk, visit, transaction, district, user_id, role, method)

    return _welcome(desk, visit, district, desk.write(enter))


def _new_session(
    desk: Desk,
    visit: Visit,
    transaction: Transaction,
    district: District,
    user_id: str,
    role: str,
    method: str,
    proof: str | None = None,
) -> str:
    """Open a new session that replaces this browser's old one; returns its secret."""
    logins.close_session(transaction, visit.cookies.get(desk.jar.session, ""))
    seconds = desk.settings.session_seconds
    secret = logins.open_session(
        transaction, district.number, user_id, role, method, absolute_seconds=seconds, proof=proof
    )
    audit.record(
        transaction,
        "signed in",
        district=district.number,
        user_id=user_id,
        address=visit.address,
        method=method,
        role=role,
    )
    return secret


def _welcome(desk: Desk, visit: Visit, district: District, secret: str) -> Response:
    """Redirect to where the person wanted to go."""
    visit.put.append(desk.jar.put(desk.jar.session, secret, desk.settings.session_seconds))
    visit.put.append(desk.jar.put(desk.jar.district, district.id, DISTRICT_SECONDS))
    return desk.redirect(onward(visit.asked("ask"), districts.slug(district)), 303)


# Badges --------------------------------------------------------------------------------------------


def badge(desk: Desk, visit: Visit) -> Response:
    """The page that a badge's QR code opens.

    It signs nobody in by itself, because programs that check links open it, too.
    """
    return _badge_page(desk, visit)


def _badge_page(
    desk: Desk, visit: Visit, *, typed: str = "", message: str = "", status: int = 200
) -> Response:
    """The badge page. After a wrong code it shows what was typed: mostly one of the 28 letters is wrong."""
    with desk.database.read() as transaction:
        district = desk.district_of(transaction, visit, "")
    return desk.page(
        visit,
        "signin/badge.html",
        status=status,
        typed=typed,
        ask=visit.asked("ask"),
        message=message,
        is_wrong=status == 401,
        district=district.name if district else "",
        other_way=f"/in/{districts.slug(district)}" if district else "/login",
    )


def sign_in_by_badge(desk: Desk, visit: Visit) -> Response:
    """Sign in by the code of a badge."""
    limit = throttle.of_address(desk.settings, visit.address)
    code = visit.form.get("code", "")
    with desk.database.read() as transaction:
        # A valid badge works even while other attempts from the same school are held back.
        holder = credentials.badge_holder(transaction, code)
        is_throttled = holder is None and throttle.is_shut(transaction, limit)
        person = (
            people_lookup.get(transaction, people_lookup.whole(transaction, holder[0]), holder[1])
            if holder
            else None
        )
        district = districts.by_number(transaction, holder[0]) if holder else None
    if is_throttled:
        return _badge_page(desk, visit, message=WAIT, status=429)
    if person is None or district is None:
        return _refuse_badge(desk, visit, code, limit)

    def enter(transaction: Transaction) -> str:
        if credentials.badge_holder(transaction, code) != holder:  # it was revoked meanwhile
            return ""
        proof = credentials.badge_hash(code)
        return _new_session(desk, visit, transaction, district, person.id, person.roles[0], "badge", proof)

    secret = desk.write(enter)
    return _welcome(desk, visit, district, secret) if secret else _refuse_badge(desk, visit, code, limit)


def _refuse_badge(desk: Desk, visit: Visit, code: str, limit: Limit) -> Response:

    def count(transaction: Transaction) -> None:
        throttle.count(transaction, limit)
        audit.record(transaction, "sign-in failed", address=visit.address, method="badge")

    desk.write(count, is_durable=False)
    return _badge_page(desk, visit, typed=code[:80], message=NO_BADGE, status=401)


# Signing out ---------------------------------------------------------------------------------------


def sign_out(desk: Desk, visit: Visit) -> Response:
    """End our own session. Applications keep theirs: there is no single logout."""
    secret = visit.cookies.get(desk.jar.session, "")
    with desk.database.write() as transaction:
        session = desk.session(transaction, visit)
        logins.close_session(transaction, secret)
        if session:
            audit.record(
                transaction,
                "signed out",
                district=session.district,
                user_id=session.user_id,
                address=visit.address,
            )
        district = districts.by_number(transaction, session.district) if session else None
    visit.put.append(desk.jar.drop(desk.jar.session))
    ask = visit.form.get("ask", "")
    return desk.redirect(_login_address(district, ask) if district else "/login", 303)


# Who asked -----------------------------------------------------------------------------------------


def _asking(desk: Desk, transaction: Transaction, ask: str) -> tuple[Application | None, str]:
    """The application that sent the visitor, and its return address: for the page's words and its content
    policy."""
    given = dict(asked_before(ask))
    found = (
        applications.by_client_id(transaction, given.get("client_id", ""), in_demo=desk.in_demo)
        if given
        else None
    )
    registered = desk.redirect_uris(found) if found else ()
    asked = given.get("redirect_uri", "")
    return found, asked if asked in registered else next(iter(registered), "")


def _name_of(desk: Desk, ask: str) -> str:
    with desk.database.read() as transaction:
        found, _ = _asking(desk, transaction, ask)
    return found.name if found else ""


def _query(**values: str) -> str:
    return urlencode(values)

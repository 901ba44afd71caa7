"""`/oauth/authorize`: turn an application's request into a code at its address, after a sign-in if needed.

RFC 6749, 4.1; RFC 9700, 2.1. Until the redirect address is known to be registered, each error is a page of
ours, and nothing is sent elsewhere.
"""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.responses import Response
from starlette.routing import Route

from rollbook.auth import entry, oauth
from rollbook.auth.entry import Entry
from rollbook.auth.oauth import Ask
from rollbook.domain.access import LIMITED
from rollbook.errors import SignInStopped
from rollbook.operations import teacher_permission
from rollbook.store.accounts import applications, logins
from rollbook.store.accounts.applications import Application
from rollbook.store.accounts.logins import Grant, Session
from rollbook.store.district import districts
from rollbook.store.district.districts import District
from rollbook.store.engine.database import Transaction
from rollbook.store.records import people_lookup
from rollbook.web.http.visits import Desk, Visit, asked_before, way_back
from rollbook.web.oauth import redirect_hints


def routes(desk: Desk) -> list[Route]:
    return [
        Route("/oauth/authorize", desk.at(authorize, is_quick=True), methods=["GET"]),
        Route("/oauth/authorize", desk.at(authorize_by_form), methods=["POST"]),
        Route("/oauth/instant-login", desk.at(instant_login, is_quick=True), methods=["GET"]),
        Route("/oauth/confirm", desk.at(confirm), methods=["POST"]),
        Route("/oauth/allow", desk.at(allow), methods=["POST"]),
        Route("/oauth/deny", desk.at(deny), methods=["POST"]),
        Route("/oauth/withdraw", desk.at(withdraw), methods=["POST"]),
    ]


def authorize(desk: Desk, visit: Visit) -> Response:
    """Answer an authorization request."""
    return _proceed(desk, visit, oauth.read_ask(visit.query), is_confirmed=False)


def authorize_by_form(desk: Desk, visit: Visit) -> Response:
    """OpenID Connect Core, 3.1.2.1: POST works like GET. It is redirected to GET, with which the browser
    sends the session's cookie."""
    return desk.redirect(f"/oauth/authorize?{urlencode(visit.form)}", 303)


def instant_login(desk: Desk, visit: Visit) -> Response:
    """A sign-in that starts here: it returns to the first registered address, without a state (protocol.md
    1.6)."""
    given = dict(visit.query)
    asked = [(name, given[name]) for name in ("client_id", "district_id") if name in given]
    return _proceed(desk, visit, oauth.read_ask(asked), is_confirmed=False)


def confirm(desk: Desk, visit: Visit) -> Response:
    """The person has confirmed that this is their account."""
    return _proceed(desk, visit, _asked_through_page(visit), is_confirmed=True)


def allow(desk: Desk, visit: Visit) -> Response:
    """A teacher allows a Library application to see their classes."""
    ask = _asked_through_page(visit)
    with desk.database.read() as transaction:
        application, _ = _checked(desk, transaction, ask)
        session = desk.session(transaction, visit)
        decided = entry.enter(transaction, application, session) if session else None
    if session and decided and decided.outcome == "ask":
        teacher_permission.allow(desk.database, application.number, session, address=visit.address)
    return desk.redirect(way_back(visit.form.get("ask", "")), 303)


def deny(desk: Desk, visit: Visit) -> Response:
    """A teacher refuses. The application learns it from the error (RFC 6749, 4.1.2.1)."""
    ask = _asked_through_page(visit)
    with desk.database.read() as transaction:
        application, redirect_uri = _checked(desk, transaction, ask)
    issuer = desk.base if application.names_issuer else ""
    return _send_error(desk, redirect_uri, ask, issuer, "access_denied")


def withdraw(desk: Desk, visit: Visit) -> Response:
    """A teacher withdraws the permission for a Library application to see their classes."""
    with desk.database.read() as transaction:
        application = applications.by_client_id(
            transaction, visit.form.get("client_id", ""), in_demo=desk.in_demo
        )
        session = desk.session(transaction, visit)
        pair = (application.number, session.district) if application and session else (0, 0)
        has_allowed = session is not None and logins.has_allowed(transaction, *pair, [session.user_id])
    if session and has_allowed:
        teacher_permission.withdraw(desk.database, pair[0], session, address=visit.address)
    return desk.redirect("/login", 303)


def _asked_through_page(visit: Visit) -> Ask:
    return oauth.read_ask(asked_before(visit.form.get("ask", "")))


def _proceed(desk: Desk, visit: Visit, ask: Ask, *, is_confirmed: bool) -> Response:
    with desk.database.read() as transaction:
        application, redirect_uri = _checked(desk, transaction, ask)
        issuer = desk.base if application.names_issuer else ""
        problem = oauth.problem_of(ask)
        district = desk.district_of(transaction, visit, ask.district_id)
        session = desk.session(transaction, visit)
        if session is None or not _suffices(session, ask, district):
            problem = problem or ("login_required" if "none" in ask.prompt else None)
            return (
                _send_error(desk, redirect_uri, ask, issuer, problem)
                if problem
                else _to_sign_in(desk, ask, district)
            )
        if problem:
            return _send_error(desk, redirect_uri, ask, issuer, problem)
        decided = entry.enter(transaction, application, session)
        here = districts.by_number(transaction, session.district)
        person = people_lookup.get(
            transaction, people_lookup.whole(transaction, session.district), session.user_id
        )
    if decided.outcome == "wrong type":
        mender = f"the makers of {application.name} choose which roles may use it"
        raise SignInStopped(
            f"{application.name} is not made for {entry.PEOPLE[session.role]}.", mender, 403, ask=ask.query()
        )
    if decided.outcome == "unshared":
        if ask.returns_unshared:
            return _send_error(desk, redirect_uri, ask, issuer, "unauthorized-user")
        mender = f"an administrator of {here.name} can give it to you"
        if application.tier == "library":
            mender = f"a teacher of yours can allow it, or {mender}"
        raise SignInStopped(f"You have no access to {application.name} yet.", mender, 403, ask=ask.query())
    needs_yes = ask.needs_confirmation and not is_confirmed and decided.role == "student"
    if (needs_yes or decided.outcome == "ask") and "none" in ask.prompt:
        return _send_error(desk, redirect_uri, ask, issuer, "interaction_required")
    if needs_yes or decided.outcome == "ask":
        template = "signin/confirm.html" if needs_yes else "signin/allow.html"
        name = person.name if person else ""
        return desk.page(
            visit,
            template,
            leads_to=redirect_uri,
            ask=ask.query(),
            application=application.name,
            name=name,
            district=here.name,
        )
    code = _issue_code(desk, ask, application, redirect_uri, session, decided)
    if code is None:  # the basis of the decision was removed meanwhile
        return _proceed(desk, visit, ask, is_confirmed=is_confirmed)
    scopes = LIMITED if decided.authorized_by == "teacher" else application.scopes
    answer = {"code": code, "scope": " ".join(scopes)}
    return desk.redirect(oauth.answer_uri(redirect_uri, answer, state=ask.state, issuer=issuer))


def _checked(desk: Desk, transaction: Transaction, ask: Ask) -> tuple[Application, str]:
    """The application, and the address for the answer. Errors: SignInStopped."""
    application = applications.by_client_id(transaction, ask.client_id, in_demo=desk.in_demo)
    if application is None:
        raise SignInStopped(
            "The application that sent you here is not known to this server.", oauth.VENDOR, note="client"
        )
    registered = desk.redirect_uris(application)
    try:
        return application, oauth.redirect_of(registered, ask.redirect_uri)
    except SignInStopped as error:
        hints = redirect_hints.hints(application, registered, ask.redirect_uri, desk.settings.database)
        raise SignInStopped(str(error), error.mender, error.status, hints=hints, note="redirect") from None


def _suffices(session: Session, ask: Ask, district: District | None) -> bool:
    """Whether the session answers the request: of the requested district, and as recent as requested."""
    if ask.district_id and (district is None or session.district != district.number):
        return False
    if "login" in ask.prompt or "select_account" in ask.prompt:
        return False
    return ask.max_age is None or logins.now() - session.created <= ask.max_age


def _to_sign_in(desk: Desk, ask: Ask, district: District | None) -> Response:
    carried = urlencode({"ask": ask.query_after_sign_in()})
    return desk.redirect(f"/in/{districts.slug(district)}?{carried}" if district else f"/login?{carried}")


def _send_error(desk: Desk, redirect_uri: str, ask: Ask, issuer: str, code: str) -> Response:
    """Redirect with an error code (RFC 6749, 4.1.2.1); `unauthorized-user` is the recorded one without access."""
    return desk.redirect(oauth.answer_uri(redirect_uri, {"error": code}, state=ask.state, issuer=issuer))


def _issue_code(
    desk: Desk, ask: Ask, application: Application, redirect_uri: str, session: Session, decided: Entry
) -> str | None:
    """A code for the decision. None if the session has ended since, or if no teacher allows it any longer."""
    grant = Grant(
        application.number,
        session.district,
        session.user_id,
        decided.role,
        decided.authorized_by,
        redirect_uri,
        session.created,
        ask.nonce or None,
        ask.challenge or None,
        ask.challenge_method or None,
        ask.max_age is not None,
    )
    with desk.database.write(is_durable=False) as transaction:
        if not logins.is_open(transaction, session):
            return None
        if (
            decided.authorized_by == "teacher"
            and entry.enter(transaction, application, session, is_writing=True) != decided
        ):
            return None
        return logins.issue_code(transaction, grant, seconds=desk.settings.code_seconds)

"""How people of a district sign in: its own service with a test, passwords, and badges to print."""

from __future__ import annotations

from starlette.responses import Response

from rollbook.contract.clever.tiers import LOGIN_ROLES
from rollbook.errors import BadSetting
from rollbook.operations import acting, people_browsing, service_tests, sign_in_setup
from rollbook.operations.service_tests import Step
from rollbook.operations.sign_in_setup import BadgeChoice, BadgeSheet
from rollbook.settings import base_url
from rollbook.store.accounts import credentials
from rollbook.store.accounts.credentials import NewProvider
from rollbook.web.console.console_frame import Ask, Console, Page, Shown
from rollbook.web.http import badge_sheet
from rollbook.web.http.safety_headers import safety

USERS_MAX = 500


def sign_in(console: Console, ask: Ask) -> Shown:
    """How people of the district sign in: its own service, and passwords."""
    return _sign_in(console, ask, [])


def _sign_in(console: Console, ask: Ask, steps: list[Step]) -> Shown:
    with console.database.read() as transaction:
        found = credentials.provider(transaction, ask.district.number)
        has_passwords = credentials.has_passwords(transaction, ask.district.number)
    service = found and {
        "name": found.name,
        "issuer": found.issuer,
        "client_id": found.client_id,
        "trusts_email": found.trusts_email,
        "domain": found.domain,
    }
    return Shown(
        "signing_in.html",
        {
            "service": service,
            "has_passwords": has_passwords,
            "redirect": f"{base_url(console.desk.settings)}/oauth/callback",
            "sign_in_page": f"/in/{ask.slug}",
            "place": ask.place,
            "steps": steps,
        },
        leave_out=("steps",),
    )


def set_sign_in(console: Console, ask: Ask) -> Shown | Response:
    """Set, test or remove the district's own service."""
    database, district = console.database, ask.district
    if ask.asked("act") == "remove":
        acting.do(ask.actor, sign_in_setup.remove_provider, database, district.id)
        return console.said(ask, "The sign-in service is removed.", ask.visit.path)
    if ask.asked("act") == "test":
        steps = acting.do(ask.actor, service_tests.try_provider, database, console.desk.settings, district.id)
        return _sign_in(console, ask, steps)
    names = ("name", "issuer", "client_id", "secret")
    given = {name: ask.asked(name) for name in names}
    if missing := [name for name in names if not given[name]]:
        raise BadSetting(f"{missing[0]}: expected a value")
    wanted = NewProvider(**given, trusts_email=ask.asked("trusts_email") == "yes", domain=ask.asked("domain"))
    acting.do(ask.actor, sign_in_setup.set_provider, database, console.desk.settings, district.id, wanted)
    return console.said(ask, "The sign-in service is set. Register the address below there.", ask.visit.path)


def badges(console: Console, ask: Ask) -> Shown:
    """Whom to print badges for."""
    return Shown(
        "badges.html",
        {
            "roles": LOGIN_ROLES,
            "schools": people_browsing.schools(console.database, ask.district.id),
            "user": ask.asked("user"),
            "base": base_url(console.desk.settings),
            "place": ask.place,
        },
        leave_out=("place",),
    )


def print_badges(console: Console, ask: Ask) -> Response:
    """New badges as a file to print. Older badges of the same people end."""
    database, settings = console.database, console.desk.settings
    users = tuple(ask.asked("users").split())
    if len(users) > USERS_MAX:
        raise BadSetting(f"people: expected at most {USERS_MAX}, got {len(users)}")
    choice = BadgeChoice(ask.asked("role", "student"), ask.asked("school"), users)
    sheets: list[BadgeSheet] = []
    acting.do(
        ask.actor, sign_in_setup.print_badges, database, settings, ask.district.id, choice, sheets.append
    )
    [sheet] = sheets
    body = badge_sheet.page(sheet.district, sheet.base, sheet.schools, sheet.badges)
    headers = {**safety(), "Content-Disposition": 'attachment; filename="badges.html"'}
    return Response(body, 200, headers, "text/html; charset=utf-8")


_AT = "/console/d/{slug}"
PAGES = (
    Page(
        "signing-in",
        f"{_AT}/sign-in",
        "change settings",
        sign_in,
        set_sign_in,
        title="Sign-in",
        group="Settings",
        waits=True,
    ),
    Page(
        "badges",
        f"{_AT}/badges",
        "help people",
        badges,
        print_badges,
        title="Badges",
        group="District",
        is_costly=True,
    ),
)

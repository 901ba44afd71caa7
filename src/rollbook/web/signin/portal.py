"""The portal: the applications that a person may enter, and those that a teacher has allowed."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.responses import Response

from rollbook.errors import SignInStopped
from rollbook.operations import portals
from rollbook.store.accounts.logins import Session
from rollbook.store.district import districts
from rollbook.store.district.districts import District
from rollbook.store.engine.database import Transaction
from rollbook.store.records import people_lookup
from rollbook.web.http.visits import Desk, Visit
from rollbook.web.signin import people_list


def page(
    desk: Desk, visit: Visit, transaction: Transaction, district: District, session: Session
) -> Response:
    """The applications of the signed-in person. Errors: SignInStopped if the roster no longer has them."""
    person = people_lookup.get(
        transaction, people_lookup.whole(transaction, district.number), session.user_id
    )
    if person is None:
        raise SignInStopped(
            "Your account is no longer in the roster.", f"an administrator of {district.name}", 403
        )
    found = portals.of(transaction, district, session, person, in_demo=desk.in_demo)
    shown = [
        (
            f"/oauth/instant-login?{urlencode({'client_id': one.client_id, 'district_id': district.id})}",
            one.name,
            one.is_live,
        )
        for one in found.applications
    ]
    return desk.page(
        visit,
        "signin/portal.html",
        district=district.name,
        slug=districts.slug(district),
        name=person.name,
        titles=", ".join(people_list.titles(person)),
        applications=shown,
        of_others=found.of_others,
        let_in=found.let_in,
    )

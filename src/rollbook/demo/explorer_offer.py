"""What a demo offers to its Explorer: the published tokens and applications by name, and a token for any
person."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from rollbook.contract.clever.query import is_id
from rollbook.demo import access_sheet, published
from rollbook.demo.access_sheet import Handout, Key
from rollbook.demo.login_for import grant_of
from rollbook.errors import Refused
from rollbook.store.accounts import applications, connections, logins
from rollbook.store.accounts.logins import Grant
from rollbook.store.engine.database import Transaction
from rollbook.store.records import people_lookup
from rollbook.web.explorer.published_tokens import Offer, PublishedClient, PublishedToken
from rollbook.web.http.demo_lines import ARRIVED
from rollbook.web.http.visits import Desk

# Names of the published tokens in addresses, by token.
NAMES = {
    published.DISTRICT_TOKEN: "district",
    published.SECOND_TOKEN: "second-district",
    published.SSO_TOKEN: "district-sso",
    **{token: role.replace("_", "-") for token, role in published.USER_TOKENS},
}
_REMEMBERED_MAX = 500
_MARGIN_SECONDS = 600


@dataclass(slots=True)
class Offers:
    """Makes the offer again for each page, because people come and go.

    Tokens of people are remembered while they are valid.
    """

    desk: Desk
    _minted: dict[str, tuple[str, float]] = field(default_factory=dict)
    _minting: threading.Lock = field(default_factory=threading.Lock)

    def read(self) -> Offer | None:
        """The offer; None in a demo without a published token."""
        sheet = access_sheet.read(self.desk.database, self.desk.settings, self.desk.base)
        if not sheet.keys or not sheet.entrances:
            return None
        return Offer(
            tokens=tuple(_token(key) for key in sheet.keys),
            clients=tuple(_clients(sheet)),
            district_id=sheet.keys[0].district.id,
            back=f"{self.desk.base}{ARRIVED}",
            mint=self._mint,
        )

    def _mint(self, user_id: str) -> str:
        """A user token of the demo's first application for a person; blank if they may not sign in to it."""
        if not is_id(user_id):
            return ""
        with self._minting:
            token, until = self._minted.get(user_id, ("", 0.0))
            if time.monotonic() < until and self._is_good(token):
                return token
            seconds = self.desk.settings.user_token_seconds
            with self.desk.database.write() as transaction:
                grant = _grant(transaction, user_id)
                token = (
                    logins.mint(transaction, grant, seconds=seconds, is_demo=True, by="explorer")
                    if grant
                    else ""
                )
            if token:
                if len(self._minted) >= _REMEMBERED_MAX:
                    self._minted.clear()
                self._minted[user_id] = token, time.monotonic() + seconds - _MARGIN_SECONDS
            return token

    def _is_good(self, token: str) -> bool:
        """Whether a remembered token is still valid: the demo may have been restored."""
        if not token:
            return True
        with self.desk.database.read() as transaction:
            return logins.resolve(transaction, token, in_demo=True) is not None


def _grant(transaction: Transaction, user_id: str) -> Grant | None:
    access = connections.resolve(transaction, published.DISTRICT_TOKEN, in_demo=True)
    application = applications.by_client_id(transaction, published.APPLICATION.client_id, in_demo=True)
    if access is None or application is None:
        return None
    person = people_lookup.get(
        transaction, people_lookup.whole(transaction, access.district), user_id.lower()
    )
    try:
        return grant_of(transaction, application, access.district, person) if person else None
    except Refused:
        return None


def _token(key: Key) -> PublishedToken:
    return PublishedToken(NAMES[key.token], f"{key.token}: {key.opens}", key.token, bool(key.role))


def _clients(sheet: Handout) -> list[PublishedClient]:
    return [
        PublishedClient(
            each.client.tier.replace("_", "-"), each.client.name, each.client.client_id, each.client.secret
        )
        for each in sheet.entrances
    ]

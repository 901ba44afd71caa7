"""The public access data of a demo: its districts, its applications with their secrets, and its tokens with
their reach.

It is read from the database, because people come and go. The console, programs and the front page show it.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from urllib.parse import urlencode

from rollbook.contract.clever.tiers import TIER
from rollbook.demo import published
from rollbook.demo.published import Client
from rollbook.domain.access import Access
from rollbook.settings import Settings
from rollbook.store.accounts import applications, connections, logins
from rollbook.store.district import districts
from rollbook.store.district.districts import District
from rollbook.store.engine.database import Database, Transaction
from rollbook.store.records import people_lookup
from rollbook.web.http.demo_lines import ARRIVED

# Where a program moves, breaks and restores the demo, with `district_token`.
CONTROL = {
    "state": "",
    **{name: f"/{name}" for name in ("advance", "faults", "save", "restore", "saves", "code", "edits")},
}
# An example of an application's own address to register.
YOURS = "http://localhost:3000/callback"


@dataclass(frozen=True, slots=True)
class Key:
    """A published token and what it opens. `role` and the person are those of a user token."""

    token: str
    opens: str
    district: District
    client_id: str
    role: str = ""
    user_id: str = ""
    name: str = ""
    sis_id: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class Entrance:
    """An application, where its logins may return (the first address by default), and a link to sign in to
    it.

    `sign_in_path` is the link on the server itself.
    """

    client: Client
    redirect_uris: tuple[str, ...]
    has_oidc: bool
    sign_in: str
    sign_in_path: str

    @property
    def title(self) -> str:
        return TIER[self.client.tier].title


@dataclass(frozen=True, slots=True)
class Handout:
    """All access data. `base` is the server's address, `database` the demo's database."""

    base: str
    database: str
    entrances: tuple[Entrance, ...]
    keys: tuple[Key, ...]

    @property
    def district_keys(self) -> tuple[Key, ...]:
        return tuple(key for key in self.keys if not key.role)

    @property
    def user_keys(self) -> tuple[Key, ...]:
        return tuple(key for key in self.keys if key.role)

    @property
    def registering(self) -> str:
        """The command that lets logins return to the developer's own application from now on."""
        name = self.entrances[0].client.name
        return (
            f'rollbook application set "{name}" --redirect-uri {YOURS} --database '
            f"{shlex.quote(self.database)}"
        )

    def as_json(self) -> dict[str, object]:
        """One flat object for scripts; lists hold items that occur more than once."""
        first, main = self.district_keys[0], self.entrances[0]
        return {
            "base_url": self.base,
            "district_id": first.district.id,
            "district_token": first.token,
            **_entrance_as_json(main),
            "districts": [
                {"id": key.district.id, "name": key.district.name, "token": key.token}
                for key in self.district_keys
                if key.client_id == main.client.client_id
            ],
            "people": {
                key.role: {
                    "id": key.user_id,
                    "name": key.name,
                    "sis_id": key.sis_id,
                    "email": key.email,
                    "token": key.token,
                }
                for key in self.user_keys
            },
            "control": {name: f"{self.base}/demo{path}" for name, path in CONTROL.items()},
            "user_tokens": [
                {"token": key.token, "role": key.role, "user_id": key.user_id, "name": key.name}
                for key in self.user_keys
            ],
            "applications": [
                {
                    "name": each.client.name,
                    "tier": each.client.tier,
                    "oidc": each.has_oidc,
                    **_entrance_as_json(each),
                    "district_tokens": [
                        key.token for key in self.district_keys if key.client_id == each.client.client_id
                    ],
                }
                for each in self.entrances
            ],
        }


def read(database: Database, settings: Settings, base: str) -> Handout:
    """The access data of a demo at an address. Items that an older demo lacks are left out."""
    base = base.rstrip("/")
    with database.read() as transaction:
        keys = (*_district_keys(transaction), *_user_keys(transaction))
        found = (_entrance(transaction, client, base, keys) for client in published.CLIENTS)
        return Handout(base, settings.database, tuple(one for one in found if one), keys)


def _district_keys(transaction: Transaction) -> list[Key]:
    found = (
        (token, connections.resolve(transaction, token, in_demo=True)) for token in published.DISTRICT_TOKENS
    )
    return [_district_key(transaction, token, access) for token, access in found if access]


def _district_key(transaction: Transaction, token: str, access: Access) -> Key:
    district = districts.by_number(transaction, access.district)
    opens = "all records and events of" if access.is_whole else "for District SSO, only id and name of"
    return Key(token, f"{opens} {district.name}", district, access.client_id)


def _user_keys(transaction: Transaction) -> list[Key]:
    found = ((token, logins.resolve(transaction, token, in_demo=True)) for token, _ in published.USER_TOKENS)
    return [_user_key(transaction, token, access) for token, access in found if access]


def _user_key(transaction: Transaction, token: str, access: Access) -> Key:
    person = people_lookup.get(transaction, people_lookup.whole(transaction, access.district), access.user)
    name = person.name if person else ""
    opens = f"a login of {name}, {access.role.replace('_', ' ')}"
    return Key(
        token,
        opens,
        districts.by_number(transaction, access.district),
        access.client_id,
        access.role,
        access.user,
        name,
        person.record["roles"][access.role].get("sis_id", "") if person else "",
        person.email if person else "",
    )


def _entrance(transaction: Transaction, client: Client, base: str, keys: tuple[Key, ...]) -> Entrance | None:
    application = applications.by_client_id(transaction, client.client_id, in_demo=True)
    if application is None or not keys:
        return None
    asked = {"response_type": "code", "client_id": client.client_id, "district_id": keys[0].district.id}
    path = f"/oauth/authorize?{urlencode(asked)}"
    return Entrance(
        client, (*application.redirect_uris, f"{base}{ARRIVED}"), application.has_oidc, f"{base}{path}", path
    )


def _entrance_as_json(entrance: Entrance) -> dict[str, object]:
    return {
        "client_id": entrance.client.client_id,
        "client_secret": entrance.client.secret,
        "redirect_uris": list(entrance.redirect_uris),
        "sign_in_url": entrance.sign_in,
    }

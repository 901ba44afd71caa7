"""The credentials that a demo publishes for the Explorer: tokens and applications by name, and a token for
any person.

Other servers publish nothing; there, people paste their own token.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PublishedToken:
    """A public token. Addresses have its `name`, so that they never have the token."""

    name: str
    label: str
    token: str
    is_user_token: bool


@dataclass(frozen=True, slots=True)
class PublishedClient:
    """An application with a public secret."""

    name: str
    label: str
    client_id: str
    secret: str

    @property
    def authorization(self) -> str:
        return f"Basic {b64encode(f'{self.client_id}:{self.secret}'.encode()).decode()}"


@dataclass(frozen=True, slots=True)
class Offer:
    """All of a demo's public credentials.

    `mint` makes a user token for a person's id, blank if the person may not sign in. `back` is the path to
    which a login may return.
    """

    tokens: tuple[PublishedToken, ...]
    clients: tuple[PublishedClient, ...]
    district_id: str
    back: str
    mint: Callable[[str], str]

    def token(self, name: str) -> PublishedToken | None:
        return next((token for token in self.tokens if token.name == name), None)

    def client(self, name: str) -> PublishedClient:
        return next((client for client in self.clients if client.name == name), self.clients[0])

    def is_public(self, token: str) -> bool:
        return any(token == each.token for each in self.tokens)

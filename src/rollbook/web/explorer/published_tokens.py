"""What a demo publishes for the Explorer to use: its tokens and applications by name, and a token for any person.

A server that is no demo publishes nothing; there a person pastes a token of their own.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PublishedToken:
    """A token that everybody may know. `name` stands in addresses, so that no token does."""

    name: str
    label: str
    token: str
    is_user_token: bool


@dataclass(frozen=True, slots=True)
class PublishedClient:
    """An application whose secret everybody may know."""

    name: str
    label: str
    client_id: str
    secret: str

    @property
    def authorization(self) -> str:
        return f"Basic {b64encode(f'{self.client_id}:{self.secret}'.encode()).decode()}"


@dataclass(frozen=True, slots=True)
class Offer:
    """All of it. `mint` makes a user token for the person of an id, blank if the person may not sign in.

    `back` is the path to which a login may return.
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

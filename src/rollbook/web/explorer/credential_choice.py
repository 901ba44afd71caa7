"""The credential of a page's request: a published one by name, a person of a demo, or a pasted one.

A pasted token comes in the body of a POST and is used for that one request. It is not stored, not logged and
not shown again. An unpublished one opens real data, so it is sent only after the person has confirmed it.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass

from rollbook.web.explorer.catalog import Operation
from rollbook.web.explorer.published_tokens import Offer, PublishedToken

YES = "yes"


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential: the value to send, and the name by which an address chooses it (blank: it was pasted).

    `is_public`: everyone may read it. `is_kept_back`: it opens real data, and the person has not confirmed
    yet. `trouble` says why there is none.
    """

    authorization: str = ""
    name: str = ""
    label: str = ""
    is_public: bool = False
    is_kept_back: bool = False
    is_needed: bool = True
    trouble: str = ""

    @property
    def may_send(self) -> bool:
        return not self.is_kept_back and (bool(self.authorization) or not self.is_needed)


def choose(operation: Operation, name: str, form: Mapping[str, str], offer: Offer | None) -> Credential:
    """The credential for an operation, from the `name` in the address and the `form` that was sent."""
    if not operation.takes:
        return Credential(is_needed=False)
    if operation.takes == "client":
        return _client(name, form, offer)
    if token := form.get("token", "").strip():
        if offer and offer.is_public(token):
            return Credential(f"Bearer {token}", label="a published token", is_public=True)
        is_meant = form.get("real") == YES
        return Credential(
            f"Bearer {token}" if is_meant else "", label="your token", is_kept_back=not is_meant
        )
    if offer is None:
        return Credential()
    return _published(operation, name, offer)


def preferred(operation: Operation, offer: Offer) -> PublishedToken:
    """The token with which a page opens: a person's if the path needs one, else the district's."""
    wants_person = operation.group == "Identity"
    by_role = [token for token in offer.tokens if token.is_user_token == wants_person]
    teacher = [token for token in by_role if token.name == "teacher"]
    return (teacher or by_role or list(offer.tokens))[0]


def _published(operation: Operation, name: str, offer: Offer) -> Credential:
    known = offer.token(name) if name else preferred(operation, offer)
    if known:
        return Credential(f"Bearer {known.token}", known.name, known.label, is_public=True)
    minted = offer.mint(name)
    if minted:
        return Credential(f"Bearer {minted}", name, "a person of the demo", is_public=True)
    return Credential(
        trouble=f"No token is called {name[:40]!r}, and no such person may sign in. Choose another."
    )


def _client(name: str, form: Mapping[str, str], offer: Offer | None) -> Credential:
    id_, secret = (form.get(part, "").strip() for part in ("basic_id", "basic_secret"))
    if id_ and secret:
        if offer and any((id_, secret) == (each.client_id, each.secret) for each in offer.clients):
            return Credential(_basic(id_, secret), label="a published application", is_public=True)
        is_meant = form.get("real") == YES
        return Credential(
            _basic(id_, secret) if is_meant else "", label="your application", is_kept_back=not is_meant
        )
    if offer is None:
        return Credential()
    client = offer.client(name)
    return Credential(client.authorization, client.name, client.label, is_public=True)


def _basic(client_id: str, secret: str) -> str:
    return f"Basic {b64encode(f'{client_id}:{secret}'.encode()).decode()}"

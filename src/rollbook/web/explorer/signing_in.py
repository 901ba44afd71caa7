"""A whole sign-in of a demo's person, by the pages and paths that a browser and an application use.

The visitor's own browser is not involved: its cookies are neither sent nor set.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlsplit

import orjson

from rollbook.web.explorer.asking import Answered, Asked, Pairs, Scope, Server, ask
from rollbook.web.explorer.published_tokens import Offer, PublishedClient

_HOPS_MAX = 8


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its name, and its request with the answer."""

    title: str
    told: str
    asked: Asked
    answered: Answered


async def sign_in(
    server: Server, visitor: Scope, client: PublishedClient, offer: Offer, person: str, *, version: str
) -> list[Step]:
    """Sign the person in to the application: a code, its exchange, and the person.

    It stops at a refused step.
    """
    browser = _Browser(server, visitor, offer.back)
    first = Asked(
        "GET",
        "/oauth/authorize",
        (
            ("response_type", "code"),
            ("client_id", client.client_id),
            ("redirect_uri", offer.back),
            ("district_id", offer.district_id),
        ),
    )
    arrived = await browser.arrive(first, person)
    steps = [
        Step(
            "Send the person to sign in",
            "They choose who they are, and come back with a code.",
            first,
            arrived,
        )
    ]
    code = dict(parse_qsl(urlsplit(arrived.header("location")).query)).get("code", "")
    if not code:
        return steps
    exchange = Asked(
        "POST",
        "/oauth/tokens",
        authorization=client.authorization,
        form=(("grant_type", "authorization_code"), ("code", code), ("redirect_uri", offer.back)),
    )
    got = await ask(server, exchange, visitor)
    steps.append(
        Step("Exchange the code for a token", "The code is good once, and for a minute.", exchange, got)
    )
    token = orjson.loads(got.body).get("access_token") if got.status == 200 else None
    if not token:
        return steps
    who = Asked("GET", f"/v{version}/me", authorization=f"Bearer {token}")
    steps.append(
        Step(
            "Ask who it is", "The record stands at the canonical link.", who, await ask(server, who, visitor)
        )
    )
    return steps


@dataclass(slots=True)
class _Browser:
    """A browser without a window: it follows redirects on this server, keeps cookies, and submits one
    form."""

    server: Server
    visitor: Scope
    back: str
    cookies: dict[str, str] = field(default_factory=dict)

    async def arrive(self, asked: Asked, person: str) -> Answered:
        """Open an address, sign in as the person, and continue until the answer leads back to the
        application."""
        has_chosen = False
        for _ in range(_HOPS_MAX):
            answered = await self._send(asked)
            location = answered.header("location")
            if location.startswith(self.back):
                return answered
            if location:
                parts = urlsplit(location)
                asked = Asked("GET", parts.path, tuple(parse_qsl(parts.query)))
                continue
            form = _form(answered.body)
            if has_chosen or form is None:
                return answered
            has_chosen = True
            action, hidden = form
            asked = Asked("POST", action, form=(*hidden, ("person", person)))
        return answered

    async def _send(self, asked: Asked) -> Answered:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answered = await ask(
            self.server, Asked(asked.method, asked.path, asked.query, "", asked.form, cookie), self.visitor
        )
        for name, value in answered.headers:
            if name == "set-cookie":
                key, _, kept = value.partition(";")[0].partition("=")
                self.cookies[key.strip()] = kept
        return answered


class _Forms(HTMLParser):
    """The first form of a page in which a person can be chosen: its address and hidden fields."""

    def __init__(self) -> None:
        super().__init__()
        self.action = ""
        self.hidden: list[tuple[str, str]] = []
        self.found: tuple[str, Pairs] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.action, self.hidden = given.get("action", ""), []
        elif tag == "input" and given.get("type") == "hidden":
            self.hidden.append((given.get("name", ""), given.get("value", "")))
        elif given.get("name") == "person" and self.found is None:
            self.found = (self.action, tuple(self.hidden))


def _form(page: bytes) -> tuple[str, Pairs] | None:
    forms = _Forms()
    forms.feed(page.decode("utf-8", "replace"))
    return forms.found

"""A small application: teachers sign in and see their classes.

It keeps a copy of the district with `rollbook.client`. Its tests stand beside it, in `test_class_list.py`.
"""

from __future__ import annotations

import json
import secrets
import urllib.error
import urllib.request
from base64 import b64encode
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from rollbook.client import Client, LocalCopy, Section, Update, User


class LoginRefused(Exception):
    """The login cannot be believed; the text says why."""


class ClassList:
    """The application. `callback` is where logins return to."""

    def __init__(
        self, client: Client, base_url: str, credentials: tuple[str, str], callback: str, copy: LocalCopy
    ) -> None:
        self.client, self.base_url, self.callback, self.copy = client, base_url, callback, copy
        self.client_id, self.client_secret = credentials
        self._begun: set[str] = set()

    def refresh(self) -> Update:
        """Bring the copy up to date. Call it every few minutes."""
        return self.client.update(self.copy)

    def classes_of(self, teacher: str) -> dict[str, list[str]]:
        """The names of a teacher's sections, each with the names of its students."""
        return {
            str(section.name): [self._name(student) for student in section.students or []]
            for section in self.copy.all(Section)
            if teacher in (section.teachers or [])
        }

    def begin_login(self) -> str:
        """The address to which a browser is sent."""
        state = secrets.token_urlsafe()
        self._begun.add(state)
        asked = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.callback,
            "state": state,
        }
        return f"{self.base_url}/oauth/authorize?{urlencode(asked)}"

    def finish_login(self, address: str) -> User:
        """The person who comes back to the callback. Errors: LoginRefused."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        if asked.get("state") not in self._begun:
            raise LoginRefused("this login did not begin here")
        self._begun.discard(asked["state"])
        form = {
            "code": asked.get("code", ""),
            "grant_type": "authorization_code",
            "redirect_uri": self.callback,
        }
        basic = b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()
        token = self._json("/oauth/tokens", f"Basic {basic}", urlencode(form).encode())["access_token"]
        who = self._json("/v3.0/me", f"Bearer {token}")["data"]["id"]
        person = self.copy.get(User, who)
        if person is None:
            raise LoginRefused("this person is not in the copy yet: refresh it")
        return person

    def _name(self, student: str) -> str:
        person = self.copy.get(User, student)
        return f"{person.name.first} {person.name.last}" if person and person.name else ""

    def _json(self, path: str, authorization: str, body: bytes | None = None) -> Any:
        request = urllib.request.Request(self.base_url + path, body, {"Authorization": authorization})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise LoginRefused(f"{path} answered {error.code}: {error.read().decode()}") from None

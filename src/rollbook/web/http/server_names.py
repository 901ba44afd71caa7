"""Under which names a server answers, so that a foreign page in a browser reads nothing of it (DNS rebinding).

The attacker owns a name in the public DNS. A browser near this server opens a page of that name. Then the attacker
points the name at this server, so the browser takes this server for the page's own and gives the page its answers.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from functools import lru_cache
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from rollbook.contract.clever.versions import HOSTS
from rollbook.errors import ForeignName
from rollbook.settings import Settings
from rollbook.web.http.answers import Answer, failure

Scope = MutableMapping[str, Any]

ALL = "*"
# Names under these are in no public DNS, so nobody can lead them here from outside (RFC 6761, 6762, and ICANN's
# reservation of .internal).
RESERVED = (".localhost", ".local", ".internal", ".test")
_REMEMBERED_MAX = 1_000


class ServerNames:
    """The names of one server, from its settings.

    A demo, whose tokens are public, answers under addresses, its own names, the API's original ones, names without
    a dot (containers have such), and reserved ones. Other servers answer under every name unless `server_names`
    lists some: their tokens and cookies are secret, and a foreign page has neither.
    """

    def __init__(self, settings: Settings, *, in_demo: bool) -> None:
        listed = {name.strip().lower() for name in settings.server_names.split(",")} - {""}
        own = (settings.public_url, settings.issuer, settings.api_base)
        self._names = listed | {urlsplit(address).hostname or "" for address in own} | {settings.host.lower()}
        self.is_on = ALL not in listed and (in_demo or bool(listed))
        self._in_demo = in_demo
        self._takes = lru_cache(_REMEMBERED_MAX)(self._decide)

    def refusal(self, scope: Scope) -> Answer | None:
        """The answer to a request under a foreign name; None if the name is ours.

        Every browser sends a Host header, so a request without one comes from no page.
        """
        for header, host in scope["headers"]:
            if header == b"host":
                return None if self._takes(host) else _refused(scope, host)
        return None

    def _decide(self, host: bytes) -> bool:
        try:
            name = (urlsplit(f"//{host.decode('latin-1')}").hostname or "").rstrip(".")
        except ValueError:  # a bracket that is not closed
            return False
        if name in self._names or name == "localhost" or _is_address(name):
            return True
        return self._in_demo and (name in HOSTS or "." not in name or name.endswith(RESERVED))


def _is_address(name: str) -> bool:
    """Whether it is an IP address. An address belongs to no attacker: a page cannot be led from it to another one."""
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _refused(scope: Scope, host: bytes) -> Answer:
    shown = host[:100].decode("latin-1")
    said = (
        f"This server does not answer to the name {shown!r}. If the name is yours, list it in ROLLBOOK_SERVER_NAMES,"
        " separated by commas, and start the server again."
    )
    return failure(ForeignName(said), scope["method"], scope["path"], "json")

"""A person's choices for the Explorer's pages: an API version, and a token by its name.

Each link of a page keeps both. An address never contains a token.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlencode, urlsplit

from rollbook.contract.clever import versions
from rollbook.contract.clever.query import is_id
from rollbook.web.explorer.catalog import VERSION
from rollbook.web.explorer.published_tokens import Offer

FIRST = versions.VERSIONS[0].number
NUMBERS = tuple(version.number for version in versions.VERSIONS)


@dataclass(frozen=True, slots=True)
class Chosen:
    """`version` is a number such as 3.1; `name` is that of a published token, or the id of a person in a
    demo.

    `trouble` says what was wrong with the requested version.
    """

    version: str = FIRST
    name: str = ""
    offer: Offer | None = None
    trouble: str = ""

    def kept(self, address: str) -> str:
        """An address that keeps the version and the token.

        The first version and the first token are not named.
        """
        named = dict(parse_qsl(urlsplit(address).query))
        pairs = [(VERSION, self.version)] if self.version != FIRST and VERSION not in named else []
        pairs += [("as", self.name)] if self._names_token else []
        return f"{address}{'&' if '?' in address else '?'}{urlencode(pairs)}" if pairs else address

    def versions(self, address: str) -> list[tuple[str, str]]:
        """Each version's number, and the same page in it."""
        return [(number, replace(self, version=number).kept(address)) for number in NUMBERS]

    @property
    def _names_token(self) -> bool:
        if self.offer is None or self.name == self.offer.tokens[0].name:
            return False
        return self.offer.token(self.name) is not None or is_id(self.name)


def version_of(given: str) -> tuple[str, str]:
    """The version in an address, and its error, if any; an unknown version is replaced by the first one."""
    number = given.strip().lower().removeprefix("v") or FIRST
    if number in NUMBERS:
        return number, ""
    return (
        FIRST,
        f"version: expected {' or '.join(NUMBERS)}; got {given[:20]!r}. This page shows version {FIRST}.",
    )

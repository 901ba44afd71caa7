"""Hints for redirect addresses that are accepted, and that an application may still stumble over."""

from __future__ import annotations

from urllib.parse import urlsplit

from rollbook.errors import BadSetting
from rollbook.store.accounts import application_checks


def of(uri: str, *, is_live: bool) -> list[str]:
    """What is wrong with a redirect address, or what its developer should know; nothing for a plain good one."""
    try:
        application_checks.check_redirects((uri,), is_live=is_live)
    except BadSetting as error:
        return [str(error)]
    parts = urlsplit(uri)
    host = parts.hostname or ""
    is_here = host in ("localhost", "127.0.0.1", "::1")
    found = []
    if parts.scheme not in ("http", "https"):
        found.append(f"{uri}: opens a program on the person's device, not a page")
    elif is_here:
        found.append(f"{uri}: works only on the machine whose browser signs in")
    elif parts.scheme == "http":
        found.append(f"{uri}: codes travel unencrypted; a live application needs https")
    if parts.scheme in ("http", "https") and parts.path in ("", "/"):
        found.append(
            f"{uri}: leads to the front page; logins return to exactly this address, so a / at its end counts"
        )
    if "*" in uri:
        found.append(f"{uri}: * is no wildcard; register each address")
    return found

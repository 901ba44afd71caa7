"""Hints for the developer of an application whose sign-in link names an unregistered redirect address."""

from __future__ import annotations

import re
import shlex

from rollbook.store.accounts.applications import Application

# An address that can be pasted into a terminal, quoted: without blanks and control characters.
_PASTABLE = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[!-~]+")
EXAMPLE = "https://your.application/callback"

Hints = tuple[tuple[str, tuple[str, ...]], ...]


def hints(application: Application, registered: tuple[str, ...], asked: str, database: str) -> Hints:
    """The requested address, the registered ones, and the command that registers it.

    Nothing for a live application: its redirect addresses are not public.
    """
    if application.is_live:
        return ()
    found: Hints = (("Registered", registered or ("no address yet",)),)
    if asked:
        found = (("Asked for", (asked,)), *found)
    if asked and not _PASTABLE.fullmatch(asked):
        return found
    return (
        *found,
        (
            "To register it" if asked else "To register one",
            (_command(application, asked or EXAMPLE, database),),
        ),
    )


def _command(application: Application, asked: str, database: str) -> str:
    """The command. Its option replaces all registered addresses, so the command repeats them."""
    addresses = (*application.redirect_uris, asked)
    words = ["rollbook", "application", "set", application.name]
    words += [word for address in addresses for word in ("--redirect-uri", address)]
    # A demo's database is a file that no setting names. Other databases are left out, because their address
    # may hold a password.
    words += ["--database", database] if application.is_demo else []
    return shlex.join(words)

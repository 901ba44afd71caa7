"""What the developer of an application needs to know when a sign-in link names a wrong address to return to."""

from __future__ import annotations

import re
import shlex

from rollbook.store.accounts.applications import Application

# An address that can be pasted into a terminal, quoted: no blanks, no control characters.
_PASTABLE = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[!-~]+")
EXAMPLE = "https://your.application/callback"

Hints = tuple[tuple[str, tuple[str, ...]], ...]


def hints(application: Application, registered: tuple[str, ...], asked: str, database: str) -> Hints:
    """The address asked for, those that are registered, and the command that registers it.

    Of a live application nothing: where its logins return to is nobody's business.
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
    """What is given replaces what was, so the addresses that are registered stand there, too."""
    addresses = (*application.redirect_uris, asked)
    words = ["rollbook", "application", "set", application.name]
    words += [word for address in addresses for word in ("--redirect-uri", address)]
    # A demo's database is a file of its own, which no setting names; another one may hold a password.
    words += ["--database", database] if application.is_demo else []
    return shlex.join(words)

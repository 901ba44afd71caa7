"""Web addresses that people type or programs tell: whether they are ones, and whether secrets may be sent there."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
# Letters that would mean something where a host stands: in a header, in a content policy, in a page.
_MISPLACED = frozenset(";,'\"<>\\`{}|^%")


def is_plain(address: str) -> bool:
    """Whether an address is written in visible ASCII alone; others are written with `%` or, in hosts, as `xn--`."""
    return all(32 < ord(letter) < 127 for letter in address)


def parts(address: str) -> SplitResult | None:
    """The parts of an http or https address with a host; None for anything else."""
    try:
        found = urlsplit(address)
        is_whole = found.port != 0 and bool(found.hostname)
    except ValueError:  # a port that is no number, a bracket that is not closed
        return None
    if not (is_whole and is_plain(address) and found.scheme in ("http", "https")) or _MISPLACED & set(found.netloc):
        return None
    return found


def is_safe(address: str) -> bool:
    """Whether what is sent there is read by nobody on the way: https, or this machine."""
    found = parts(address)
    return found is not None and (found.scheme == "https" or found.hostname in LOCAL_HOSTS)

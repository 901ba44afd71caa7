"""The ETags of answers: a hash of what the answer depends on, and the ends of a page.

A client that holds a page sends its ETag back. It names the page's first and last id, so the pull goes on from there
without a read. The hash covers these ids and the view's random mark, so a client cannot put other ids in.
"""

from __future__ import annotations

import re
from hashlib import blake2b

# How many ETags of one request are looked at.
HELD_MAX = 8
_ETAG = re.compile(r'"([0-9a-f]{30})((?:[0-9a-f]{48})?)"')


def etag(named: str, ends: str) -> bytes:
    """The ETag of an answer. `named` is all that it depends on; `ends` the first and last id of a page, or blank."""
    return b'W/"%s"' % f"{_mark(named, ends)}{ends}".encode()


def held(if_none_match: str, named: str) -> str | None:
    """The ends of the answer, if the client holds it; else None. Weak comparison (RFC 9110, 13.1.2).

    `*` is not supported: it asks whether anything exists, which needs a read.
    """
    for mark, ends in _ETAG.findall(if_none_match)[:HELD_MAX]:
        if mark == _mark(named, ends):
            return str(ends)
    return None


def _mark(named: str, ends: str) -> str:
    return blake2b(f"{named} {ends}".encode("utf-8", "surrogateescape"), digest_size=15).hexdigest()

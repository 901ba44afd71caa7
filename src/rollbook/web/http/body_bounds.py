"""How large the body of a request may be."""

from __future__ import annotations

import re

from rollbook.settings import Settings

# The pages that take files; all other bodies are short.
PATH = re.compile(rb"/console/d/[^/?]+/upload")


def is_upload(url: bytes) -> bool:
    """Whether a request's address is one that takes files."""
    return PATH.fullmatch(url) is not None


def body_bytes_max(settings: Settings, url: bytes) -> int:
    """The size that the body of a request to an address may have."""
    return settings.upload_bytes_max if is_upload(url) else settings.body_bytes_max

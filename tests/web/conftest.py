"""Fixtures of tests in a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.web.chromium import opened


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Chromium. For a module at most: a thread in which it runs has an event loop already, and can start no
    other."""
    with opened() as browser:
        yield browser

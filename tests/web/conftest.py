"""Fixtures of tests in a real browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests import demos
from tests.web.chromium import opened, served


@pytest.fixture(scope="session")
def demo_folder(made_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo that tests only read, or write to as its visitors do."""
    return Path(shutil.copytree(made_demo, tmp_path_factory.mktemp("explorer") / "demo"))


@pytest.fixture(scope="session")
def demo_address(demo_folder: Path) -> Iterator[str]:
    """The address of that demo's server."""
    with demos.app_of(demo_folder) as app, served(app) as address:
        yield address


@pytest.fixture(scope="session")
def real_address(demo_folder: Path) -> Iterator[str]:
    """The address of a usual server on the same database; it knows no published token."""
    with demos.app_of(demo_folder, is_demo=False) as app, served(app) as address:
        yield address


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Chromium, for a module at most: its thread has an event loop already, and can start no other."""
    with opened() as browser:
        yield browser

"""A demo on its first day, made once and copied for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import demos
from tests.demos import Demo


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return demos.make(tmp_path_factory.mktemp("made") / "demo")


@pytest.fixture
def demo(made: Path, tmp_path: Path) -> Demo:
    return Demo.copied(made, tmp_path / "demo")

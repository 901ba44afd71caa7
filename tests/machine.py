"""Programs of the machine that some tests run."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def lacks(reason: str) -> NoReturn:
    """Skip the test, but fail it in CI. The reason says the line that installs what the machine lacks."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def need(*names: str, package: str) -> None:
    """Go on only if the machine has these programs, which `apt install PACKAGE` brings."""
    if missing := [name for name in names if shutil.which(name) is None]:
        lacks(f"no {', '.join(missing)} on this machine: apt install {package}")

"""The units for systemd are right, and shut in what they start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.sources import ROOT

UNITS = sorted((ROOT / "tools" / "systemd").glob("*.service"))
INSTALLED = "/srv/rollbook/.venv/bin/rollbook"


@pytest.mark.needs("systemd-analyze", package="systemd")
@pytest.mark.parametrize("unit", UNITS, ids=[unit.name for unit in UNITS])
def test_a_unit_is_right(unit: Path, tmp_path: Path) -> None:
    text = unit.read_text("utf-8")
    assert INSTALLED in text
    copied = tmp_path / unit.name
    copied.write_text(text.replace(INSTALLED, str(Path(sys.executable).with_name("rollbook"))))
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copied)], capture_output=True, text=True, check=False
    )
    told = [line for line in verified.stderr.splitlines() if unit.name in line]
    assert (verified.returncode, told) == (0, []), verified.stderr


def test_all_units_shut_in_what_they_start_alike() -> None:
    def hardening(unit: Path) -> list[str]:
        return [
            line
            for line in unit.read_text("utf-8").splitlines()
            if line.startswith(("Protect", "Restrict", "System"))
        ]

    first, *others = (hardening(unit) for unit in UNITS)
    assert len(others) == 2
    assert all(other == first for other in others)
    assert len(first) > 10

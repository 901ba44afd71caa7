"""The rehearsals' own parts: what they ask for, how they count, and configurations that HAProxy accepts.

The rehearsals themselves take minutes, and are run by hand.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tools.rehearse import __main__ as command
from tools.rehearse.clients import HEADINGS, Seen
from tools.rehearse.layouts import LAYOUTS, PRIMARY, WEB
from tools.rehearse.programs import find

from tests.house.sources import ROOT
from tests.machine import lacks

BACKEND = "\nbackend servers"
GUIDE = (ROOT / "docs" / "guide" / "machines.md").read_text("utf-8")


def test_an_unknown_layout_is_told_with_those_that_exist() -> None:
    with pytest.raises(SystemExit, match=r"^LAYOUT: expected one of one, two, replica, failover, got three$"):
        command.main(["three"])


def test_a_phase_counts_what_clients_saw() -> None:
    seen = Seen("restart", [0.001 * number for number in range(1, 101)], 2, ["OSError", "500"])
    assert dict(zip(HEADINGS, seen.row, strict=True)) == {
        "phase": "restart",
        "requests": "104",
        "503 with Retry-After": "2",
        "failed": "2",
        "p50 ms": "50",
        "p99 ms": "100",
        "longest ms": "100",
    }


def test_haproxy_accepts_what_the_rehearsals_and_the_guide_give_it(tmp_path: Path) -> None:
    if shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin") is None:
        lacks("no haproxy on this machine: apt install haproxy")
    [backend, listen] = re.findall(r"^```\n((?:backend|listen) .*?)^```", GUIDE, re.DOTALL | re.MULTILINE)
    servers = "  server one 127.0.0.1:1\n"
    told = {
        "web": WEB + servers,
        "primary": PRIMARY + servers,
        "backend": f"{WEB.partition(BACKEND)[0]}\n{backend}",
        "listen": f"{PRIMARY.partition('listen primary')[0]}{listen}",
    }
    for name, text in told.items():
        file = tmp_path / f"{name}.cfg"
        file.write_text(text.replace("{port}", "8400"))
        checked = subprocess.run(
            [find("haproxy"), "-c", "-f", file], capture_output=True, text=True, check=False
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_guide_shows_a_table_of_each_layout() -> None:
    titles = {(layout.__doc__ or "").strip() for layout, _ in LAYOUTS.values()}
    assert titles <= {line.removeprefix("### ") for line in GUIDE.splitlines()}

"""The programs in the guide to the client run unchanged against a demo."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.house.sources import ROOT
from tests.journeys import program

PROGRAM = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_each_program_of_the_guide_runs(tmp_path: Path) -> None:
    programs = PROGRAM.findall((ROOT / "docs" / "guide" / "client.md").read_text("utf-8"))
    assert len(programs) == 4
    with program.serving("demo", "--students", "60", folder=tmp_path) as server:
        text = "\n".join(programs).replace("http://127.0.0.1:8400", server.base)
        done = subprocess.run(
            [sys.executable, "-c", text],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert "Update(how='pull', count=" in done.stdout
    assert "404 Resource not found" in done.stdout

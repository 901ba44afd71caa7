"""The tests in the guide to test suites pass as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.house.sources import ROOT

PROGRAM = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_suites_of_the_guide_pass(tmp_path: Path) -> None:
    programs = PROGRAM.findall((ROOT / "docs" / "guide" / "test-suite.md").read_text("utf-8"))
    assert len(programs) == 3
    cache = tmp_path / "cache"
    for number, text in enumerate(programs[:2]):
        (tmp_path / f"test_{number}.py").write_text(text)
    settings = {"students": "60", "cache": str(cache), "keep_ready": "no"}
    options = [f"-orollbook_{name}={value}" for name, value in settings.items()]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout

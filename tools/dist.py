"""Builds what is installed: an sdist, and from it a wheel, in `dist/` or another folder.

Both are built in copies, so nothing is left in the checkout; and the wheel from the sdist, so the sdist has all that
a wheel needs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
PARTS = ("src", "docs", "examples", "pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE")
SKIPPED = shutil.ignore_patterns("__pycache__", "*.egg-info", "node_modules", ".pytest_cache")
BUILD = "import sys, setuptools.build_meta as build; print(getattr(build, sys.argv[1])(sys.argv[2]))"


def main(target: Path) -> list[Path]:
    """Build both; gives their paths."""
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="rollbook-dist-") as name:
        copy = Path(name) / "copy"
        copy.mkdir()
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, copy / part, ignore=SKIPPED)
            else:
                shutil.copy(source, copy)
        sdist = _build("build_sdist", copy, target)
        with tarfile.open(sdist) as packed:
            packed.extractall(name, filter="data")
        unpacked = Path(name) / sdist.name.removesuffix(".tar.gz")
        return [sdist, _build("build_wheel", unpacked, target)]


def _build(what: str, folder: Path, target: Path) -> Path:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BUILD, what, str(target.resolve())],
        cwd=folder,
        env={**os.environ, "SOURCE_DATE_EPOCH": os.environ.get("SOURCE_DATE_EPOCH", "315532800")},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stderr)
    return target / done.stdout.splitlines()[-1]


if __name__ == "__main__":
    for path in main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "dist"):
        print(path)

"""A wheel of the project carries the documentation, and an installed package finds it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from rollbook.web.docs import doc_sources
from tests.house.sources import ROOT
from tests.journeys.program import TIMEOUT_SECONDS

# The parts of a wheel; it is made in a copy, so that nothing is left in the checkout.
PARTS = ("src", "docs", "examples", "pyproject.toml", "setup.py", "README.md", "LICENSE")
SHOW = "from rollbook.web.docs.doc_sources import chapters, files, root; print(root()); print(len(files(root())))"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which a wheel was unpacked, as an installer does it."""
    folder = tmp_path_factory.mktemp("wheel")
    for part in PARTS:
        source = ROOT / part
        skipped = shutil.ignore_patterns("__pycache__", "*.egg-info")
        (
            shutil.copytree(source, folder / part, ignore=skipped)
            if source.is_dir()
            else shutil.copy(source, folder)
        )
    build = "import setuptools.build_meta as build; print(build.build_wheel('.'))"
    made = run("-c", build, folder=folder).splitlines()[-1]
    with zipfile.ZipFile(folder / made) as wheel:
        wheel.extractall(folder / "site")
    return folder / "site"


def run(*arguments: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_installed_package_finds_its_documentation(installed: Path) -> None:
    place, count = run("-c", SHOW, folder=installed).splitlines()
    assert place == str(installed / "rollbook" / "documentation")
    assert int(count) == len(doc_sources.files(ROOT))


def test_a_wheel_carries_templates_sheets_and_fonts(installed: Path) -> None:
    for folder in ("web/templates", "web/static"):
        source = ROOT / "src" / "rollbook" / folder
        expected = {path.relative_to(source) for path in source.rglob("*") if path.is_file()}
        carried = {
            path.relative_to(installed / "rollbook" / folder)
            for path in (installed / "rollbook" / folder).rglob("*")
            if path.is_file()
        }
        assert expected <= carried

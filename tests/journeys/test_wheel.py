"""The built wheel, installed into an empty environment: it has all files, serves a demo, and tests an application."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from tools import dist
from tools.bootstrap import PIP

from rollbook.web.docs import doc_sources
from tests import machine
from tests.house.sources import ROOT
from tests.journeys import node, program
from tests.journeys.program import TIMEOUT_SECONDS

SHOW = "from rollbook.web.docs.doc_sources import files, root; print(root()); print(len(files(root())))"
SUITES = ROOT / "examples" / "suite"


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel; `site` is where its package is. It shares the packages that Rollbook needs."""

    folder: Path
    site: Path
    sdist: Path

    @property
    def rollbook(self) -> Path:
        return self.folder / "bin" / "rollbook"

    def run(self, *arguments: str | Path, folder: Path | None = None) -> str:
        done = subprocess.run(
            [self.folder / "bin" / "python", *arguments],
            cwd=folder or self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS * 3,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def environment(self) -> dict[str, str]:
        """Without what the outer test run has set, and with a cache of its own."""
        outside = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTEST_", "ROLLBOOK_", "PYTHON"))
        }
        return {**outside, "XDG_CACHE_HOME": str(self.folder / "cache"), "ROLLBOOK": str(self.rollbook)}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("wheel")
    sdist, wheel = dist.main(folder / "dist")
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv" / "bin" / "python"
    pip = [str(PIP), "install", "--quiet", "--no-index", "--no-deps", "--disable-pip-version-check"]
    subprocess.run([python, *pip, wheel], check=True, env={**os.environ, "PIP_ROOT_USER_ACTION": "ignore"})
    site = (
        folder / "venv" / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    )
    # A plain path: the checkout, which that folder leads to by a file of its own, is not followed.
    (site / "shared.pth").write_text(sysconfig.get_path("purelib"))
    return Installed(folder / "venv", site, sdist)


def test_an_installed_package_finds_its_documentation(installed: Installed) -> None:
    place, count = installed.run("-c", SHOW).splitlines()
    assert place == str(installed.site / "rollbook" / "documentation")
    assert int(count) == len(doc_sources.files(ROOT))


def test_the_wheel_and_the_sdist_carry_every_file_of_the_package(installed: Installed) -> None:
    package = ROOT / "src" / "rollbook"
    expected = {
        path.relative_to(package)
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    carried = {
        path.relative_to(installed.site / "rollbook")
        for path in installed.site.rglob("*")
        if path.is_file() and path.is_relative_to(installed.site / "rollbook")
    }
    assert expected - carried == set()
    licences = {path.name for path in installed.site.glob("rollbook-*.dist-info/licenses/**/*")}
    assert {"LICENSE", "newsreader-OFL.txt"} <= licences
    with tarfile.open(installed.sdist) as packed:
        names = {name.partition("/")[2] for name in packed.getnames()}
    assert {f"src/rollbook/{path.as_posix()}" for path in expected} - names == set()
    assert set(doc_sources.files(ROOT)) - names == set()


def test_a_demo_runs_from_the_wheel(
    installed: Installed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "PROGRAM", (str(installed.rollbook),))
    with program.serving("demo", "--students", "60", folder=tmp_path) as server:
        bearer = {"authorization": "Bearer TEST_TOKEN"}
        assert httpx.get(f"{server.base}/v3.0/users", headers=bearer).json()["data"]
        for page in ("/", "/docs/guide/test-suite", "/explorer"):
            assert httpx.get(server.base + page, headers={"accept": "text/html"}).status_code == 200


def test_the_suite_of_the_python_example_passes_with_the_plugin_of_the_wheel(
    installed: Installed, tmp_path: Path
) -> None:
    suite = shutil.copytree(SUITES / "python", tmp_path / "suite")
    printed = installed.run(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", "-orollbook_keep_ready=no", ".", folder=suite
    )
    assert "8 passed" in printed
    assert [*(installed.folder / "cache" / "rollbook").glob("demo-*-60-1")]


@pytest.mark.node
def test_the_suite_of_the_javascript_example_passes_with_the_demo_of_the_wheel(
    installed: Installed, tmp_path: Path
) -> None:
    if reason := node.missing():
        machine.lacks(reason)
    suite = shutil.copytree(SUITES / "javascript", tmp_path / "suite")
    done = subprocess.run(
        ["node", "--test"],
        cwd=suite,
        env=installed.environment(),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS * 3,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# pass 7" in done.stdout.replace("ℹ", "#")

"""Demos that are made once and then copied, in the user's cache folder.

The name of a template holds the version of Rollbook and its source, so that another version makes its own.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import rollbook
from rollbook import __version__

ABOUT = "template.json"
# As in `rollbook.demo.demo_folder` and `rollbook.settings`, which would load half of the server into a test process.
SAVES, SERVING, PREFIX = "saves", "serving.lock", "ROLLBOOK_"
MAKE_SECONDS_MAX = 1800
# A template that nobody has used for so long is removed when another one is made.
UNUSED_SECONDS = 30 * 24 * 3600


class SandboxError(Exception):
    """A sandbox cannot be used as asked; the text is one sentence that says what to do."""


def cache_folder() -> Path:
    """Where templates are kept: `rollbook` in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rollbook"


def copied(students: int, seed: int, target: Path, cache: Path) -> None:
    """Copy the template into a new folder; the first time, make it. Errors: SandboxError."""
    template = cache / f"demo-{__version__}-{source_mark()}-{students}-{seed}"
    if not template.exists():
        _make(template, students, seed)
    _check(template, students, seed)
    os.utime(template)
    shutil.copytree(template, target, ignore=shutil.ignore_patterns(ABOUT))
    target.chmod(0o700)


@cache
def source_mark() -> str:
    """A short mark of the installed source, which changes with each file of the package."""
    package = Path(rollbook.__file__).parent
    files = sorted(path for path in package.rglob("*") if path.suffix in (".py", ".json", ".csv"))
    known = "".join(f"{path.stat().st_mtime_ns} {path.stat().st_size} " for path in files)
    return hashlib.sha256(f"{sys.executable} {package} {known}".encode()).hexdigest()[:8]


def environment() -> dict[str, str]:
    """The environment of a sandbox's programs, without settings from outside."""
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}


def _about(students: int, seed: int) -> dict[str, object]:
    return {"version": __version__, "students": students, "seed": seed}


def _check(template: Path, students: int, seed: int) -> None:
    try:
        about = json.loads((template / ABOUT).read_text("utf-8"))
    except (OSError, ValueError):
        about = None
    if about != _about(students, seed):
        found = (
            f"is of Rollbook {about['version']}"
            if isinstance(about, dict) and "version" in about
            else "is broken"
        )
        raise SandboxError(
            f"the template {template} {found}, and this is Rollbook {__version__}: remove that folder and run again"
        )


def _make(template: Path, students: int, seed: int) -> None:
    """Make a template. Parallel test processes take turns, and only one of them makes it."""
    template.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(template):
        if template.exists():
            return
        partial = template.with_name(f"{template.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        size = ["--students", str(students), "--seed", str(seed)]
        done = subprocess.run(  # noqa: S603 - our own program
            [
                sys.executable,
                "-m",
                "rollbook",
                "demo",
                "--folder",
                str(partial),
                *size,
                "--save",
                "made",
                "--json",
            ],
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=MAKE_SECONDS_MAX,
            check=False,
        )
        if done.returncode:
            said = done.stderr.strip().splitlines() or ["no reason given"]
            raise SandboxError(f"the demo could not be made: {said[-1].removeprefix('rollbook: ')}")
        shutil.rmtree(partial / SAVES)
        (partial / SERVING).unlink(missing_ok=True)
        (partial / ABOUT).write_text(json.dumps(_about(students, seed)), "utf-8")
        partial.rename(template)
        _remove_unused(template.parent)


def _remove_unused(cache: Path) -> None:
    for other in cache.glob("demo-*"):
        if other.is_dir() and other.stat().st_mtime < time.time() - UNUSED_SECONDS:
            shutil.rmtree(other, ignore_errors=True)


@contextmanager
def _alone(template: Path) -> Iterator[None]:
    with template.with_name(f"{template.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

"""The material of the measurements: generated files, kept from run to run, and databases with a synced
district."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import rollbook
from bench.processes import rollbook_prints

SEED = 1
KEY_FILE = "ROLLBOOK_KEY_FILE"
DISTRICT, APPLICATION = "Measured", "Measuring"


@dataclass(frozen=True, slots=True)
class Ready:
    """A database with a synced district, and the token that reads it."""

    database: str
    token: str


def folder() -> Path:
    """The folder in which generated files are kept from run to run."""
    return Path(tempfile.gettempdir()) / "rollbook-bench"


@contextlib.contextmanager
def place() -> Iterator[str]:
    """A folder for one part's databases, with their key: the next part has another key."""
    with tempfile.TemporaryDirectory(prefix="rollbook-bench-") as name:
        before = os.environ.get(KEY_FILE)
        os.environ[KEY_FILE] = f"{name}/key"
        try:
            yield name
        finally:
            os.environ.pop(KEY_FILE)
            if before is not None:
                os.environ[KEY_FILE] = before


def generated(students: int) -> Path:
    """The files of a district; made again if the generator has changed."""
    sources = sorted((Path(rollbook.__file__).parent / "synthetic").rglob("*.py"))

    def generate(into: Path) -> None:
        rollbook_prints("generate", str(into), "--students", str(students), "--seed", str(SEED))

    return _kept(f"{students}-{SEED}", b"".join(path.read_bytes() for path in sources), generate)


def variant(files: Path, name: str, change: Callable[[Path, Path], None]) -> Path:
    """The files, changed by a function of their folder and a new one; made again if the function or the files
    have changed."""
    source = files.name + inspect.getsource(change)
    return _kept(f"{files.name.rpartition('-')[0]}-{name}", source.encode(), lambda into: change(files, into))


def _kept(name: str, source: bytes, make: Callable[[Path], None]) -> Path:
    """A folder that is made once for each state of its source."""
    wanted = folder() / f"{name}-{hashlib.sha256(source).hexdigest()[:12]}"
    if not wanted.exists():
        unfinished = folder() / f"unfinished-{name}"
        for outdated in (unfinished, *folder().glob(f"{name}-{'?' * 12}")):
            shutil.rmtree(outdated, ignore_errors=True)
        unfinished.mkdir(parents=True)
        make(unfinished)
        unfinished.rename(wanted)
    return wanted


def ready(database: str, files: Path) -> Ready:
    """Sync the files into an empty database, and connect an application with a full share."""
    rollbook_prints("district", "create", DISTRICT, "--database", database)
    rollbook_prints("sync", DISTRICT, str(files), "--database", database)
    rollbook_prints("application", "create", APPLICATION, "--database", database)
    connected = rollbook_prints("connect", APPLICATION, DISTRICT, "--database", database, "--json")
    return Ready(database, json.loads(connected)["access_token"])

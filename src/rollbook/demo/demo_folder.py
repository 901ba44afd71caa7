"""The folder of a demo: its marker, and its removal. Only files that a demo made are removed.

The marker is the first file of the folder. If the folder holds anything else, such as a real server's
database, key or SIS files, the command refuses and touches nothing.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import orjson

from rollbook.errors import BadSetting, Refused
from rollbook.settings import Settings, key_path
from rollbook.store.district import demo_state
from rollbook.store.engine import keys
from rollbook.store.engine.shared_counters import SHARED
from rollbook.store.engine.sqlite import inspected
from rollbook.store.records import request_log

MARKER = ".rollbook-demo"
READY = "ready"
DATABASE = "rollbook.db"
KEY = f"{DATABASE}.key"
FILES = "files"
# What all workers share: requests counted by token, the snapshots of pulls, faults and restores.
LIMITS = f"{DATABASE}.limits"
PULLS = f"{KEY}{SHARED}"
STATE = "demo.shared"
MOVING = "advance.lock"
# Locked by the process that serves the folder.
SERVING = "serving.lock"
# Earlier states of the demo, by name.
SAVES = "saves"
ABOUT = "about.json"
PARTIAL = ".partial"
# What a demo makes, in the order of its removal: after a break, the rest is still recognised as the demo's.
LOG = f"{DATABASE}{request_log.ENDING}"
MADE = (
    *(READY, MOVING, SERVING, STATE, LIMITS, f"{LOG}-shm", f"{LOG}-wal", LOG),
    *(PULLS, KEY, f"{DATABASE}-shm", f"{DATABASE}-wal", DATABASE),
)
# What a save holds besides the SIS files.
SAVED = (ABOUT, DATABASE, LOG, LIMITS, PULLS, STATE)
# The certificate for the API's original names. It outlives a fresh start, as clients were told to trust it.
TLS = "tls"
AUTHORITY, CERTIFICATE, CERTIFICATE_KEY = "ca.pem", "host.pem", "host.key"
TLS_FILES = (AUTHORITY, CERTIFICATE, CERTIFICATE_KEY, "rollbook.p12")
FOLDERS = (FILES, SAVES)


def of(settings: Settings) -> Path:
    """The folder of a demo: that of its database, or of its key if the database is a server."""
    is_file = "://" not in settings.database
    return Path(settings.database).parent if is_file else key_path(settings).parent


def is_ready(folder: Path) -> bool:
    """Whether a demo was made here completely. Errors: Refused if the database here is not a demo's."""
    if not ((folder / READY).exists() and (folder / DATABASE).exists()):
        return False
    try:
        with inspected(folder / DATABASE) as connection:
            is_demo = demo_state.is_demo(connection)
    except BadSetting:
        is_demo = False
    if not is_demo:
        raise _refused(folder, DATABASE)
    return True


def begin(folder: Path) -> None:
    """Mark an empty folder as a demo's, and make its key. Errors: Refused if the folder is not empty."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in sorted(os.listdir(folder)):
        if name != TLS or [*_foreign_in_tls(folder)]:
            raise _refused(folder, name)
    key = keys.new()
    marker = orjson.dumps({"made_by": "rollbook demo", "key_digest": keys.digest(key.decode())})
    with open(folder / MARKER, "xb") as file:
        file.write(marker)
        os.fsync(file.fileno())
    keys.place(folder / KEY, key)


def clear(folder: Path) -> None:
    """Remove a demo, also an unfinished one. A missing folder is made.

    Errors: Refused if the folder cannot be used, or holds anything that a demo did not make; nothing is
    removed then.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in _foreign(folder):
            raise _refused(folder, name)
        for name in MADE:
            (folder / name).unlink(missing_ok=True)
        for name in FOLDERS:
            if (folder / name).exists():
                shutil.rmtree(folder / name)
        (folder / MARKER).unlink(missing_ok=True)
    except OSError as error:
        raise unusable(folder, error) from None


def unusable(folder: Path, error: OSError) -> Refused:
    """What is said of a folder that the system refuses."""
    return Refused(f"folder: {folder} cannot be used: {error.strerror}; choose another one with --folder")


def _refused(folder: Path, name: str) -> Refused:
    where = f"folder: {folder} holds {name}, which no demo made"
    if not (folder / MARKER).exists():
        where = f"folder: {folder} holds {name}, and no demo has marked the folder as its own ({MARKER})"
    return Refused(
        f"{where}; nothing was touched. Choose another folder with --folder, or remove {name} yourself"
    )


def _foreign(folder: Path) -> Iterator[str]:
    """What the folder holds that a demo did not make."""
    names = sorted(os.listdir(folder))
    digest = _key_digest(folder)
    if digest is None:
        yield from (name for name in names if name != TLS)
        yield from _foreign_in_tls(folder)
        return
    for name in names:
        is_folder = name in (*FOLDERS, TLS)
        if name not in (*MADE, MARKER, *FOLDERS, TLS) or not _is_plain(folder / name, is_folder=is_folder):
            yield name
    if FILES in names:
        yield from (f"{FILES}/{name}" for name in _foreign_files(folder / FILES))
    yield from _foreign_in_tls(folder)
    if SAVES in names and _is_plain(folder / SAVES, is_folder=True):
        yield from _foreign_in_saves(folder)
    if KEY in names and keys.digest((folder / KEY).read_text("latin-1")) != digest:
        yield KEY
    yield from _foreign_in_database(folder, names)


def _foreign_files(files: Path) -> Iterator[str]:
    """What a folder of SIS files holds that a demo did not make."""
    # Loaded only here: a demo that is there starts without what invents one.
    yield from import_module("rollbook.synthetic.writer").foreign(files, is_whole=True)


def _foreign_in_database(folder: Path, names: list[str]) -> Iterator[str]:
    """What the database holds that a demo did not make; also a log without its database, which cannot be
    checked."""
    if DATABASE not in names:
        yield from (name for name in names if name.startswith(f"{DATABASE}-"))
        return
    try:
        with inspected(folder / DATABASE) as connection:
            yield from (f"{what} in {DATABASE}" for what in demo_state.foreign(connection))
    except BadSetting:
        yield DATABASE


def _foreign_in_saves(folder: Path) -> Iterator[str]:
    """What the saves hold that a demo did not make."""
    for save in sorted((folder / SAVES).iterdir()):
        if not _is_plain(save, is_folder=True):
            yield f"{SAVES}/{save.name}"
            continue
        for path in sorted(save.iterdir()):
            if path.name not in (*SAVED, FILES) or not _is_plain(path, is_folder=path.name == FILES):
                yield f"{SAVES}/{save.name}/{path.name}"
        if (save / FILES).is_dir():
            yield from (f"{SAVES}/{save.name}/{FILES}/{name}" for name in _foreign_files(save / FILES))


def _foreign_in_tls(folder: Path) -> Iterator[str]:
    """What is beside the certificate that a demo did not make."""
    place = folder / TLS
    if place.is_dir() and not place.is_symlink():
        for path in sorted(place.iterdir()):
            if path.name not in TLS_FILES or not _is_plain(path, is_folder=False):
                yield f"{TLS}/{path.name}"


def _is_plain(path: Path, *, is_folder: bool) -> bool:
    """Whether it is the demo's own file or folder. A link is not: its target may belong to something else."""
    kind = path.lstat().st_mode
    return stat.S_ISDIR(kind) if is_folder else stat.S_ISREG(kind)


def _key_digest(folder: Path) -> str | None:
    """The digest of the demo's key in the marker; None without a marker. An unfinished marker is older than
    any key."""
    try:
        if not _is_plain(folder / MARKER, is_folder=False):
            return None
        text = (folder / MARKER).read_bytes()
        return str(orjson.loads(text)["key_digest"]) if text else ""
    except (OSError, ValueError, KeyError, TypeError):
        return None

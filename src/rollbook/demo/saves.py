"""Save a whole demo under a name and restore it: the database, the request log, the workers' shared files,
the SIS files.

Saving and restoring copy files while the server answers. After a restore, each worker sees the restored demo
from its next request on; requests that arrive meanwhile wait.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson

from rollbook import __version__
from rollbook.demo import demo_folder, turns
from rollbook.demo.demo_folder import ABOUT, DATABASE, FILES, LIMITS, LOG, PARTIAL, PULLS, SAVES, STATE
from rollbook.demo.shared_state import SharedState
from rollbook.errors import BadSetting, Refused, Unknown
from rollbook.settings import Settings
from rollbook.store.district import demo_state
from rollbook.store.engine import keys, migrations, sqlite
from rollbook.store.records import request_log

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
SAVES_MAX = 100
_BLOCK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Save:
    """A save. `day` and `date` say where the demo stood, `saved` when it was made (UTC)."""

    name: str
    day: int
    date: str
    saved: str
    version: str
    schema: int
    key_digest: str

    def as_json(self) -> dict[str, object]:
        return {"name": self.name, "day": self.day, "date": self.date, "saved": self.saved}


def save(folder: Path, name: str, settings: Settings) -> Save:
    """Save the whole demo under a name, replacing a save of that name.

    Errors: BadSetting for an unusable name, Busy while the demo is moving, Refused for too many saves, or if the
    database is a server.
    """
    _check_place(settings)
    target = _place(folder, name)
    if not target.exists() and len(listed(folder)) >= SAVES_MAX:
        raise Refused(f"there are {SAVES_MAX} saves; remove one first")
    with turns.alone(folder), _partial(target) as made:
        about = _about(folder, name)
        sqlite.copy_out(folder / DATABASE, made / DATABASE)
        if request_log.is_there(settings):
            sqlite.copy_out(folder / LOG, made / LOG)
        for file in (LIMITS, PULLS, STATE):
            if (folder / file).exists():
                _copy_blocks(folder / file, made / file)
        if (folder / FILES).exists():
            shutil.copytree(folder / FILES, made / FILES)
        (made / ABOUT).write_bytes(orjson.dumps(asdict(about)))
        return about


def restore(folder: Path, name: str, settings: Settings, *, keeps_log: bool = False) -> Save:
    """Restore the whole demo from a save; `keeps_log`: but for the request log.

    Errors: Unknown if there is no such save; Refused if it is of another demo or another version of Rollbook;
    Busy while the demo is moving.
    """
    _check_place(settings)
    source = _place(folder, name)
    about = _read(source)
    _check(about, folder)
    with (
        turns.alone(folder),
        closing(SharedState(folder / STATE)) as shared,
        shared.keeping_requests_waiting(),
    ):
        sqlite.put_back(folder / DATABASE, source / DATABASE)
        if not keeps_log:
            _put_back_log(source, folder, settings)
        for file in (LIMITS, PULLS):
            if (folder / file).exists():
                _copy_blocks(source / file, folder / file)
        rows = _faults_of(source)
        shared.change_faults(lambda _: rows)
        _put_back_files(source, folder)
    return about


def listed(folder: Path) -> list[Save]:
    """All saves, newest first."""
    return sorted(_all(folder), key=lambda save: (save.saved, save.name), reverse=True)


def delete(folder: Path, name: str) -> None:
    """Remove a save. Errors: Unknown if there is no such save, Busy while a demo is restored from one."""
    place = _place(folder, name)
    with turns.alone(folder):
        _read(place)
        shutil.rmtree(place)


def _all(folder: Path) -> Iterator[Save]:
    if (folder / SAVES).exists():
        for place in (folder / SAVES).iterdir():
            if (place / ABOUT).exists():
                yield _read(place)


def _check_place(settings: Settings) -> None:
    if "://" in settings.database:
        raise Refused(
            "this demo is in a database server, so it has no saves; `rollbook backup` writes it into a file"
        )


def _place(folder: Path, name: str) -> Path:
    if not NAME.fullmatch(name) or name.endswith(PARTIAL):
        raise BadSetting(
            "name: expected 1 to 64 letters, digits, dots, hyphens or underscores, a letter or digit first"
        )
    return folder / SAVES / name


@contextmanager
def _partial(target: Path) -> Iterator[Path]:
    """A new folder that replaces the target at the end, or is removed after a failure."""
    target.parent.mkdir(mode=0o700, exist_ok=True)
    made = target.with_name(f"{target.name}{PARTIAL}")
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(mode=0o700)
    try:
        yield made
        if target.exists():
            shutil.rmtree(target)
        made.rename(target)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _about(folder: Path, name: str) -> Save:
    with sqlite.inspected(folder / DATABASE) as connection:
        state = demo_state.last_state(connection)
    saved = datetime.fromtimestamp(time.time(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return Save(name, state.day, state.date, saved, __version__, len(migrations.STEPS), _key_digest(folder))


def _read(place: Path) -> Save:
    try:
        return Save(**orjson.loads((place / ABOUT).read_bytes()))
    except FileNotFoundError:
        names = ", ".join(sorted(save.name for save in _all(place.parent.parent))) or "none yet"
        raise Unknown(f"there is no save {place.name!r}; the saves of this demo: {names}") from None
    except (OSError, ValueError, TypeError):
        raise Refused(f"the save {place.name!r} cannot be read; remove {place} and save again") from None


def _check(about: Save, folder: Path) -> None:
    if about.key_digest != _key_digest(folder):
        raise Refused(f"the save {about.name!r} is of another demo; save this one again")
    if (about.version, about.schema) != (__version__, len(migrations.STEPS)):
        raise Refused(
            f"the save {about.name!r} was made by Rollbook {about.version} (schema {about.schema}), and this is"
            f" {__version__} (schema {len(migrations.STEPS)}); save again"
        )


def _key_digest(folder: Path) -> str:
    return keys.digest((folder / demo_folder.KEY).read_text("latin-1"))


def _faults_of(source: Path) -> list[dict[str, object]]:
    if not (source / STATE).exists():
        return []
    with closing(SharedState(source / STATE)) as saved:
        return saved.faults()


def _copy_blocks(source: Path, target: Path) -> None:
    """Make a file that processes have mapped equal to another one; only blocks that differ are written.

    A missing source counts as zeros. The target never shrinks, and unwritten parts take no room on the disk.
    """
    source_bytes = source.read_bytes() if source.exists() else b""
    target.touch(mode=0o600)
    with target.open("r+b") as file:
        known = file.read()
        size = max(len(source_bytes), len(known))
        if size > len(known):
            file.truncate(size)
        wanted, known = source_bytes.ljust(size, b"\0"), known.ljust(size, b"\0")
        if wanted == known:
            return
        for at in range(0, size, _BLOCK_BYTES):
            block = wanted[at : at + _BLOCK_BYTES]
            if block != known[at : at + _BLOCK_BYTES]:
                file.seek(at)
                file.write(block)


def _put_back_log(source: Path, folder: Path, settings: Settings) -> None:
    if (source / LOG).exists() and request_log.is_there(settings):
        sqlite.put_back(folder / LOG, source / LOG)
    elif request_log.is_there(settings):
        request_log.forget(settings)


def _put_back_files(source: Path, folder: Path) -> None:
    """Restore the SIS files of the night, if they differ."""
    if not (source / FILES).exists():
        return
    (folder / FILES).mkdir(exist_ok=True)
    for path in (source / FILES).iterdir():
        shutil.copyfile(path, folder / FILES / path.name)

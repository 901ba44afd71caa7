"""Read a whole district from another server into a folder, so that the next run continues where one broke
off.

Each page becomes a file of JSON rows, one for each record; `reading.json` says how far each list has come.
The token is nowhere in the folder. The folder holds student data: only its owner can read it. It is removed
when the clone is committed, or when it is too old.
"""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import orjson

from rollbook.clone.remote import VERSION, Page, Remote
from rollbook.domain.kinds import ROLES
from rollbook.errors import Busy, MachineTrouble, RemoteTrouble
from rollbook.roster.clone.clone_roster import MAPPING, RECORD_BYTES_MAX

# Parents first: the records that a list names have been read before it.
LISTS = ("schools", "terms", "courses", "resources", "users", "sections")
PREFIX = "rollbook-clone-"
KEY_BYTES = 12
KEPT_SECONDS = 3600.0
# More than any district has: a source that never ends is not a district.
RECORDS_MAX = 20_000_000
RELATED_MAX = 100_000
READINGS = 3

_ID = re.compile(r"[0-9a-f]{24}")

# (list, records so far, how many there will be)
Progress = Callable[[str, int, int | None], None]


class List(msgspec.Struct):
    """How far the reading of a list has come.

    `next` is the path of the next page to read. The list is whole if `next` is None and `is_begun` is true.
    """

    pages: int = 0
    records: int = 0
    total: int | None = None
    last: str = ""
    next: str | None = None
    is_begun: bool = False

    @property
    def is_whole(self) -> bool:
        return self.is_begun and self.next is None


class Stamp(msgspec.Struct, frozen=True):
    """What changes when the source's district changes: its last sync and, if we may see events, its newest
    event."""

    last_sync: str = ""
    event: str = ""


class Reading(msgspec.Struct):
    """One reading of a district: the stamp at its start, and how far it has come.

    `mapped` counts the finished resources.
    """

    stamp: Stamp
    lists: dict[str, List]
    mapped: int = 0


@dataclass(frozen=True, slots=True)
class Pulled:
    """A district that was read: its id, its own record, and the files with all records."""

    id: str
    record: bytes
    pages: list[Path]


@contextmanager
def folder(parent: Path, address: str, token: str, *, is_fresh: bool) -> Iterator[Path]:
    """The folder of a pull, for one run at a time. It still holds a run that broke off within the last hour.

    Errors: Busy if another run uses it.
    """
    key = hashlib.blake2b(f"{address}\0{token}".encode(), digest_size=KEY_BYTES).hexdigest()
    path = parent / f"{PREFIX}{key}"
    with _locked(path):
        if is_fresh or not _is_recent(path):
            _clear(path)
        yield path


def forget(path: Path) -> None:
    """Remove the folder of a finished pull, and abandoned folders of other pulls."""
    shutil.rmtree(path, ignore_errors=True)
    for other in path.parent.glob(f"{PREFIX}{'[0-9a-f]' * 2 * KEY_BYTES}"):
        if other.is_dir() and not _is_recent(other):
            with suppress(Busy, OSError), _locked(other):
                shutil.rmtree(other, ignore_errors=True)


def district(remote: Remote) -> tuple[str, bytes]:
    """The id and record of the only district that the token sees. Errors: RemoteTrouble."""
    records = remote.page(f"{VERSION}/districts").records
    if len(records) != 1:
        raise RemoteTrouble(
            f"{remote.address}: expected a token of one district, got one that sees {len(records)}"
        )
    return _id(remote, "districts", _object(remote, "districts", records[0])), records[0]


def read(remote: Remote, into: Path, tell: Progress) -> Pulled:
    """Read the whole district, again if it changed meanwhile. Errors: RemoteTrouble."""
    for _ in range(READINGS):
        reading = _kept(into) or Reading(
            _stamp(remote, district(remote)[1]), {name: List() for name in LISTS}
        )
        for name in LISTS:
            _read_list(remote, into, reading, name, tell)
        _read_mapping(remote, into, reading, tell)
        id_, record = district(remote)
        if _stamp(remote, record) == reading.stamp:
            _write_rows(into / "districts.jsonl.gz", [("districts", id_, None, record.decode())])
            return Pulled(id_, record, sorted(into.glob("*.jsonl.gz")))
        _clear(into)
    raise RemoteTrouble(
        f"{remote.address}: the district was changed there during each of {READINGS} readings, so that no reading is of one"
        " moment; nothing was written. Try again when no sync is running there"
    )


def _stamp(remote: Remote, record: bytes) -> Stamp:
    event = remote.last_of(f"{VERSION}/events")
    newest = _object(remote, "events", event).get("id") if event else None
    return Stamp(str(_object(remote, "districts", record).get("last_sync") or ""), str(newest or ""))


# Lists -----------------------------------------------------------------------------------------------


def _read_list(remote: Remote, into: Path, reading: Reading, name: str, tell: Progress) -> None:
    """Read a list to its end, from where it stands."""
    state, path = reading.lists[name], f"{VERSION}/{name}"
    if not state.is_begun:
        state.total = None if name == "resources" else remote.count(path)
    tell(name, state.records, state.total)
    while not state.is_whole:
        page = remote.page(state.next) if state.next else remote.first_page(path)
        rows = [_row(remote, name, record) for record in page.records]
        _check_order(remote, name, state, rows)
        if rows:
            _write_rows(into / f"{name}-{state.pages:06d}.jsonl.gz", rows)
            state.pages, state.records, state.last = (
                state.pages + 1,
                state.records + len(rows),
                max(row[1] for row in rows),
            )
        if state.records > RECORDS_MAX:
            raise RemoteTrouble(
                f"{remote.address}: {name} has more than {RECORDS_MAX:,} records, and goes on"
            )
        state.next, state.is_begun = page.next, True
        _keep(into, reading)
        tell(name, state.records, state.total)


def _check_order(remote: Remote, name: str, state: List, rows: list[Row]) -> None:
    """Check that ids rise from page to page, so that the list must end."""
    if rows and min(row[1] for row in rows) <= state.last:
        raise RemoteTrouble(
            f"{remote.address}: a page of {name} repeats what the page before it had; its "
            "links lead in a circle"
        )


def _read_mapping(remote: Remote, into: Path, reading: Reading, tell: Progress) -> None:
    """Read the courses of each resource. No record names them, so each resource is asked."""
    resources = [row["id"] for path in sorted(into.glob("resources-*.jsonl.gz")) for row in _rows(path)]
    for place, id_ in enumerate(resources[reading.mapped :], start=reading.mapped):
        tell(MAPPING, place, len(resources))
        courses = [
            _id(remote, "courses", _object(remote, "courses", record)) for record in _related(remote, id_)
        ]
        _write_rows(
            into / f"mapping-{place:06d}.jsonl.gz", [(MAPPING, id_, None, orjson.dumps(courses).decode())]
        )
        reading.mapped = place + 1
        _keep(into, reading)
    if resources:
        tell(MAPPING, len(resources), len(resources))


def _related(remote: Remote, id_: str) -> Iterator[bytes]:
    page: Page = remote.first_page(f"{VERSION}/resources/{id_}/courses")
    seen: set[str] = set()
    count = 0
    while True:
        yield from page.records
        count += len(page.records)
        if count > RELATED_MAX:
            raise RemoteTrouble(
                f"{remote.address}: resource {id_} has more than {RELATED_MAX:,} courses, and goes on"
            )
        if page.next is None:
            return
        if page.next in seen:
            raise RemoteTrouble(f"{remote.address}: the links of resource {id_}'s courses lead in a circle")
        seen.add(page.next)
        page = remote.page(page.next)


# Records ---------------------------------------------------------------------------------------------

Row = tuple[str, str, int | None, str]


def _row(remote: Remote, kind: str, raw: bytes) -> Row:
    """A record as (kind, id, mask of roles, body byte for byte)."""
    record = _object(remote, kind, raw)
    return kind, _id(remote, kind, record), _mask(record) if kind == "users" else None, raw.decode()


def _object(remote: Remote, kind: str, raw: bytes) -> dict[str, Any]:
    if len(raw) > RECORD_BYTES_MAX:
        raise RemoteTrouble(f"{remote.address}: a record of {kind} is larger than {RECORD_BYTES_MAX:,} bytes")
    try:
        record = orjson.loads(raw)
        # Reject a field that stands twice: we and a later reader might take different values.
        json.loads(raw, object_pairs_hook=_said_once)
    except (ValueError, RecursionError) as error:
        raise RemoteTrouble(f"{remote.address}: a record of {kind} is no valid JSON: {error}") from None
    if not isinstance(record, dict):
        raise RemoteTrouble(f"{remote.address}: expected each of {kind} to be an object, got {raw[:60]!r}")
    return record


def _said_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a field stands twice")
    return found


def _id(remote: Remote, kind: str, record: dict[str, Any]) -> str:
    id_ = record.get("id")
    if not isinstance(id_, str) or not _ID.fullmatch(id_):
        raise RemoteTrouble(
            f"{remote.address}: expected each of {kind} to have an id of 24 hex "
            f"characters, got {str(id_)[:60]!r}"
        )
    return id_


def _mask(user: dict[str, Any]) -> int:
    held = user.get("roles")
    return sum(role.bit for role in ROLES if isinstance(held, dict) and isinstance(held.get(role.name), dict))


# The folder ------------------------------------------------------------------------------------------


def _write_rows(path: Path, rows: Iterable[Row]) -> None:
    lines = b"\n".join(
        orjson.dumps(dict(zip(("kind", "id", "roles", "body"), row, strict=True))) for row in rows
    )
    _write(path, gzip.compress(lines, 1))


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    return (orjson.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines())


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    unfinished = path.with_name(f"{path.name}.part")
    try:
        unfinished.write_bytes(content)
        os.replace(unfinished, path)
    except OSError as error:
        raise MachineTrouble(f"the disk refused: {error.strerror}: {path.parent}") from None


def _keep(into: Path, reading: Reading) -> None:
    _write(into / "reading.json", msgspec.json.encode(reading))


def _kept(into: Path) -> Reading | None:
    try:
        return msgspec.json.decode((into / "reading.json").read_bytes(), type=Reading)
    except (OSError, msgspec.DecodeError):
        _clear(into)
        return None


def _is_recent(path: Path) -> bool:
    try:
        return time.time() - (path / "reading.json").stat().st_mtime < KEPT_SECONDS
    except OSError:
        return False


def _clear(path: Path) -> None:
    for file in path.iterdir():
        if file.name != "lock":
            file.unlink(missing_ok=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other runs out of a folder. If it does not exist, make it readable by its owner only."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.stat(follow_symlinks=False).st_uid != os.getuid():
            raise MachineTrouble(f"the folder {path} belongs to another user of this machine")
        descriptor = os.open(path / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise MachineTrouble(f"the disk refused: {error.strerror}: {path}") from None
    try:
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Busy("another clone of this district is running; wait for it, or stop it") from None

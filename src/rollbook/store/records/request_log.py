"""The log of requests: the recent answers of all workers, on all machines of one database.

A row holds one batch as JSON: the requests that one worker answered in half a second. So a flush is one small
write, and pruning deletes few rows. Beside a SQLite database the log has its own file, so it never waits for
a sync. In PostgreSQL it is an unlogged table, which a crash of the server empties.

`rollbook.web.http.kept_parts` decides what the log keeps of a request.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from rollbook.errors import BadSetting, Busy
from rollbook.settings import Settings
from rollbook.store.engine.database import Database, Transaction, open_database
from rollbook.store.engine.schema_words import REQUEST_BATCHES, WORDS

# The log's file is named like the database's, with this ending.
ENDING = ".requests"
# Batches may commit late, with a smaller number than one that was already read (PostgreSQL).
LATE_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Entry:
    """The kept parts of one request and its answer.

    `at` is the Unix time in ms at which it came, `micros` how long its answer took, `size` the answer's
    bytes. `token` has the credential's last letters. If the caller is known: `client_id`, `holder`
    (`district`, `user` or `client`), `tier`, `role` and `district_id`. `notes` are facts from the server for
    the hints.
    """

    at: int
    micros: int
    method: str
    path: str
    query: str
    status: int
    size: int
    token: str
    client_id: str = ""
    holder: str = ""
    tier: str = ""
    role: str = ""
    district_id: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    id: str = ""

    @property
    def address(self) -> str:
        return f"{self.path}?{self.query}" if self.query else self.path


# Which headers of an answer are kept, in the order in which they stand in an entry. No address to go on to: it may hold
# a code.
ANSWERED = (
    "content-encoding",
    "etag",
    "retry-after",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-request-id",
    "x-rollbook-snapshot",
)
FIELDS = tuple(name for name in Entry.__dataclass_fields__ if name != "id")
_HEADERS = FIELDS.index("headers")
Kept = Sequence[Any]
"""An entry on its way to the database: the values of `FIELDS`, in their order. Instead of `headers` stand those of the
request and, as one text, a line for each of `ANSWERED`."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The requests of one flush, oldest first.

    `dropped` counts requests that were answered in that time and not kept.
    """

    number: int
    at: int
    dropped: int
    entries: tuple[Entry, ...]


class RequestLog:
    """The log of one database. `settings` limit its rows, bytes and hours."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._rows_max = settings.request_log_rows_max
        self._bytes_max = settings.request_log_bytes_max
        self._ms_max = settings.request_log_hours * 3_600_000
        self._is_own = database.is_local
        self._database = _own_file(settings) if database.is_local else database

    def write(self, entries: Sequence[Kept], dropped: int) -> None:
        """Store one batch. Errors: those of the database."""
        body = orjson.dumps(entries)
        row = (entries[-1][0] if entries else now_ms(), len(entries), len(body), dropped, body)
        with self._database.write(is_durable=False) as transaction:
            transaction.run(
                "INSERT INTO request_batches (at, entries, size, dropped, body) VALUES (?, ?, ?, ?, ?)", row
            )

    def prune(self) -> None:
        """Remove what exceeds the limits, unless another worker is doing so."""
        try:
            with self._database.write(is_durable=False) as transaction:
                transaction.run(_PRUNE, (now_ms() - self._ms_max, self._rows_max, self._bytes_max))
        except Busy:
            return

    def read(self, *, since_ms: int = 0, without: Collection[int] = ()) -> list[Batch]:
        """The batches within the limits, newest first: those that ended after a time, without those in
        `without`."""
        with self._database.read() as transaction:
            return [*self._bounded(_batches(transaction, max(since_ms, now_ms() - self._ms_max), without))]

    def _bounded(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        left, oldest = self._rows_max, now_ms() - self._ms_max
        for batch in batches:
            entries = tuple(entry for entry in batch.entries if entry.at >= oldest)[-left:]
            yield Batch(batch.number, batch.at, batch.dropped, entries)
            left -= len(entries)
            if left <= 0:
                return

    def close(self) -> None:
        if self._is_own:
            self._database.close()


# Of the ordered batches, those after which the limits are already used up.
_PRUNE = """DELETE FROM request_batches WHERE at < ? OR number IN (
    SELECT number FROM (
        SELECT number, coalesce(sum(entries) OVER newer, 0) AS entries_newer,
               coalesce(sum(size) OVER newer, 0) AS size_newer
          FROM request_batches WINDOW newer AS (ORDER BY number DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    ) AS summed WHERE entries_newer >= ? OR size_newer >= ?)"""


def _batches(transaction: Transaction, since_ms: int, without: Collection[int]) -> Iterator[Batch]:
    found = transaction.rows(
        "SELECT number, at, dropped, body FROM request_batches WHERE at >= ? ORDER BY number DESC",
        (since_ms,),
    )
    for number, at, dropped, body in found:
        if number not in without:
            kept = enumerate(orjson.loads(bytes(body)))
            yield Batch(
                number, at, dropped, tuple(_entry(f"{number}.{place}", values) for place, values in kept)
            )


def _entry(id_: str, values: list[Any]) -> Entry:
    headers = values[_HEADERS]
    if isinstance(headers, list):  # an older version wrote them as they are shown
        asked, answered = headers
        named = zip(ANSWERED, answered.split("\n"), strict=True)
        values[_HEADERS] = {**asked, **{name: value for name, value in named if value}}
    return Entry(*[*values, id_])


def _own_file(settings: Settings) -> Database:
    """The log's own file, made if missing.

    A broken file, or one of another version, is replaced by a new one.
    """
    path = Path(settings.database + ENDING)
    try:
        return _opened(path)
    except BadSetting:
        for ending in ("", "-wal", "-shm"):
            path.with_name(path.name + ending).unlink(missing_ok=True)
        return _opened(path)


def _opened(path: Path) -> Database:
    opened = open_database(str(path))
    try:
        with opened.write(is_durable=False) as transaction:
            # Removed text is overwritten in the file, too.
            transaction.run("PRAGMA secure_delete = ON")
            transaction.run(REQUEST_BATCHES.format(**WORDS["sqlite"]))
            transaction.row("SELECT number, at, entries, size, dropped, body FROM request_batches LIMIT 1")
    except BadSetting:
        opened.close()
        raise
    return opened


def is_there(settings: Settings) -> bool:
    """Whether anything was logged: a SQLite database has a log from its first request on."""
    return "://" in settings.database or Path(settings.database + ENDING).exists()


def forget(settings: Settings) -> None:
    """Remove all requests from a log with a file of its own. Errors: those of the database."""
    log = _own_file(settings)
    try:
        with log.write(is_durable=False) as transaction:
            transaction.run("DELETE FROM request_batches")
    finally:
        log.close()


def prune(database: Database, settings: Settings) -> None:
    """Remove what exceeds the limits, for a server without requests. Errors: those of the database."""
    if is_there(settings):
        log = RequestLog(database, settings)
        log.prune()
        log.close()


def is_unshared(transaction: Transaction, client_id: str, district_id: str, kind: str, id_: str) -> bool:
    """Whether the district has a record that the application does not see."""
    found = transaction.row(
        "SELECT (SELECT number FROM views WHERE district = d.number AND is_whole = 1), c.view FROM districts d"
        " JOIN connections c ON c.district = d.number JOIN applications a ON a.number = c.application"
        " WHERE d.id = ? AND a.client_id = ?",
        (district_id, client_id),
    )
    has = "SELECT 1 FROM records WHERE view = ? AND form = 0 AND kind = ? AND id = ?"
    whole, seen = (
        (transaction.row(has, (view, kind, id_)) is not None for view in found) if found else (False, False)
    )
    return whole and not seen


def now_ms() -> int:
    return int(time.time() * 1000)

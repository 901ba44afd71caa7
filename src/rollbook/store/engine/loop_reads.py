"""One read of PostgreSQL in an event loop: a transaction that sees one moment, in few round trips.

The transaction's BEGIN goes to the server with the first statement. So do the rows that the read supposes: an
earlier read found them (`remembered_row`), such as a token's access. If the server finds other rows now, the read
begins again without supposing anything. Most reads have one statement, so COMMIT goes with it. If a second
statement follows, the read begins again, and later reads with that first statement leave COMMIT out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import psycopg
from psycopg import errors, pq

from rollbook.store.engine import loop_sessions
from rollbook.store.engine.database import Row, Values
from rollbook.store.engine.in_loop import Again, Work, wait
from rollbook.store.engine.loop_sessions import Lost, Pool, Session, Statement

_BEGIN: Statement = (b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", ())
_COMMIT: Statement = (b"COMMIT", ())
# A prepared statement that a migration or a pooler has made useless.
_OUTDATED = (errors.FeatureNotSupported, errors.InvalidSqlStatementName)


def alone(pool: Pool, sql: str, values: Values) -> list[Row]:
    """The rows of one statement that is a transaction by itself; it is repeated if the server was restarted."""
    while True:
        taken = pool.take()
        session = taken or wait(pool.wait())
        try:
            [result] = loop_sessions.checked(wait(session.send([(numbered(sql), values)])))
            return loop_sessions.rows(result)
        except Lost:
            if taken is None:
                raise
        finally:
            pool.put(session)


class LoopRead:
    """A Transaction that only reads. It is its own context manager."""

    engine = "postgresql"

    def __init__(self, pool: Pool, work: Work, replicas: Pool | None = None) -> None:
        self._pool, self._work, self._replicas = pool, work, replicas
        # Where the session goes back to.
        self._home = pool
        self._session: Session | None = None
        self._first = ""
        self._is_over = False
        # Statements with their rows, and whether a replica can confirm them.
        self._supposed: list[tuple[Statement, Row, bool]] = []

    def __enter__(self) -> LoopRead:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        try:
            if self._supposed and (error is None or isinstance(error, Exception)):
                # The supposed rows were all that the read needed.
                self._exchange([])
        finally:
            self._leave()

    def rows(self, sql: str, values: Values = ()) -> list[Row]:
        return loop_sessions.rows(self._one(sql, values))

    def row(self, sql: str, values: Values = ()) -> Row | None:
        found = loop_sessions.rows(self._one(sql, values))
        return found[0] if found else None

    def remembered_row(self, sql: str, values: Values) -> Row | None:
        known = self._pool.memory.get((sql, values))
        if known is not None and self._work.may_suppose and not self._first:
            self._supposed.append(((numbered(sql), values), known, True))
            return known
        if (found := self.row(sql, values)) is not None:
            self._pool.remember((sql, values), found)
        return found

    def gives(self, sql: str, values: Values, row: Row) -> bool:
        if self._work.may_suppose and not self._first:
            self._supposed.append(((numbered(sql), values), row, False))
            return True
        return self.row(sql, values) == row

    def texts(self, sql: str, values: Values = ()) -> list[bytes]:
        return loop_sessions.texts(self._one(sql, values))

    def run(self, sql: str, values: Values = ()) -> None:
        self._one(sql, values)

    def insert(self, table: str, columns: str, rows: Iterable[Row]) -> None:
        raise TypeError(f"a read inserts nothing: {table} ({columns}), {rows!r}")

    def version(self) -> int | None:
        return None

    def _one(self, sql: str, values: Values) -> pq.abc.PGresult:
        """The result of one statement."""
        if self._is_over:
            self._pool.continued.add(self._first)
            raise Again
        is_first = not self._first
        self._first = self._first or sql
        statements: list[Statement] = [(numbered(sql), values)]
        if is_first and self._work.may_repeat and sql not in self._pool.continued:
            self._is_over = True
            statements.append(_COMMIT)
        return self._exchange(statements)[0]

    def _exchange(self, statements: Sequence[Statement]) -> Sequence[pq.abc.PGresult]:
        """The results of statements, once what the read supposes has proved true."""
        supposed, self._supposed = self._supposed, []
        before = [statement for statement, *_ in supposed]
        session, is_reused = self._session, False
        replicas = self._replicas if session is None and supposed and statements else None
        if replicas and (replica := replicas.spare()):
            return self._from_replica(replica, replicas, statements, supposed)
        if session is None:
            # A single statement sees one moment by itself.
            before = [_BEGIN, *before] if statements or len(before) > 1 else before
            session = self._pool.take()
            is_reused = session is not None
            session = self._session = session or wait(self._pool.wait())
        try:
            found = loop_sessions.checked(wait(session.send([*before, *statements])))
        except Lost:
            if is_reused and self._work.may_repeat:
                raise Again from None  # the server was restarted since the session's last use
            raise
        except _OUTDATED:
            session.close()
            if self._work.may_repeat:
                raise Again from None
            raise
        at = len(before) - len(supposed)
        _prove(found[at : len(before)], [row for _, row, _ in supposed])
        return found[len(before) :]

    def _from_replica(
        self,
        replica: Session,
        home: Pool,
        statements: Sequence[Statement],
        supposed: Sequence[tuple[Statement, Row, bool]],
    ) -> Sequence[pq.abc.PGresult]:
        """The results of statements on a replica.

        Meanwhile the primary checks all that the read supposes, because tokens are revoked there first. The replica
        must find the same rows, and the district's last run, in the read's snapshot: then it is not behind. If
        either differs, or the replica fails, the read begins again on the primary.
        """
        self._session, self._home = replica, home
        primary = self._pool.take() or wait(self._pool.wait())
        known = [(statement, row) for statement, row, is_replicated in supposed if is_replicated]
        try:
            asked = primary.send([statement for statement, *_ in supposed])
            answered = replica.send([_BEGIN, *(statement for statement, _ in known), *statements])
            wait(asyncio.wait([asked, answered]))
            told = loop_sessions.checked(asked.result())
        except Lost:
            raise Again from None
        finally:
            self._pool.put(primary)
        _prove(told, [row for _, row, _ in supposed])
        try:
            found = loop_sessions.checked(answered.result())
            _prove(found[1 : 1 + len(known)], [row for _, row in known])
        except (psycopg.Error, Again):
            home.rest()
            raise Again from None
        return found[1 + len(known) :]

    def _leave(self) -> None:
        """Give the session back; if its transaction is open, as soon as that has ended."""
        session, self._session = self._session, None
        if session is None:
            return
        if session.is_within:
            ending = session.send([_COMMIT])
            ending.add_done_callback(lambda ended: _returned(self._home, session, ended))
        else:
            self._home.put(session)


def _prove(results: Sequence[pq.abc.PGresult], rows: Sequence[Row]) -> None:
    """Errors: Again, if a result is another row than the read supposed."""
    if any(loop_sessions.rows(result) != [row] for result, row in zip(results, rows, strict=True)):
        raise Again


def _returned(pool: Pool, session: Session, ended: Any) -> None:
    if not ended.cancelled():
        ended.exception()  # a lost session is dropped, and the read has all it wanted
    pool.put(session)


@lru_cache(maxsize=2048)
def numbered(sql: str) -> bytes:
    """The statement in PostgreSQL's form: `$1`, `$2` and so on for each `?`."""
    first, *rest = sql.split("?")
    return (first + "".join(f"${number}{part}" for number, part in enumerate(rest, 1))).encode()

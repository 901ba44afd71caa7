"""The tables of the search: the words of each record, and an index of words by their beginnings.

Triggers keep SQLite's index true, so that a sync, a restore and a copy need not know of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from rollbook.domain import search_words
from rollbook.store.engine.database import Row, Transaction
from rollbook.store.engine.schema_words import run

KINDS = ("users", "schools", "sections")
COLUMNS = "district, kind, id, words"
# The fields of a role by which a person is found.
_OF_ROLES = ("sis_id", "staff_id", "student_number", "teacher_number", "state_id")
# The index of SQLite, with the tables in which it keeps its words.
INDEX = "search_index"

_BOTH = (
    # words: those of a record of the whole view, between blanks; the first names the district and the kind.
    """CREATE TABLE search_texts (
         number {serial} PRIMARY KEY, district {number} NOT NULL, kind {text} NOT NULL, id {text} NOT NULL,
         words {text} NOT NULL)""",
    # The districts whose index is not true since a run that changed much.
    "CREATE TABLE search_behind (district {number} PRIMARY KEY, run {number} NOT NULL)",
    "CREATE UNIQUE INDEX search_texts_by_id ON search_texts (district, kind, id)",
)
_SQLITE = (
    f"""CREATE VIRTUAL TABLE {INDEX} USING fts5(words, content='', contentless_delete=1, detail='none',
         prefix='2', tokenize="ascii tokenchars '@._+=#/-'")""",
    f"""CREATE TRIGGER search_texts_inserted AFTER INSERT ON search_texts BEGIN
         INSERT INTO {INDEX} (rowid, words) VALUES (new.number, new.words); END""",
    f"""CREATE TRIGGER search_texts_deleted AFTER DELETE ON search_texts BEGIN
         DELETE FROM {INDEX} WHERE rowid = old.number; END""",
)
_POSTGRESQL = (
    "CREATE INDEX search_texts_by_word ON search_texts USING gin (array_to_tsvector(string_to_array(words, ' ')))",
)


def search_index(transaction: Transaction) -> None:
    """The words of people, schools and sections; the rosters that are there will be indexed."""
    for sql in (*_BOTH, *(_SQLITE if transaction.engine == "sqlite" else _POSTGRESQL)):
        run(transaction, sql)
    transaction.run("INSERT INTO search_behind (district, run) SELECT number, head FROM districts")


def sis_aliases(transaction: Transaction) -> None:
    """Former SIS ids, with the ids of the records that kept theirs."""
    run(
        transaction,
        """CREATE TABLE sis_aliases (
             district {number} NOT NULL, source {text} NOT NULL, sis_id {text} NOT NULL, id {text} NOT NULL,
             PRIMARY KEY (district, source, sis_id)){clustered}""",
    )
    run(transaction, "CREATE INDEX sis_aliases_by_sis_id ON sis_aliases (district, sis_id)")


def named(record: dict[str, Any]) -> Iterator[str]:
    """The texts of a record by which it is found.

    A copied record may have another shape than ours; what is no text or no object is left out.
    """
    name = record.get("name")
    if not isinstance(name, dict):
        yield from _texts({"name": name, **record}, ("name", "sis_id", "school_number", "section_number"))
        return
    yield from _texts(name, ("first", "middle", "last"))
    yield from _texts(record, ("email",))
    roles = record.get("roles")
    for role in roles.values() if isinstance(roles, dict) else ():
        yield from _texts(role, _OF_ROLES)
        yield from _texts(role.get("credentials") if isinstance(role, dict) else None, ("district_username",))


def _texts(held: object, fields: Iterable[str]) -> Iterator[str]:
    """The fields of an object that are texts."""
    if isinstance(held, dict):
        yield from (value for field in fields if isinstance(value := held.get(field), str))


def texts(district: int, kind: str, rows: Iterable[Row]) -> Iterator[Row]:
    place = place_of(district, kind)
    for id_, body, *_ in rows:
        found = search_words.words(named(orjson.loads(body)))
        yield district, kind, id_, " ".join((place, *found))


def place_of(district: int, kind: str) -> str:
    """The word that all records of a kind in a district share, and that nobody can type."""
    return f"=={district}{kind}"

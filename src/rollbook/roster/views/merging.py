"""Which rows of teachers, staff and administrators are one user, and under which id. A person keeps the id
while one role continues.

Rows with exactly the same email are one user, if the email identifies a person and one person in each file
has it. Each user of the last snapshot continues in one group of rows. That group has a row that is still
there, or else a row of another role that replaced one, with its email and name. A new user gets the oldest id
of their rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rollbook.roster.words_for_nothing import tells_who

if TYPE_CHECKING:  # a server without syncs need not load the engine
    import duckdb

# Sources whose rows merge into one user by email, in the order in which their name and email win.
SOURCES: Final = ("teachers", "staff", "district_admins")
# The tables of the last snapshot that tell who its people were.
TABLES: Final = tuple(f"roster_{source}" for source in SOURCES)


def load(connection: duckdb.DuckDBPyConnection, files: Mapping[str, Path]) -> None:
    """Create `last_members`: the rows of the last snapshot with email, name and user.

    Needs `identity_before`.
    """
    if not files:
        connection.execute(f"CREATE TEMP TABLE last_members ({_COLUMNS})")
        return
    tables = {source: f"read_parquet('{_text(files[f'roster_{source}'])}')" for source in SOURCES}
    if not remembers_users(connection, files["identity"]):
        recall_users(connection, "identity_before", tables)
    connection.execute(
        f"""
        CREATE TEMP TABLE last_members AS
        SELECT source, key, email, {_tells(tables)} AS tells, {_folded("first")} AS first, {_folded("last")} AS last,
            coalesce(user, id) AS user
        FROM ({_rows(tables)}) JOIN identity_before USING (source, key) WHERE gone IS NULL
        """
    )


def assign(connection: duckdb.DuckDBPyConnection, new_id: str) -> None:
    """Set `user` in `identity` where it is not the row's own id.

    `new_id` is SQL for a new id by `number`, from 0.
    """
    connection.execute(_MEMBERS)
    connection.execute(_CLAIMS)
    connection.execute("CREATE TEMP TABLE matched (party VARCHAR, user VARCHAR)")
    # Each round matches at least the strongest claim. Few parties claim the same user, so there are few
    # rounds.
    while connection.execute("SELECT 1 FROM claims LIMIT 1").fetchall():
        connection.execute(_MATCH)
        connection.execute(
            "DELETE FROM claims WHERE party IN (SELECT party FROM matched) OR user IN "
            "(SELECT user FROM matched)"
        )
    connection.execute(
        f"""
        INSERT INTO matched
        SELECT party, {new_id} FROM (
            SELECT party, row_number() OVER (ORDER BY min(id)) AS number
            FROM members ANTI JOIN matched USING (party) GROUP BY party
        )
        """
    )
    connection.execute(
        """
        UPDATE identity SET user = nullif(matched.user, identity.id)
        FROM members JOIN matched USING (party) WHERE members.source = identity.source AND members.key = identity.key
        """
    )
    connection.execute(_MERGED)


def remembers_users(connection: duckdb.DuckDBPyConnection, file: Path) -> bool:
    """Whether a snapshot's identity file has the column `user`; earlier versions did not write it."""
    found = connection.execute("SELECT 1 FROM parquet_schema(?) WHERE name = 'user'", [str(file)]).fetchall()
    return bool(found)


def recall_users(connection: duckdb.DuckDBPyConnection, table: str, rows: Mapping[str, str]) -> None:
    """Set `user` as earlier versions computed it each day: the oldest id among the rows of one email."""
    connection.execute(
        f"""
        UPDATE {table} SET user = nullif(theirs.user, {table}.id)
        FROM (
            SELECT source, key, min(id) OVER (PARTITION BY email) AS user FROM (
                SELECT source, key, id, email FROM ({_rows(rows)}) JOIN {table} USING (source, key)
                WHERE gone IS NULL AND email <> ''
                QUALIFY row_number() OVER (PARTITION BY source, email ORDER BY id) = 1
            )
        ) theirs
        WHERE theirs.source = {table}.source AND theirs.key = {table}.key
        """
    )


def _rows(tables: Mapping[str, str]) -> str:
    return " UNION ALL ".join(
        f"SELECT '{source}' AS source, key, email, first, last FROM {table}"
        for source, table in tables.items()
    )


def _tells(tables: Mapping[str, str]) -> str:
    """SQL: whether the email of a row identifies its person, and no other row of a file has it."""
    shared = " UNION ALL ".join(
        f"SELECT email FROM {table} WHERE email <> '' GROUP BY email HAVING count(*) > 1"
        for table in tables.values()
    )
    return f"(email IS NOT NULL AND {tells_who('email')} AND email NOT IN ({shared}))"


def _folded(name: str) -> str:
    return f"lower(strip_accents(coalesce({name}, '')))"


def _text(path: Path) -> str:
    return str(path).replace("'", "''")


_COLUMNS: Final = (
    "source VARCHAR, key VARCHAR, email VARCHAR, tells BOOLEAN, first VARCHAR, last VARCHAR, user VARCHAR"
)
_TODAY: Final = {source: f"roster_{source}" for source in SOURCES}
# Today's rows; a party is the rows of one user. `was` is the user of a continuing row in the last snapshot.
_MEMBERS: Final = f"""
    CREATE TEMP TABLE members AS
    SELECT source, key, identity.id, identity.user AS last_user, last_members.user AS was, email, tells, first, last,
        if(tells, 'email ' || email, source || ' ' || key) AS party
    FROM (
        SELECT source, key, email, {_tells(_TODAY)} AS tells, {_folded("first")} AS first, {_folded("last")} AS last
        FROM ({_rows(_TODAY)})
    ) JOIN identity USING (source, key) LEFT JOIN (SELECT source, key, user FROM last_members) last_members USING (source, key)
    WHERE gone IS NULL
"""
# Users of the last snapshot who lost all of their rows.
_ORPHANS: Final = (
    "(SELECT * FROM last_members WHERE tells AND user NOT IN (SELECT was FROM members WHERE was IS NOT NULL))"
)
# An address may pass to a stranger on the day its owner leaves. A person who marries or uses a short name
# keeps one name.
_IS_NAMESAKE: Final = (
    "(orphan.first IN (members.first, members.last) OR orphan.last IN (members.first, members.last))"
)
# Each claim of a party on a user, with its strength, strongest first: a continuing row; a row that replaced
# one that went; the last user of a row that came back; a row's own id. Among continuing rows, a party without
# another claim comes first; then the row that owns the id; then the oldest.
_CLAIMS: Final = f"""
    CREATE TEMP TABLE claims AS
    WITH claimed AS (
        SELECT party, was AS user, 1 AS strength, id FROM members WHERE was IS NOT NULL
        UNION ALL
        SELECT party, orphan.user, 2, id
        FROM members JOIN {_ORPHANS} orphan ON orphan.email = members.email AND orphan.source <> members.source
        WHERE was IS NULL AND members.tells AND {_IS_NAMESAKE}
        UNION ALL
        SELECT party, last_user, 3, id FROM members WHERE was IS NULL AND last_user IS NOT NULL
        UNION ALL
        SELECT party, id, 4, id FROM members
    ),
    strongest AS (
        SELECT party, user, min(strength) AS strength, bool_or(id = user) AS is_own, min(id) AS oldest
        FROM claimed GROUP BY party, user
    )
    SELECT party, user, row_number() OVER (ORDER BY strength, rivals, NOT is_own, oldest, user, party) AS place
    FROM (
        SELECT *, count(*) OVER (PARTITION BY user, strength) + count(*) OVER (PARTITION BY party, strength) AS rivals
        FROM strongest
    )
"""
_MATCH: Final = """
    INSERT INTO matched
    SELECT party, user FROM claims
    QUALIFY place = min(place) OVER (PARTITION BY party) AND place = min(place) OVER (PARTITION BY user)
"""
# Users of the last snapshot whose rows continue, or were replaced, under another id.
_MERGED: Final = f"""
    CREATE TEMP TABLE merged_users AS
    SELECT DISTINCT user AS id FROM (
        SELECT was AS user FROM members WHERE was IS NOT NULL
        UNION ALL
        SELECT orphan.user
        FROM {_ORPHANS} orphan JOIN members ON orphan.email = members.email AND orphan.source <> members.source
        WHERE members.tells AND {_IS_NAMESAKE}
    ) WHERE user NOT IN (SELECT user FROM matched)
"""

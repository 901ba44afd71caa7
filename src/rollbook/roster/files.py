"""A district's files in, raw tables out: finds, verifies and reads every file; judging the rows is left to `checks`.

A clean file is read by the engine as it is. One in another encoding or with odd line ends is copied clean first, and one the
engine refuses, or reads a different number of rows from than `layout` counted, is read again by our own grammar, which either
names what is wrong or writes a strict copy. Nothing about a file is ever guessed.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Final

import duckdb

from rollbook.contract.columns import BLANKS, FILES, PASSWORD, File, columns_of
from rollbook.errors import SourceRejected
from rollbook.roster import credentials, csvtext, findings, folder, header, layout, tables
from rollbook.roster.folder import Unusable
from rollbook.roster.problems import HeaderOnly, Problem, UnreadableFile, Windows1252
from rollbook.roster.tables import Tables

# Spaces alone are trimmed in half the time; other blanks only in files that have some, and only from the values that need it.
_TRIM_SPACES: Final = "trim({0})"
_TRIM_ALL: Final = f"CASE WHEN regexp_matches({{0}}, '^[{BLANKS}]|[{BLANKS}]$') THEN trim({{0}}, '{BLANKS}') ELSE {{0}} END"


def open_all(
    source: Path, *, memory_limit: str, temporary: Path | None = None, lenient: bool = False, password_key: str = ""
) -> Tables:
    """Read a folder or zip file of SIS files into tables; `close` them after use.

    `memory_limit` (such as `512MB`) bounds the engine's memory; it spills into a folder under `temporary`, which the tables own.
    `lenient` ignores unknown headers. `password_key` is what passwords are digested with. Errors: SourceRejected with every
    file-level stop that was found.
    """
    into = Path(tempfile.mkdtemp(prefix="rollbook-", dir=temporary))
    opened = tables.new(into, memory_limit, password_key)
    try:
        found, warnings = folder.find(source, into)
        findings.record(opened.connection, warnings)
        _read_all(opened, found, lenient=lenient)
    except Unusable as error:
        opened.close()
        raise SourceRejected(_summary(error.problems), error.problems) from None
    except BaseException:
        opened.close()
        raise
    return opened


def _summary(stops: tuple[Problem, ...]) -> str:
    more = f" (and {len(stops) - 1} more)" if len(stops) > 1 else ""
    return f"{stops[0]}{more}"


def _read_all(opened: Tables, found: dict[str, Path], *, lenient: bool) -> None:
    """Read every file, also after one that cannot be used, so that all stops are told at once."""
    stops: list[Problem] = []
    for file in FILES:
        try:
            if file.name in found:
                _read(opened, file, found[file.name], lenient=lenient)
            else:
                _make_view(opened, file, None)
        except Unusable as error:
            stops += error.problems
        except OSError as error:
            if folder.is_full_disk(error):
                raise
            stops.append(UnreadableFile(file.name, expected="a file that can be read", value=error.strerror))
    if stops:
        raise Unusable(*stops)


def _read(opened: Tables, file: File, path: Path, *, lenient: bool) -> None:
    before = path.stat()
    found = layout.scan(file.name, path)
    readable = path
    if not found.is_clean:
        readable = opened.folder / f"{file.table}-utf8.csv"
        layout.copy_clean(path, found, readable)
    row, cells = csvtext.header_row(file.name, readable)
    matched = header.match(file, cells, lenient=lenient)
    findings.record(opened.connection, [*_encoding_warning(file, found), *matched.warnings])
    is_numbered = not (row == 1 and found.is_tame and _load_as_is(opened, file, readable, matched, found))
    if is_numbered:
        _load_rewritten(opened, file, readable, matched)
    _make_view(opened, file, matched, is_numbered=is_numbered)
    if readable != path:
        readable.unlink()
    after = path.stat()
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise Unusable(UnreadableFile(file.name, expected="a finished upload", value="a file that changed while it was read"))


def _encoding_warning(file: File, found: layout.Layout) -> list[Problem]:
    return [] if found.foreign_row is None else [Windows1252(file.name, row=found.foreign_row)]


def _load_as_is(opened: Tables, file: File, path: Path, matched: header.Header, found: layout.Layout) -> bool:
    """Let the engine read the file; False when it refuses, or finds other rows than the bytes say."""
    try:
        trim = _TRIM_ALL if found.has_odd_blanks else _TRIM_SPACES
        count = _load(opened, file, path, matched, trim, is_parallel=not found.has_breaks_in_quotes)
    except duckdb.InvalidInputException:
        return False
    return count == found.rows - 1 and not (found.has_breaks_in_quotes and _has_long_cell(opened, file))


def _load_rewritten(opened: Tables, file: File, path: Path, matched: header.Header) -> None:
    """Read the file by our own grammar into a strict copy, and let the engine read that."""
    strict = opened.folder / f"{file.table}-strict.csv"
    written, warnings = csvtext.rewrite(file.name, path, strict, matched.width)
    if not written:
        raise Unusable(HeaderOnly(file.name))
    findings.record(opened.connection, warnings)
    try:
        count = _load(opened, file, strict, matched, _TRIM_ALL, is_numbered=True)
    except duckdb.InvalidInputException:
        count = -1
    strict.unlink()
    if count != written:
        raise Unusable(UnreadableFile(file.name, expected="rows that can be read", value="rows the engine refuses"))


def _load(
    opened: Tables,
    file: File,
    path: Path,
    matched: header.Header,
    trim: str,
    *,
    is_parallel: bool = False,
    is_numbered: bool = False,
) -> int:
    """Read into the table `read_FILE`, trimmed, only the columns that are stored; return the number of rows.

    A numbered file has no header, and the number of each row before it.
    """
    shift = 1 if is_numbered else 0
    fields = [f"c{position}" for position in range(matched.width + shift)]
    wanted = {**matched.columns, **{f"ext.{name}": position for name, position in matched.extensions.items()}}
    chosen = [f"{_cell(opened, name, trim.format(f'c{position + shift}'))} AS {_name(name)}" for name, position in wanted.items()]
    if is_numbered:
        chosen.append('c0::BIGINT AS "row"')
    opened.connection.execute(
        f"""
        CREATE OR REPLACE TABLE read_{file.table} AS SELECT {", ".join(chosen)}
        FROM read_csv(?, auto_detect = false, columns = {{{", ".join(f"'{field}': 'VARCHAR'" for field in fields)}}},
            header = {not is_numbered}, delim = ',', quote = '"', escape = '"', strict_mode = true, compression = 'none',
            -- No cell is this text outside quotes, so that blank is always '' and NULL is left for columns that are not there.
            nullstr = E'\\n', allow_quoted_nulls = false,
            max_line_size = {2 * layout.ROW_BYTES_MAX}, parallel = {is_parallel})
        """,
        [re.sub(r"([*?\[])", r"[\1]", str(path.absolute()))],
    )
    return int(opened.one(f"SELECT count(*) FROM read_{file.table}")[0])


def _cell(opened: Tables, name: str, trimmed: str) -> str:
    """SQL for a cell. A password is digested at once: no table ever holds it."""
    return credentials.digest(trimmed, opened.password_key) if name == PASSWORD else trimmed


def _has_long_cell(opened: Tables, file: File) -> bool:
    """Whether a cell of several lines is longer than a cell may be; the pass over the bytes sees only lines."""
    return bool(max(opened.one(f"SELECT max(strlen(COLUMNS(*))) FROM read_{file.table}")) > layout.CELL_BYTES_MAX)


def _make_view(opened: Tables, file: File, matched: header.Header | None, *, is_numbered: bool = False) -> None:
    """The view `FILE` with `row`, all columns of the contract, and `ext`: the file's own columns as one JSON object."""
    if matched is None:
        nothing = ", ".join(f"NULL::VARCHAR AS {_name(name)}" for name in (*_contract_names(file), "ext"))
        opened.connection.execute(f'CREATE VIEW {file.table} AS SELECT NULL::BIGINT AS "row", {nothing} WHERE false')
        return
    opened.columns[file.name] = tuple(matched.columns)
    opened.extensions[file.name] = tuple(matched.extensions)
    cells = [_name(name) if name in matched.columns else f"NULL::VARCHAR AS {_name(name)}" for name in _contract_names(file)]
    opened.connection.execute(
        f"""
        CREATE VIEW {file.table} AS
        SELECT {'"row"' if is_numbered else 'rowid + 2 AS "row"'}, {", ".join(cells)}, {_ext(matched)} AS ext
        FROM read_{file.table} {_without_blank_rows(opened, file, matched)}
        """
    )


def _ext(matched: header.Header) -> str:
    if not matched.extensions:
        return "NULL::VARCHAR"
    pairs = (f"{_text(name)}, {_name(f'ext.{name}')}" for name in matched.extensions)
    return f"json_object({', '.join(pairs)})::VARCHAR"


def _without_blank_rows(opened: Tables, file: File, matched: header.Header) -> str:
    """A condition that leaves out rows whose cells are all blank, where there are any: spreadsheets leave them behind."""
    names = (*matched.columns, *(f"ext.{name}" for name in matched.extensions))
    is_blank = " AND ".join(f"{_name(name)} = ''" for name in names)
    (blank,) = opened.one(f"SELECT count(*) FROM read_{file.table} WHERE {is_blank}")
    if not blank:
        return ""
    if opened.one(f"SELECT count(*) FROM read_{file.table}")[0] == blank:
        raise Unusable(HeaderOnly(file.name))
    return f"WHERE NOT ({is_blank})"


def _contract_names(file: File) -> tuple[str, ...]:
    return tuple(column.name for column in columns_of(file.name) if column.read)


def _name(column: str) -> str:
    """A column's name as SQL writes it."""
    return '"' + column.replace('"', '""') + '"'


def _text(value: str) -> str:
    """A text as SQL writes it."""
    return "'" + value.replace("'", "''") + "'"

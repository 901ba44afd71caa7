"""A district's files in, raw tables out: find, verify and read every file. `checks` judges the rows.

The engine reads a clean file directly. A file in another encoding, or with unusual line ends, is copied clean
first. If the engine refuses a file, or finds another number of rows than `layout`, our own grammar reads it
again. That either names what is wrong or writes a strict copy. Nothing about a file is ever guessed.
"""

from __future__ import annotations

import re
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import duckdb

from rollbook.contract.clever.columns import BLANKS, FILES, PASSWORD, File, columns_of
from rollbook.errors import SourceRejected
from rollbook.roster import findings
from rollbook.roster.intake import quotable_cells
from rollbook.roster.intake.clever import sign_in_columns
from rollbook.roster.intake.csv import (
    csv_text,
    describing_rows,
    descriptors,
    folder,
    header,
    layout,
    no_data_rows,
    raw_tables,
)
from rollbook.roster.intake.csv.folder import Unusable
from rollbook.roster.intake.csv.raw_tables import Tables
from rollbook.roster.problems import (
    EmptyFile,
    EndMark,
    ForeignRows,
    FormulaCells,
    HeaderOnly,
    NoRows,
    Problem,
    SeparatorLine,
    UnnamedColumn,
    UnnamedValue,
    UnreadableFile,
    Windows1252,
)
from rollbook.roster.sql_text import text

# Trimming only spaces takes half the time. Other blanks are trimmed only in files with some, from the values
# that need it.
_TRIM_SPACES: Final = "trim({0})"
_TRIM_ALL: Final = (
    f"CASE WHEN regexp_matches({{0}}, '^[{BLANKS}]|[{BLANKS}]$') THEN trim({{0}}, '{BLANKS}') ELSE {{0}} END"
)
# How a spreadsheet keeps a text unchanged: ="0012".
_IS_FORMULA: Final = """({0} LIKE '="%"')"""
_PLAIN: Final = (
    """CASE WHEN {0} LIKE '="%"' THEN replace(substr({0}, 3, length({0}) - 3), '""', '"') ELSE {0} END"""
)


def open_all(
    source: Path,
    *,
    memory_limit: str,
    temporary: Path | None = None,
    lenient: bool = False,
    password_key: str = "",
) -> Tables:
    """Read a folder or zip file of SIS files into tables; `close` them after use.

    `memory_limit` (such as `512MB`) bounds the engine's memory; it spills into a folder under `temporary`,
    which the tables own. `lenient` ignores unknown headers. `password_key` is the key of password digests.
    Errors: SourceRejected with every file-level stop.
    """
    into = Path(tempfile.mkdtemp(prefix="rollbook-", dir=temporary)).absolute()
    opened = raw_tables.new(into, memory_limit, password_key)
    try:
        found, warnings = folder.find(source, into, opened.opened)
        findings.record(opened.connection, warnings)
        _read_all(opened, found, lenient=lenient)
        raw_tables.lock(opened.connection, temporary or into, into)
    except Unusable as error:
        opened.close()
        stops = tuple(quotable_cells.discreet(error.problems))
        raise SourceRejected(_summary(stops), stops) from None
    except BaseException:
        opened.close()
        raise
    return opened


def _summary(stops: tuple[Problem, ...]) -> str:
    more = f" (and {len(stops) - 1} more)" if len(stops) > 1 else ""
    return f"{stops[0]}{more}"


def _read_all(opened: Tables, found: dict[str, Path], *, lenient: bool) -> None:
    """Read every file, also after an unusable one, so that all stops are reported at once."""
    stops: list[Problem] = []
    for file in FILES:
        try:
            if file.name in found:
                _read(opened, file, found[file.name], lenient=lenient)
            else:
                _make_view(opened, file, None)
        except Unusable as error:
            if not file.required and {type(problem) for problem in error.problems} <= {EmptyFile, HeaderOnly}:
                findings.record(opened.connection, [NoRows(file.name)])
                _make_view(opened, file, None)
            else:
                stops += error.problems
        except OSError as error:
            if folder.is_full_disk(error):
                raise
            stops.append(UnreadableFile(file.name, expected="a file that can be read", value=error.strerror))
    if stops:
        raise Unusable(*stops)


def _read(opened: Tables, file: File, path: Path, *, lenient: bool) -> None:
    with ExitStack() as copies:
        before = path.stat()
        found = layout.scan(file.name, path)
        readable = path
        if not found.is_clean:
            readable = descriptors.scratch(opened.folder, f"{file.table}-utf8.csv", copies)
            layout.copy_clean(path, readable)
        number, line, separator_line = csv_text.first_line(readable)
        header.refuse_other_separators(file, number, line)
        row, cells, below = csv_text.head(file.name, readable)
        matched = header.match(file, row, cells, below, lenient=lenient)
        findings.record(opened.connection, [*_layout_warnings(file, found), *matched.warnings])
        if separator_line is not None:
            findings.record(opened.connection, [SeparatorLine(file.name, row=separator_line)])
        is_numbered = not (row == 1 and found.is_tame and _load_as_is(opened, file, readable, matched, found))
        if is_numbered:
            _load_rewritten(opened, file, readable, matched, found)
        _judge_columns(opened, file, matched, found, is_numbered=is_numbered)
        describing = describing_rows.find(file.name, matched.columns, below)
        _make_view(opened, file, matched, describing, is_numbered=is_numbered)
        if _state(path) != (before.st_dev, before.st_ino, before.st_size, before.st_mtime_ns):
            found_it = "a file that changed while it was read"
            raise Unusable(UnreadableFile(file.name, expected="a finished upload", value=found_it))


def _state(path: Path) -> tuple[int, int, int, int]:
    now = path.stat()
    return now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns


def _layout_warnings(file: File, found: layout.Layout) -> list[Problem]:
    warnings: list[Problem] = [EndMark(file.name)] if found.has_end_mark else []
    if found.encoding == "windows-1252":
        warnings.append(Windows1252(file.name, row=found.foreign_rows[0]))
    elif found.encoding == "mixed":
        more = found.foreign_count - len(found.foreign_rows)
        rows = ", ".join(map(str, found.foreign_rows))
        value = f"{rows} and {more:,} more" if more else rows
        warnings.append(ForeignRows(file.name, row=found.foreign_rows[0], value=value))
    return warnings


def _judge_columns(
    opened: Tables, file: File, matched: header.Header, found: layout.Layout, *, is_numbered: bool
) -> None:
    """Drop blank columns without a name, and count the cells that were formulas. Errors: Unusable."""
    row = '"row"' if is_numbered else "rowid + 2"
    stops: list[Problem] = []
    for position in matched.unnamed:
        (first,) = opened.one(
            f"SELECT min({row}) FROM read_{file.table} WHERE {_name(_unnamed(position))} <> ''"
        )
        if first is not None:
            stops.append(UnnamedValue(file.name, row=first, value=str(position + 1)))
    if stops:
        raise Unusable(*stops)
    findings.record(
        opened.connection, [UnnamedColumn(file.name, value=str(position + 1)) for position in matched.unnamed]
    )
    if found.has_formulas:
        first, cells = opened.one(
            f"SELECT min({row}), sum(formulas)::BIGINT FROM read_{file.table} WHERE formulas > 0"
        )
        findings.record(
            opened.connection, [FormulaCells(file.name, row=first, value=f"{cells:,}")] if cells else []
        )


def _unnamed(position: int) -> str:
    """The name of a column without a header; no header can have it."""
    return f"column {position}"


def _load_as_is(opened: Tables, file: File, path: Path, matched: header.Header, found: layout.Layout) -> bool:
    """Let the engine read the file. False if it refuses, or finds other rows than the bytes say."""
    try:
        count = _load(
            opened, file, path, matched, found, _trim(found), is_parallel=not found.has_breaks_in_quotes
        )
    except duckdb.InvalidInputException:
        return False
    return count == found.rows - 1 and not (found.has_breaks_in_quotes and _has_long_cell(opened, file))


def _trim(found: layout.Layout) -> str:
    """SQL that takes outer blanks from a cell `{0}`, of the blanks that the file has."""
    if found.has_odd_blanks:
        return _TRIM_ALL
    return _TRIM_SPACES if found.has_outer_spaces else "{0}"


def _load_rewritten(
    opened: Tables, file: File, path: Path, matched: header.Header, found: layout.Layout
) -> None:
    """Read the file with our own grammar into a strict copy, and let the engine read that."""
    with ExitStack() as copies:
        strict = descriptors.scratch(opened.folder, f"{file.table}-strict.csv", copies)
        written, warnings = csv_text.rewrite(file.name, path, strict, matched.width)
        if not written:
            raise Unusable(HeaderOnly(file.name))
        findings.record(opened.connection, warnings)
        try:
            count = _load(opened, file, strict, matched, found, _TRIM_ALL, is_numbered=True)
        except duckdb.InvalidInputException:
            count = -1
    if count != written:
        raise Unusable(
            UnreadableFile(file.name, expected="rows that can be read", value="rows the engine refuses")
        )


def _load(
    opened: Tables,
    file: File,
    path: Path,
    matched: header.Header,
    found: layout.Layout,
    trim: str,
    *,
    is_parallel: bool = False,
    is_numbered: bool = False,
) -> int:
    """Read the stored columns, trimmed, into the table `read_FILE`; returns the number of rows.

    A numbered file has no header, and the row number in front of each row.
    """
    shift = 1 if is_numbered else 0
    fields = [f"c{position}" for position in range(matched.width + shift)]
    trimmed = [trim.format(field) for field in fields[shift:]]
    cells = [
        trim.format(f"({_PLAIN.format(f'({cell})')})") if found.has_formulas else cell for cell in trimmed
    ]
    wanted = {**matched.columns, **{f"ext.{name}": position for name, position in matched.extensions.items()}}
    chosen = [f"{_cell(opened, name, cells[position])} AS {_name(name)}" for name, position in wanted.items()]
    chosen += [f"{cells[position]} AS {_name(_unnamed(position))}" for position in matched.unnamed]
    if found.has_formulas:
        chosen.append(
            " + ".join(f"{_IS_FORMULA.format(f'({cell})')}::INTEGER" for cell in trimmed) + " AS formulas"
        )
    if is_numbered:
        chosen.append('c0::BIGINT AS "row"')
    ((count,),) = opened.connection.execute(
        f"""
        CREATE OR REPLACE TABLE read_{file.table} AS SELECT {", ".join(chosen)}
        FROM read_csv(?, auto_detect = false, columns = {{{", ".join(f"'{field}': 'VARCHAR'" for field in fields)}}},
            header = {not is_numbered}, delim = ',', quote = '"', escape = '"', strict_mode = true, compression = 'none',
            -- No cell is this text outside quotes, so that blank is always '' and NULL is left for columns that are not there.
            nullstr = E'\\n', allow_quoted_nulls = false,
            max_line_size = {2 * layout.ROW_BYTES_MAX}, parallel = {is_parallel})
        """,
        [re.sub(r"([*?\[])", r"[\1]", str(path.absolute()))],
    ).fetchall()
    return int(count)


def _cell(opened: Tables, name: str, trimmed: str) -> str:
    """SQL for a cell. A password is digested at once: no table ever holds it."""
    return sign_in_columns.digest(trimmed, opened.password_key) if name == PASSWORD else trimmed


def _has_long_cell(opened: Tables, file: File) -> bool:
    """Whether a cell of several lines is too long; the pass over the bytes sees only lines."""
    return bool(
        max(opened.one(f"SELECT max(strlen(COLUMNS(*)::VARCHAR)) FROM read_{file.table}"))
        > layout.CELL_BYTES_MAX
    )


def _make_view(
    opened: Tables,
    file: File,
    matched: header.Header | None,
    describing: tuple[int, ...] = (),
    *,
    is_numbered: bool = False,
) -> None:
    """The view `FILE`, with `row`, all columns of the contract, and `ext`: the file's own columns as a JSON
    object."""
    if matched is None:
        nothing = ", ".join(f"NULL::VARCHAR AS {_name(name)}" for name in (*_contract_names(file), "ext"))
        opened.connection.execute(
            f'CREATE VIEW {file.table} AS SELECT NULL::BIGINT AS "row", {nothing} WHERE false'
        )
        return
    cells = [
        _name(name) if name in matched.columns else f"NULL::VARCHAR AS {_name(name)}"
        for name in _contract_names(file)
    ]
    row = '"row"' if is_numbered else "rowid + 2"
    left = no_data_rows.leave_out(opened, file, matched, row, describing)
    if not left:
        raise Unusable(HeaderOnly(file.name))
    opened.columns[file.name] = tuple(matched.columns)
    opened.extensions[file.name] = tuple(matched.extensions)
    opened.connection.execute(
        f"""
        CREATE VIEW {file.table} AS
        SELECT {row} AS "row", {", ".join(cells)}, {_ext(matched)} AS ext FROM read_{file.table} {left}
        """
    )


def _ext(matched: header.Header) -> str:
    if not matched.extensions:
        return "NULL::VARCHAR"
    pairs = (f"{text(name)}, {_name(f'ext.{name}')}" for name in matched.extensions)
    return f"json_object({', '.join(pairs)})::VARCHAR"


def _contract_names(file: File) -> tuple[str, ...]:
    return tuple(column.name for column in columns_of(file.name) if column.read)


def _name(column: str) -> str:
    """A column's name in SQL."""
    return '"' + column.replace('"', '""') + '"'

"""Every large table is keyed by view or district first, and each statement of the store names that key.

So a database can be partitioned or distributed by district, without a change of code. `tests/store/test_key_plans` sees
that the statements of a real sync and of real reads use the keys.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from rollbook.store.engine.database import Database
from tests.house.sources import Source, package

# The tables that grow with the people of all districts, and the first column of their keys. Tables of sign-ins and
# tokens are not among them: a secret's hash is their key, because it is all that a request brings.
LARGE = {
    "records": "view",
    "versions": "view",
    "events": "view",
    "snapshots": "district",
    "changed_records": "district",
    "problem_rows": "district",
    "credentials": "district",
    "search_texts": "district",
    "sis_aliases": "district",
}
# The search index of SQLite needs a number for each row. A unique index begins with the district.
NUMBERED = {"search_texts": "search_texts_by_id"}
# Their condition is an argument, which begins with the view. It comes from `index_ranges.conditions`,
# `related_lists._join_ids` or `past_pages._sources`.
GIVEN = {
    ("index_ranges", "in_order"),
    ("record_pages", "_has_beyond"),
    ("past_pages", "page"),
    ("past_pages", "rows"),
    ("past_pages", "_end_of_step"),
    ("past_pages", "_step"),
    ("past_pages", "_with_rows"),
}
# Steps of the schema run once, on all districts.
SCHEMA = "rollbook.store.engine."
_NAMES = "|".join(LARGE)
_USE = re.compile(
    rf"\b(?:FROM|JOIN|UPDATE) (?P<table>{_NAMES}|\{{\w+\.table\}})"
    r"(?: (?!(?:WHERE|SET|ON|JOIN|LEFT|ORDER|GROUP|UNION|LIMIT)\b)(?P<alias>\w+))?"
)
_DEPTH_MAX = 4


def test_every_large_table_is_keyed_by_view_or_district(small_database: Database) -> None:
    with small_database.read() as transaction:
        first = {
            table: transaction.row(f"SELECT name FROM pragma_table_info('{table}') WHERE pk = 1")
            for table in LARGE
        }
        indexes = {
            table: transaction.row(f"SELECT name FROM pragma_index_info('{index}') WHERE seqno = 0")
            for table, index in NUMBERED.items()
        }
    assert {**first, **indexes} == {table: (column,) for table, column in LARGE.items()}


def test_every_statement_on_a_large_table_names_its_key() -> None:
    found = [
        (source, function, text)
        for source in package()
        if source.room == "store" and not source.module.startswith(SCHEMA)
        for function, text in _statements(source)
    ]
    without = {
        (source.path.stem, function): text
        for source, function, text in found
        if any(not _names_key(use, text) for use in _USE.finditer(text))
    }
    assert {place: text for place, text in without.items() if place not in GIVEN} == {}
    assert without.keys() == GIVEN
    assert len(found) > 80


def _names_key(use: re.Match[str], text: str) -> bool:
    column, alias = LARGE.get(use["table"]), use["alias"]
    if column is None:
        return False
    own = rf"\b{alias}\.{column}" if alias else rf"(?<![.\w]){column}|\b{use['table']}\.{column}"
    return re.search(rf"(?:{own}) (?:=|IN)|= (?:{own})\b|(?<![.\w])\({column}, \w+.*\) IN", text) is not None


def _statements(source: Source) -> Iterator[tuple[str, str]]:
    """The texts of SQL in a file, each with its function; names in them are replaced by the texts they stand for."""
    constants = _assigned(source.tree.body)
    for top in source.tree.body:
        name = top.name if isinstance(top, ast.FunctionDef | ast.ClassDef) else ""
        known = constants if not name else constants | _assigned(ast.walk(top))
        yield from ((name, text) for text in _texts(top, known) if _USE.search(text))


def _assigned(nodes: object) -> dict[str, ast.expr]:
    """What each name stands for at first."""
    found: dict[str, ast.expr] = {}
    for node in nodes:  # type: ignore[attr-defined]
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            found.setdefault(node.target.id, node.value)
        if isinstance(node, ast.Assign):
            pairs = [(node.targets[0], node.value)]
            if isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = [*zip(node.targets[0].elts, node.value.elts, strict=True)]
            for target, value in pairs:
                if isinstance(target, ast.Name):
                    found.setdefault(target.id, value)
    return found


def _texts(node: ast.AST, known: Mapping[str, ast.expr]) -> Iterator[str]:
    """The whole texts below a node, without their parts."""
    if isinstance(node, ast.JoinedStr | ast.Constant | ast.BinOp):
        yield _text(node, known)
        return
    for child in ast.iter_child_nodes(node):
        yield from _texts(child, known)


def _text(node: ast.AST, known: Mapping[str, ast.expr], depth: int = 0) -> str:
    match node:
        case ast.Constant(value=str(value)):
            return value
        case ast.JoinedStr(values=values):
            return "".join(_text(value, known, depth) for value in values)
        case ast.FormattedValue(value=value):
            return _text(value, known, depth)
        case ast.BinOp(left=left, right=right):
            return _text(left, known, depth) + _text(right, known, depth)
        case ast.Name(id=name) if name in known and depth < _DEPTH_MAX:
            return _text(known[name], known, depth + 1)
        case ast.Call(func=ast.Attribute(value=template, attr="format"), args=args):
            text = _text(template, known, depth)
            for number, value in enumerate(args):
                text = text.replace(f"{{{number}}}", _text(value, known, depth))
            return text
    return f"{{{ast.unparse(node)}}}"

"""SQL is only in the store, in the roster's columns, and in the local copy of the client."""

from __future__ import annotations

import ast
import re

from tests.house.sources import Source, package

ROOMS = {"store", "roster", "client"}
SQL = re.compile(
    r"\b(SELECT\s.+\sFROM|INSERT\s+INTO|DELETE\s+FROM|UPDATE\s+\w+\s+SET|CREATE\s+(TEMP\s+)?(TABLE|INDEX|VIEW))\b",
    re.DOTALL,
)
CALLS = {"execute", "executemany", "executescript"}


def test_sql_is_only_in_the_store_the_roster_and_the_client() -> None:
    assert [place for source in package() if source.room not in ROOMS for place in _sql(source)] == []


def _sql(source: Source) -> list[str]:
    return [source.at(node) for node in source.nodes if _is_text(node) or _is_call(node)]


def _is_text(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.search(node.value) is not None
    )


def _is_call(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CALLS

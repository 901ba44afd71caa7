"""Every read for the API takes one `Reading` first: a forgotten access is an error, not a leak of student
data."""

from __future__ import annotations

import ast

from tests.house.sources import package

# Files with reads, each with the functions that only build SQL or values.
READS = {"record_pages": set(), "related_lists": set(), "past_pages": {"rows"}, "joined_rows": set()}
# Reads in files that also write.
ALSO = {"event_feed": {"page", "get"}, "catchup": {"page"}}


def test_a_read_takes_a_reading_first() -> None:
    reads = {
        f"{name}.{node.name}": _first(node)
        for source in package()
        if (name := source.path.stem) in READS | ALSO
        for node in source.tree.body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
        if (node.name in ALSO[name] if name in ALSO else node.name not in READS[name])
    }
    assert {name: first for name, first in reads.items() if first != "reading: Reading"} == {}
    assert len(reads) > 10


def _first(function: ast.FunctionDef) -> str:
    """The first parameter, with a mark if it is optional."""
    arguments = function.args
    first = arguments.args[0]
    may_be_left_out = len(arguments.defaults) == len(arguments.args)
    return f"{first.arg}: {first.annotation and ast.unparse(first.annotation)}{' = ...' if may_be_left_out else ''}"

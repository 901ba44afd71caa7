"""Files, functions and parameter lists stay short, and a bare name finds one file."""

from __future__ import annotations

import ast
from collections import Counter

from tests.house.sources import Source, package

LINES_MAX, FUNCTION_LINES_MAX, PARAMETERS_MAX = 400, 60, 8

# Files of rows: one class or row after another, which readers look up and do not read through.
ROWS = {
    "rollbook.client.record_types",
    "rollbook.contract.clever.columns",
    "rollbook.contract.clever.fields",
    "rollbook.roster.problems",
}
# A migration is a list of statements that is never edited after a release.
LISTS = {
    "rollbook.store.engine.first_steps.first_tables",
    "rollbook.store.engine.first_steps.identity_tables",
    "rollbook.sync.edits.share",
}


def _functions(source: Source) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in source.nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def test_no_file_is_long() -> None:
    lengths = {source.module: len(source.text.splitlines()) for source in package()}
    assert {name for name, lines in lengths.items() if lines > LINES_MAX} == ROWS


def test_no_function_is_long() -> None:
    long = {
        f"{source.module}.{function.name}"
        for source in package()
        for function in _functions(source)
        if (function.end_lineno or 0) - function.lineno >= FUNCTION_LINES_MAX
    }
    assert long == LISTS


def test_no_function_takes_many_parameters() -> None:
    many = [
        f"{source.at(function)}: {function.name}"
        for source in package()
        for function in _functions(source)
        # A command's parameters are its options, each documented at the option.
        if source.room != "commands" and _parameters(function) > PARAMETERS_MAX
    ]
    assert many == []


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    names = [
        each.arg for each in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
    ]
    return len([name for name in names if name not in ("self", "cls")])


def test_a_bare_name_finds_one_file() -> None:
    """Commands are named as they are typed, so they may share a name with the function they call."""
    named = Counter(s.path.stem for s in package() if s.room != "commands" and s.path.stem != "__init__")
    assert [name for name, times in named.items() if times > 1] == []

"""Each act of an operator is a function of `operations`: commands, pages and the demo call no function below
it that writes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache

from tests.house.sources import Source, package

BELOW = ("store", "sync", "clone", "auth")
ABOVE = ("commands", "web", "demo")
# The only ways to write: a transaction that writes, and the calls on it.
WRITING = ("run", "insert", "write")
STATEMENTS = ("INSERT", "UPDATE", "DELETE")
# Writes that are not acts of an operator, with the rooms that may use them; names without `rollbook.`.
EXCEPTIONS = {
    "commands": {
        # Each command opens the database, which brings its schema up to date.
        "store.engine.opening.opened",
        # One class reads and writes the request log; the command only reads.
        "store.records.request_log.RequestLog",
    },
    "demo": {
        "store.engine.opening.opened",
        # Where the demo stands after a run.
        "store.district.demo_state.keep",
        # Ids, names and user tokens that a demo publishes: operators cannot choose them.
        "store.district.districts.fix_ids",
        "store.district.demo_state.own",
        "store.engine.server_values.write",
        "store.accounts.logins.mint",
        "store.accounts.logins.revoke",
        # A login as anybody, and the key that signs id tokens in each save of the demo.
        "store.accounts.logins.issue_code",
        "auth.oidc.Signer",
        # A restore of a demo that had no log of requests yet.
        "store.records.request_log.forget",
        # A rehearsal reads what an application asked.
        "store.records.request_log.RequestLog",
    },
    "web": {
        # A person signs in, and out.
        "auth.throttle.count",
        "auth.throttle.succeed",
        "auth.throttle.take_turn",
        "store.accounts.credentials.strengthen",
        "store.accounts.logins.open_session",
        "store.accounts.logins.touch",
        "store.accounts.logins.close_session",
        "store.accounts.audit.record",
        # An application gets a code and a token for a person.
        "auth.oidc.Signer",
        "store.accounts.logins.issue_code",
        "store.accounts.logins.spend_code",
        "store.accounts.logins.mint",
        "store.accounts.logins.revoke",
        # The server logs the requests that it answered.
        "store.records.request_log.RequestLog",
        # The server's own upkeep, each minute.
        "store.records.request_log.prune",
        "store.accounts.logins.sweep",
        "store.records.own_record.keep_true",
        "store.records.record_search.catch_up",
    },
}


def test_commands_and_pages_use_no_function_below_operations_that_writes() -> None:
    writers = _writers()
    wrong = [
        f"{source.at(node)}: {source.room} uses {name}"
        for source in package()
        if source.room in ABOVE
        for name, node in _named(source)
        if name in writers and name.removeprefix("rollbook.") not in EXCEPTIONS[source.room]
    ]
    assert wrong == []


def test_every_exception_is_used() -> None:
    used = {
        (source.room, name.removeprefix("rollbook."))
        for source in package()
        if source.room in ABOVE
        for name, _ in _named(source)
    }
    assert [
        (room, name) for room, names in EXCEPTIONS.items() for name in names if (room, name) not in used
    ] == []


def test_the_law_knows_a_writer_by_what_it_does_and_by_what_it_calls() -> None:
    writers = {name.removeprefix("rollbook.") for name in _writers()}
    assert {
        "store.accounts.applications.create",
        "store.records.own_record.keep_true",
        "sync.reviews.approve",
        "clone.copy.run",
    } <= writers
    assert not {"store.district.districts.find", "store.accounts.audit.latest"} & writers


@cache
def _writers() -> set[str]:
    """Functions and classes below operations that write, directly or through each other."""
    uses: dict[str, set[str]] = {}
    writers = set()
    for source in package():
        for top in source.tree.body if source.room in BELOW else ():
            if isinstance(top, ast.FunctionDef | ast.ClassDef):
                name = f"{source.module}.{top.name}"
                uses[name] = {used for used, _ in _named(source, top)}
                if any(_writes(node) for node in ast.walk(top)):
                    writers.add(name)
    while more := {name for name, used in uses.items() if name not in writers and used & writers}:
        writers |= more
    return writers


def _writes(node: ast.AST) -> bool:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return False
    of = ast.unparse(node.func.value).rpartition(".")[2].lstrip("_")
    if of in ("connection", "database") and node.func.attr in WRITING:
        return True
    said = [text.value for text in ast.walk(node) if isinstance(text, ast.Constant)]
    return node.func.attr == "row" and any(
        isinstance(text, str) and text.lstrip().startswith(STATEMENTS) for text in said
    )


def _named(source: Source, inside: ast.AST | None = None) -> Iterator[tuple[str, ast.AST]]:
    """The package's functions and classes that code names, each with the module that defines it."""
    known = _imports(source)
    for node in ast.walk(inside or source.tree):
        if isinstance(node, ast.Name):
            yield known.get(node.id, f"{source.module}.{node.id}"), node
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in known:
            name = f"{known[node.value.id]}.{node.attr}"
            yield _reexported().get(name, name), node


@cache
def _imports(source: Source) -> dict[str, str]:
    lent = _reexported()
    return {name: lent.get(of, of) for name, of in _imported(source).items()}


def _imported(source: Source) -> dict[str, str]:
    return {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in source.nodes
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


@cache
def _reexported() -> dict[str, str]:
    """Names that a package lends: `rollbook.sync.approve` is defined in `rollbook.sync.reviews`."""
    return {
        f"{source.module}.{name}": of
        for source in package()
        if source.path.name == "__init__.py"
        for name, of in _imported(source).items()
    }

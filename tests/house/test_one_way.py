"""What must not be forgotten is done in one place: reading the body of a request, skipping a test."""

from __future__ import annotations

import ast

from tests.house.sources import everything, package

READER = "rollbook.web.http.visits"


def test_one_function_reads_the_body_of_a_request() -> None:
    """A body that is read otherwise has no bound, or a bound of its own that another place forgets."""
    readers = [
        source.module
        for source in package()
        if source.room in ("web", "demo")
        for node in source.nodes
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if node.func.attr in ("stream", "body", "form", "json")
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "request"
    ]
    assert readers == [READER]


def test_one_module_says_when_a_test_is_skipped() -> None:
    """A test that is skipped otherwise would be skipped in CI, too."""
    skipping = {
        source.module
        for source in everything()
        for node in source.nodes
        if isinstance(node, ast.Attribute) and node.attr in ("skip", "skipif", "importorskip")
        if source.module.startswith("tests.")
    }
    assert skipping == {"tests.machine", "tests.test_machine"}

"""The plugin for pytest: the fixtures `rollbook` and `fresh_rollbook`.

pytest loads this file in every project that has Rollbook installed, so it loads nothing else until a test asks.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rollbook.testing.sandboxes import Sandbox

_sandbox = pytest.StashKey["Sandbox"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(
        "rollbook_students", "Rollbook: about how many students the demo has; default 200.", default="200"
    )
    parser.addini("rollbook_seed", "Rollbook: the same seed gives the same demo; default 1.", default="1")
    parser.addini("rollbook_port", "Rollbook: the demo's port; default a free one.", default="0")
    parser.addini(
        "rollbook_redirect_uris",
        "Rollbook: where logins return to, an address a line.",
        type="linelist",
        default=[],
    )
    parser.addini(
        "rollbook_cache", "Rollbook: where templates are kept; default the user's cache.", default=""
    )
    parser.addini(
        "rollbook_keep_ready",
        "Rollbook: leave a process for ten minutes, so that the next run starts faster; default yes, but not in CI.",
        default="",
    )


@pytest.fixture(scope="session")
def rollbook(pytestconfig: pytest.Config) -> Iterator[Sandbox]:
    """A demo with its server, for the whole session. A test that changes it asks for `fresh_rollbook`."""
    sandboxes = import_module("rollbook.testing.sandboxes")
    try:
        sandbox: Sandbox = sandboxes.start(
            _whole(pytestconfig, "rollbook_students"),
            _whole(pytestconfig, "rollbook_seed"),
            redirect_uris=pytestconfig.getini("rollbook_redirect_uris"),
            port=_whole(pytestconfig, "rollbook_port"),
            cache=Path(cache) if (cache := pytestconfig.getini("rollbook_cache")) else None,
            keeps_ready=_keeps_ready(pytestconfig),
        )
    except sandboxes.SandboxError as error:
        pytest.fail(str(error), pytrace=False)
    pytestconfig.stash[_sandbox] = sandbox
    with sandbox:
        yield sandbox
    del pytestconfig.stash[_sandbox]


@pytest.fixture
def fresh_rollbook(rollbook: Sandbox) -> Iterator[Sandbox]:
    """The same demo, for a test that changes it: put back when the test has ended."""
    yield rollbook
    rollbook.restore()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Put the demo back, and say which test did not, so that no test depends on the one before."""
    yield
    sandbox = item.config.stash.get(_sandbox, None)
    if sandbox is not None and sandbox.changes:
        done = ", ".join(sandbox.changes)
        sandbox.restore()
        pytest.fail(
            f"{item.name} changed the demo by {done} and did not put it back: ask for the fixture fresh_rollbook"
            " instead of rollbook, or call rollbook.save() in a fixture for a change that stays",
            pytrace=False,
        )


def _whole(config: pytest.Config, name: str) -> int:
    text = str(config.getini(name))
    if not (text.isascii() and text.isdigit()):
        raise pytest.UsageError(f"{name}: expected a whole number, got {text!r}")
    return int(text)


def _keeps_ready(config: pytest.Config) -> bool:
    text = str(config.getini("rollbook_keep_ready")).lower()
    if text not in ("", "yes", "no", "true", "false", "1", "0"):
        raise pytest.UsageError(f"rollbook_keep_ready: expected yes or no, got {text!r}")
    return text in ("yes", "true", "1") if text else not os.environ.get("CI")

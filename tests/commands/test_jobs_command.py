"""`rollbook jobs`, `rollbook sync --queue`, and the worker of a server."""

from __future__ import annotations

import re
import time
from pathlib import Path

from tests import world
from tests.commands.terminal import DISTRICT, Terminal
from tests.journeys import program


def test_a_queued_sync_is_done_by_a_server_and_seen_by_commands(
    small_terminal: Terminal, tmp_path: Path
) -> None:
    files = world.write(tmp_path / "files")
    said = small_terminal.done("sync", DISTRICT, files, "--queue")
    assert said.lines == ["job 1 waits; `rollbook jobs` shows what comes of it"]
    with program.serving("serve", folder=tmp_path, wait=False, key_file=tmp_path / "key"):
        end = time.monotonic() + program.TIMEOUT_SECONDS
        while small_terminal.done("jobs", "--json").json()[0]["state"] != "done":
            assert time.monotonic() < end
            time.sleep(0.05)
    lines = small_terminal.done("jobs", "--district", DISTRICT).lines
    # The server's upkeep may have been an earlier run.
    assert re.fullmatch(r"        sync \d committed: 15 created, 0 updated, 0 deleted", lines[1])
    assert small_terminal.done("jobs", "prune").lines == ["job 2 waits"]
    assert small_terminal.done("jobs", "cancel", "2").lines == ["job 2 is cancelled"]
    refused = small_terminal.run("jobs", "cancel", "2")
    assert (refused.code, refused.err) == (1, "rollbook: job 2 has ended already: it is cancelled\n")


def test_a_sync_with_options_of_its_own_is_not_queued(small_terminal: Terminal, tmp_path: Path) -> None:
    refused = small_terminal.run("sync", DISTRICT, tmp_path, "--queue", "--approve")
    assert (refused.code, refused.err[:31]) == (1, "rollbook: queue: expected no --")
    missing = small_terminal.run("sync", DISTRICT, tmp_path / "nowhere", "--queue")
    assert "is not there; expected a folder or a zip file" in missing.err
    assert small_terminal.done("jobs").lines == ["no jobs"]

"""Unknown variables in the environment are reported; limits that are off are named so."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollbook import settings
from rollbook.demo import serving
from rollbook.web import server
from tests.commands.terminal import DISTRICT, Terminal
from tests.journeys import program


@pytest.mark.parametrize("command", ["settings", "district list", "status"])
def test_a_variable_that_is_no_setting_is_told_once_at_any_command(tmp_path: Path, command: str) -> None:
    program.done("application", "create", "A", folder=tmp_path)
    outcome = program.run(*command.split(), folder=tmp_path, rate_limits=5, zebra=1, port=8500)
    assert (outcome.returncode, outcome.stderr.splitlines()) == (
        0,
        [
            "rollbook: ROLLBOOK_RATE_LIMITS is not a setting and was ignored; did you mean ROLLBOOK_RATE_LIMIT?",
            "rollbook: ROLLBOOK_ZEBRA is not a setting and was ignored",
        ],
    )


def test_it_does_not_disturb_what_a_program_reads(tmp_path: Path) -> None:
    program.done("application", "create", "A", folder=tmp_path)
    outcome = program.run("district", "list", "--json", folder=tmp_path, rate_limits=5)
    assert outcome.stdout == "[]\n"


def test_what_a_server_tells_its_workers_and_a_clones_token_are_known() -> None:
    own = (
        server.LIMITS,
        server.PULLS,
        serving.TOKEN,
        serving.BASIC,
        serving.DISTRICT,
        "ROLLBOOK_CLONE_TOKEN",
    )
    every = [f"ROLLBOOK_{name.upper()}" for name in settings.names()]
    assert settings.unknown(dict.fromkeys([*own, *every, "ROLLBOOKS", "PATH"], "")) == {}


def test_a_limit_that_is_off_holds_never(small_terminal: Terminal) -> None:
    small_terminal.done("thresholds", DISTRICT, "--kind", "sections", "--updated", "0", "--deleted", "50")
    small_terminal.done("thresholds", DISTRICT, "--kind", "terms", "--deleted", "100")
    told = {
        line.split()[0]: " ".join(line.split()[1:])
        for line in small_terminal.done("thresholds", DISTRICT).lines
    }
    assert told["students"] == "held when updated: from 75 % when deleted: above 10 %"
    assert told["sections"] == "held when updated: never when deleted: above 50 %"
    assert told["terms"] == "held when updated: from 75 % when deleted: never"

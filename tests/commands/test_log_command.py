"""`rollbook log`: what it prints, for people and for programs."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from rollbook.cli import rollbook
from rollbook.settings import read
from rollbook.store.engine.database import open_database
from rollbook.store.engine.migrations import migrate
from rollbook.store.records.request_log import RequestLog, now_ms

BELL = "\x1b]0;owned\x07"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with a log of three requests; one of them is hostile."""
    path = tmp_path_factory.mktemp("log") / "rollbook.db"
    opened = open_database(str(path))
    migrate(opened)
    log, moment = RequestLog(opened, read({}, database=str(path))), now_ms()
    rows = (("/v3.0/users", "limit=1", 200), ("/v3.0/user", "", 404), (f"/v3.0/{BELL}", "", 404))
    log.write(
        [
            [moment + place, 900, "GET", path, query, status, 83_000, "…abcd", "", "", "", "", "", {}, {}]
            for place, (path, query, status) in enumerate(rows)
        ],
        0,
    )
    log.close()
    opened.close()
    return path


def _run(database: Path, *options: str) -> str:
    done = CliRunner().invoke(rollbook, ["log", "--database", str(database), *options])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_requests_are_printed_oldest_first_with_their_hints(database: Path) -> None:
    first, second, hint, *_ = _run(database).splitlines()
    assert first.endswith("200  GET /v3.0/users?limit=1  …abcd  83.0 KB  0.9 ms")
    assert "404  GET /v3.0/user  " in second
    assert hint == "    ! There is no such path. Did you mean `/v3.0/users`?"


def test_requests_are_chosen_by_status_and_path(database: Path) -> None:
    assert len(_run(database, "--status", "2xx").splitlines()) == 1
    [told] = map(
        orjson.loads, _run(database, "--path", "/v3.0/user", "--status", "404", "--json").splitlines()
    )
    assert (told["path"], told["status"], told["hints"][0]["code"]) == ("/v3.0/user", 404, "near-path")
    assert "notes" not in told


def test_a_status_that_is_none_is_named(database: Path) -> None:
    done = CliRunner().invoke(rollbook, ["log", "--database", str(database), "--status", "bad"])
    assert "status: expected one such as 404, or 4xx for all of them; got 'bad'" in str(done.exception)


def test_requests_that_a_busy_worker_left_out_are_counted_where_they_are_missing(tmp_path: Path) -> None:
    path = tmp_path / "rollbook.db"
    opened = open_database(str(path))
    migrate(opened)
    log, moment = RequestLog(opened, read({}, database=str(path))), now_ms()
    for ago, dropped in ((3_000, 0), (2_000, 1_234), (1_000, 0)):
        entry = [moment - ago, 900, "GET", "/v3.0/users", "", 200, 9, "…abcd", "", "", "", "", "", {}, {}]
        log.write([entry], dropped)
    log.close()
    opened.close()
    lines = _run(path).splitlines()
    assert ["more" in line for line in lines] == [False, False, True, False]
    assert lines[2].endswith("1,234 more requests until then are not in the log")
    assert [orjson.loads(line).get("left_out") for line in _run(path, "--json").splitlines()] == [
        None,
        None,
        1234,
        None,
    ]
    assert len(_run(path, "--last", "1").splitlines()) == 1


def test_an_empty_log_says_so(database: Path, tmp_path: Path) -> None:
    assert _run(database, "--path", "nowhere") == "No request in the log fits.\n"
    assert _run(database, "--path", "nowhere", "--json") == ""
    path = tmp_path / "rollbook.db"
    opened = open_database(str(path))
    migrate(opened)
    opened.close()
    assert _run(path) == "The log holds no request yet.\n"
    assert not (tmp_path / "rollbook.db.requests").exists()

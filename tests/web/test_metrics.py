"""`/health`, `/ready` and `/metrics`, and logs as JSON lines: complete, cheap, and without tokens or student
data."""

from __future__ import annotations

import json
import logging
import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from rollbook.json_logs import Lines
from rollbook.operations import job_control
from rollbook.store.engine import migrations
from rollbook.store.work import job_queue
from rollbook.web.http import request_counts
from rollbook.web.http.request_counts import RequestCounts, added, name_of
from tests import world
from tests.journeys import program
from tests.journeys.hub import Hub
from tests.journeys.program import Server
from tests.journeys.test_server import prepare

LINE = re.compile(r'[a-z_]+(\{[a-z_]+="(?:[^"\\]|\\.)*"(,[a-z_]+="(?:[^"\\]|\\.)*")*\})? [0-9.e+-]+')


def figures(text: str) -> dict[str, float]:
    """The samples, each by its name and labels; every line must have the right form."""
    lines = [line for line in text.splitlines() if not line.startswith("# ")]
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def ask(hub: Hub, path: str, **settings: Any) -> httpx.Response:
    return hub.client(None, **settings).get(path)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v3.0/users", "/v3.0/users"),
        ("/v3.1/users/5f0000000000000000000000", "/v3.1/users/{id}"),
        ("/v3.0/sections/5f0000000000000000000000/users", "/v3.0/sections/{id}/users"),
        ("/v3.0/sections/5f0000000000000000000000/noether", "other"),
        ("/v3.0/emmy", "other"),
        ("/v9.9/users", "other"),
        ("/oauth/tokens", "/oauth/tokens"),
        ("/docs/guide/start", "/docs"),
        ("/", "/"),
        ("/emmy", "other"),
    ],
)
def test_a_path_counts_under_a_name_without_ids(path: str, name: str) -> None:
    assert name_of(path) == name


def test_the_figures_tell_of_requests_districts_and_jobs(synced_hub: Hub) -> None:
    job_control.queue_pruning(synced_hub.database)
    client = synced_hub.client(synced_hub.connect())
    client.read("/v3.0/users")
    client.read("/v3.0/users")
    client.get("/v3.0/users/emmy")
    found = figures(client.get("/metrics").text)
    assert found['rollbook_requests_total{path="/v3.0/users",status="200"}'] == 2
    assert found['rollbook_requests_total{path="/v3.0/users/{id}",status="404"}'] == 1
    assert found['rollbook_request_seconds_count{path="/v3.0/users"}'] == 2
    assert found['rollbook_request_seconds_bucket{path="/v3.0/users",le="+Inf"}'] == 2
    assert found['rollbook_answer_bytes_total{path="/v3.0/users",status="200"}'] > 1000
    assert found["rollbook_kept_answers"] >= 1
    assert found["rollbook_database_bytes"] > 100_000
    assert found["rollbook_ready"] == 1
    assert found['rollbook_jobs{kind="prune",state="waiting"}'] == 1
    labels = f'district="Springfield",id="{synced_hub.district.id}"'
    assert found[f'rollbook_district_state{{{labels},state="running",run="committed"}}'] == 1
    assert 0 <= found[f"rollbook_district_last_sync_seconds{{{labels}}}"] < 3600


def test_the_counts_of_all_workers_add_up_and_outlive_a_worker(tmp_path: Path) -> None:
    row = [1, *[0] * 14, 1, 0.5, 100]
    (tmp_path / "999999999.json").write_text(
        json.dumps({"counts": [["/v3.0/users", 200, row]], "gauges": {"pages": 5}})
    )
    own = RequestCounts(tmp_path, lambda: {"pages": 2})
    own._counts["/v3.0/users", 200] = [*map(float, row)]
    counts, gauges = own.totals()
    assert counts == {("/v3.0/users", 200): [2, *[0] * 14, 2, 1.0, 200]}
    assert gauges == {"pages": 2, "workers": 1}
    (tmp_path / "1.json").write_text("half a fi")
    assert added(tmp_path.glob("*.json"))[0] == counts


def test_figures_are_shown_in_the_networks_of_the_operator_only(small_hub: Hub) -> None:
    assert ask(small_hub, "/metrics").status_code == 200
    assert ask(small_hub, "/metrics", metrics_networks="10.0.0.0/8").status_code == 403
    for name in ("x_forwarded_for", "x_forwarded_proto", "x_real_ip", "via", "forwarded"):
        forwarded = small_hub.client().get("/metrics", **{name: "10.1.1.1"})
        assert (forwarded.status_code, "ROLLBOOK_METRICS_NETWORKS" in forwarded.text) == (403, True), name


@pytest.mark.needs("promtool", package="prometheus")
def test_prometheus_finds_nothing_wrong_with_the_figures(small_hub: Hub) -> None:
    small_hub.sync(world.FILES)
    job_control.queue_pruning(small_hub.database)
    client = small_hub.client()
    client.get("/v3.0/users")
    text = client.get("/metrics").text
    assert "rollbook_district_state" in text
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_a_server_is_ready_when_its_database_has_the_whole_schema(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ask(hub, "/health").json() == {"status": "ok"}
    ready = ask(hub, "/ready")
    known = len(migrations.STEPS)
    assert (ready.status_code, ready.json()) == (
        200,
        {
            "is_ready": True,
            "database": "ok",
            "schema": known,
            "schema_known": known,
            "schema_needed": max(
                step for step, function in enumerate(migrations.STEPS, 1) if function not in migrations.ADDING
            ),
            "jobs_waiting": 0,
            "oldest_wait_seconds": 0,
            "is_draining": False,
            "backup_trouble": "",
            "delivery_trouble": "",
            "troubles": [],
        },
    )
    monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS, migrations.nights))
    late = ask(hub, "/ready")
    assert (late.status_code, late.json()["troubles"]) == (
        503,
        [f"the database has schema {known}, and this version needs {known + 1}: restart the server"],
    )
    needed = ready.json()["schema_needed"]
    monkeypatch.setattr(migrations, "STEPS", migrations.STEPS[: needed - 1])
    early = ask(hub, "/ready")
    assert (early.status_code, early.json()["schema_known"]) == (503, needed - 1)


def test_jobs_without_a_worker_are_reported(small_hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    job_control.queue_pruning(small_hub.database)
    plain = job_queue.NOW["sqlite"]
    monkeypatch.setitem(job_queue.NOW, "sqlite", f"{plain} + 3600000")
    ready = ask(small_hub, "/ready")
    assert ready.status_code == 200
    assert ready.json()["troubles"] == [
        "1 jobs wait for a worker, the oldest for 60 minutes; start one with `rollbook work`"
    ]


def test_an_unreachable_database_is_reported_by_a_healthy_process(tmp_path: Path, small_hub: Hub) -> None:
    client = small_hub.client()
    client.read("/health")
    (tmp_path / "rollbook.db").rename(tmp_path / "gone.db")
    with closing(small_hub.database):
        pass
    assert client.get("/health").status_code == 200
    away = client.get("/ready")
    assert (away.status_code, away.json()["database"]) == (503, "away")


def test_lines_beyond_the_room_are_counted_and_the_first_stay(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(request_counts, "LINES_MAX", 3)
    counts = RequestCounts(None, dict, logs=True)
    counts._is_roused = True  # no thread writes lines beside this test
    for number in range(5):
        headers = [(b"x-request-id", b"id-%d" % number), (b"content-length", b"7")]
        start = {"type": "http.response.start", "status": 200, "headers": headers}
        counts._count({"path": "/v3.0/users", "method": "GET"}, start, 0.001)
    counts.flush()
    *lines, last = map(json.loads, capsys.readouterr().err.splitlines())
    assert [(line["request_id"], line["bytes"]) for line in lines] == [("id-0", 7), ("id-1", 7), ("id-2", 7)]
    assert last["dropped"] == 2
    counts.flush()
    assert capsys.readouterr().err == ""


# A server as a process ------------------------------------------------------------------------------------


def test_a_line_of_the_log_tells_an_error_by_its_place(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise ValueError("Emmy Noether")
    except ValueError:
        logging.getLogger("a library").exception("no answer")
    told = json.loads(Lines().format(caplog.records[-1]))
    assert (told["message"], told["error"], "Emmy" in str(told)) == ("no answer", "ValueError", False)
    assert told["where"][-1].startswith("test_metrics.py:")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("watched")


@pytest.fixture(scope="module")
def token(place: Path) -> str:
    return prepare(place)


@pytest.fixture(scope="module")
def server(place: Path, token: str) -> Iterator[Server]:
    with program.serving("serve", "--workers", "2", "--no-work", folder=place, log_format="json") as opened:
        yield opened


def test_workers_count_together_and_log_neither_tokens_nor_people(server: Server, token: str) -> None:
    bearer = {"Authorization": f"Bearer {token}"}
    asked = ("/v3.0/users", f"/v3.0/emmy.noether?access_token={token}", f"/{token}", "/v3.0/users/Noether/x")
    with httpx.Client(base_url=server.base) as client:
        people = client.get("/v3.0/users", headers=bearer).json()["data"]
    for _ in range(10):
        for path in asked:
            httpx.get(server.base + path, headers=bearer)
    httpx.post(f"{server.base}/oauth/tokens", data={"code": "a-secret-code"}, auth=("client", "a-secret"))
    line = server.printed_line('{"at"')
    told = json.loads(line)
    assert set(told) == {*("at", "level", "logger", "request_id", "method", "path", "status", "bytes", "ms")}
    found = figures(httpx.get(f"{server.base}/metrics").text)
    assert found["rollbook_workers"] >= 1
    server.stop()
    lines = [json.loads(each) for each in server.printed.splitlines() if each.startswith("{")]
    users = [each for each in lines if each.get("path") == "/v3.0/users"]
    assert len(users) == 11
    assert len({each["request_id"] for each in users}) == 11
    values = {
        str(value)
        for person in people
        for value in (*person["data"]["name"].values(), person["data"]["email"], person["data"]["id"])
        if value
    }
    leaked = [word for word in (*values, token, "a-secret", "noether") if word in server.printed]
    assert leaked == []


def test_a_server_that_is_stopped_has_logged_each_request_of_all_workers(place: Path, token: str) -> None:
    with program.serving("serve", "--workers", "2", "--no-work", folder=place, log_format="json") as opened:
        with ThreadPoolExecutor(8) as pool:
            statuses = [*pool.map(lambda _: httpx.get(f"{opened.base}/v3.0/schools").status_code, range(60))]
        opened.stop()
        lines = [json.loads(line) for line in opened.printed.splitlines() if line.startswith("{")]
    assert statuses == [401] * 60
    assert len([line for line in lines if line.get("path") == "/v3.0/schools"]) == 60

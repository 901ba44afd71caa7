"""Two servers behind a balancer are restarted one after the other, and no request fails."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.journeys import program
from tests.journeys.test_server import prepare

CONF = """
daemon off;
pid nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    upstream rollbook {{ server 127.0.0.1:{first} max_fails=0; server 127.0.0.1:{second} max_fails=0; }}
    server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://rollbook; }} }}
}}
"""


@contextmanager
def balanced(folder: Path, first: int, second: int) -> Iterator[str]:
    port = program.free_port()
    (folder / "balancer.conf").write_text(CONF.format(first=first, second=second, port=port))
    nginx = subprocess.Popen(
        ["nginx", "-p", str(folder), "-c", str(folder / "balancer.conf")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        nginx.terminate()
        nginx.wait()


@pytest.mark.needs("nginx", package="nginx-light")
def test_no_request_fails_while_servers_are_restarted(tmp_path: Path) -> None:
    bearer = {"Authorization": f"Bearer {prepare(tmp_path)}"}
    seen: Counter[object] = Counter()
    ended = threading.Event()
    ports = program.free_port(), program.free_port()

    def serve(port: int) -> program.Server:
        server = program._start(("serve", "--no-work"), tmp_path, port, {"rate_limit": 0, "drain_seconds": 1})
        assert server.wait_until_it_answers("/ready").json()["is_ready"]
        return server

    servers = [serve(port) for port in ports]
    with balanced(tmp_path, *ports) as base:

        def ask() -> None:
            with httpx.Client(base_url=base, headers=bearer, timeout=60) as client:
                while not ended.is_set():
                    seen[client.get("/v3.0/users?limit=2").status_code] += 1

        asking = [threading.Thread(target=ask) for _ in range(3)]
        try:
            with httpx.Client(transport=httpx.HTTPTransport(retries=20)) as client:
                client.get(f"{base}/health").raise_for_status()
            for thread in asking:
                thread.start()
            for number, port in enumerate(ports):
                servers[number].process.send_signal(signal.SIGTERM)
                servers[number].process.wait(program.TIMEOUT_SECONDS)
                servers[number].stop()
                servers[number] = serve(port)
        finally:
            ended.set()
            for thread in asking:
                thread.join()
            for server in servers:
                server.stop()
    assert {*seen} == {200}, seen
    assert seen[200] > 50


@pytest.mark.parametrize("workers", [1, 2])
def test_a_draining_server_answers_until_it_ends(tmp_path: Path, workers: int) -> None:
    bearer = {"Authorization": f"Bearer {prepare(tmp_path)}"}
    command = ("serve", "--no-work", "--workers", workers)
    with program.serving(*command, folder=tmp_path, drain_seconds=600) as server, ExitStack() as stack:
        assert httpx.get(f"{server.base}/ready").status_code == 200
        kept = [stack.enter_context(httpx.Client(base_url=server.base, headers=bearer)) for _ in range(4)]
        assert ["connection" in client.get("/v3.0/users?limit=2").headers for client in kept] == [False] * 4
        server.process.send_signal(signal.SIGTERM)
        end = time.monotonic() + program.TIMEOUT_SECONDS
        while (ready := httpx.get(f"{server.base}/ready")).status_code == 200:
            assert time.monotonic() < end
        assert (ready.status_code, ready.json()["is_draining"]) == (503, True)
        assert ready.json()["troubles"] == ["the server was stopped, and takes its last requests"]
        assert httpx.get(f"{server.base}/v3.0/users?limit=2", headers=bearer).status_code == 200
        for client in kept:
            # Each process looks once a second.
            while (answer := client.get("/v3.0/users?limit=2")).headers.get("connection") != "close":
                assert (answer.status_code, time.monotonic() < end) == (200, True)

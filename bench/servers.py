"""The servers under load: Rollbook on SQLite or PostgreSQL, nginx, and a bare one; each with meters of its
CPU."""

from __future__ import annotations

import contextlib
import getpass
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import psycopg
from tests.postgres import server_address

from bench.material import Ready
from bench.processes import ROLLBOOK, cpu_seconds, family, free_port, started, wait_for

BACKENDS = "rollbook-bench"
# One worker. The rate limit is counted but never reached, because counting is part of each request. All servers of one
# database give the same address: otherwise each would write its own port into the district's record, as a new run, and
# all pages and ETags would change once a minute.
SETTINGS = {
    "ROLLBOOK_WORKERS": "1",
    "ROLLBOOK_RATE_LIMIT": "1000000000",
    "ROLLBOOK_PUBLIC_URL": "http://127.0.0.1",
}
# As Debian ships it, without the access log.
NGINX = """
user {user}; daemon off; pid {folder}/pid; error_log {folder}/errors; worker_processes 1; events {{}}
http {{
    access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; default_type application/json;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder}; uwsgi_temp_path {folder};
    scgi_temp_path {folder}; server {{ listen 127.0.0.1:{port}; root {folder}; }}
}}
"""

Meter = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Server:
    """A server under load.

    `meters` return its CPU seconds and, if its database is a separate server, that one's.
    """

    port: int
    meters: tuple[Meter, ...]
    headers: Mapping[str, str] = field(default_factory=dict)
    pid: int = 0


@contextlib.contextmanager
def serving(ready: Ready, settings: Mapping[str, str]) -> Iterator[Server]:
    """Rollbook over a database."""
    port = free_port()
    command = (ROLLBOOK, "serve", "--port", str(port), "--database", ready.database)
    with started(command, {**os.environ, **SETTINGS, **settings}) as pid:
        wait_for(port, pid)
        own: Meter = lambda: cpu_seconds(family(pid))  # noqa: E731
        meters = (own, _backends) if "://" in ready.database else (own,)
        yield Server(port, meters, {"Authorization": f"Bearer {ready.token}"}, pid)


@contextlib.contextmanager
def nginx(folder: Path, bodies: Sequence[bytes]) -> Iterator[Server]:
    """nginx over files `/0.json`, `/1.json` and so on."""
    port = free_port()
    folder.mkdir()
    for number, body in enumerate(bodies):
        (folder / f"{number}.json").write_bytes(body)
    configuration = folder / "nginx.conf"
    configuration.write_text(NGINX.format(folder=folder, port=port, user=getpass.getuser()))
    with started(("nginx", "-c", str(configuration), "-e", str(folder / "errors"))) as pid:
        wait_for(port, pid)
        yield Server(port, (lambda: cpu_seconds(family(pid)),))


@contextlib.contextmanager
def bare(folder: Path, bodies: Sequence[bytes]) -> Iterator[Server]:
    """uvicorn with an application that does nothing: `/0.json`, `/1.json` and so on are bytes in memory."""
    port = free_port()
    folder.mkdir()
    for number, body in enumerate(bodies):
        (folder / f"{number}.json").write_bytes(body)
    with started((sys.executable, "-m", "bench.bare_answers", str(folder), str(port))) as pid:
        wait_for(port, pid)
        yield Server(port, (lambda: cpu_seconds(family(pid)),))


@contextlib.contextmanager
def postgresql() -> Iterator[str]:
    """The address of an empty schema, which works like a database, in the server that the tests use."""
    address, schema = server_address(), f"bench_{uuid4().hex[:16]}"
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}".encode())
        try:
            yield f"{address}&application_name={BACKENDS}&options=-csearch_path%3D{schema}"
        finally:
            connection.execute(f"DROP SCHEMA {schema} CASCADE".encode())


def _backends() -> float:
    """CPU seconds of the PostgreSQL processes that serve Rollbook."""
    with psycopg.connect(server_address()) as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name = %s", (BACKENDS,)
        ).fetchall()
    return cpu_seconds(pid for (pid,) in rows)

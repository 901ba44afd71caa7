"""Run the server: one process, or several that share the database and the rate limits."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from importlib import import_module
from multiprocessing import parent_process
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import click
import uvicorn

from rollbook import json_logs
from rollbook import settings as setting_rows
from rollbook.errors import RollbookError
from rollbook.settings import PREFIX, Settings
from rollbook.store.engine.database import open_database
from rollbook.store.engine.shared_counters import lasting_file, new_file
from rollbook.web import upkeep
from rollbook.web.app import App, Extend
from rollbook.web.http import listening
from rollbook.web.http.draining import Drain, DrainingServer, DrainingWorkers
from rollbook.web.http.kept_memory import keep_memory
from rollbook.web.http.open_connections import Connections, allow_files
from rollbook.web.http.protocol import Protocol

# How the first process passes facts to worker processes, which start fresh and read only their environment.
LIMITS = PREFIX + "LIMITS_FILE"
PULLS = PREFIX + "PULLS_FILE"
COUNTS = PREFIX + "COUNTS_FOLDER"
PLAIN = "rollbook.web.server:create_app"
# How often to check whether the server accepts requests yet.
READY_SECONDS = 0.005
# How long a worker that cannot begin waits before it ends, so that the next one does not try at once.
RESTART_SECONDS = 1


def run(
    settings: Settings,
    factory: str = PLAIN,
    *,
    when_ready: Callable[[], None] | None = None,
    works: bool = False,
    limits: Path | None = None,
    tls: tuple[Path, Path] | None = None,
) -> None:
    """Serve until interrupted or stopped; `when_ready` is called once requests are accepted.

    `works`: a worker beside the server does the jobs of the queue. `factory` names the function that makes
    the application of a worker process. `limits` is the file in which the workers count requests; without
    one, a temporary file is used. `tls` is a certificate and its key.
    """
    # Otherwise SIGTERM, with which service managers stop a program, would end it before it has cleaned up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    limits = limits or new_file()
    pulls, made = lasting_file(settings), [limits]
    if pulls is None:
        made.append(pulls := new_file())
    os.environ.update({PREFIX + name.upper(): str(getattr(settings, name)) for name in setting_rows.names()})
    counts = Path(mkdtemp(prefix="rollbook-counts-"))
    os.environ.update({LIMITS: str(limits), PULLS: str(pulls), COUNTS: str(counts)})
    json_logs.set_up(settings)
    allow_files(settings)
    upkeep.begin(settings)
    if when_ready:
        threading.Thread(target=_wait_until_ready, args=(settings, when_ready), daemon=True).start()
    try:
        with _working(settings) if works else nullcontext():
            _serve(settings, factory, tls, counts)
    finally:
        for path in made:
            path.unlink(missing_ok=True)
        shutil.rmtree(counts, ignore_errors=True)


def _working(settings: Settings) -> AbstractContextManager[None]:
    """A worker beside the server. Few servers have one, so only they load what it needs."""
    begun: AbstractContextManager[None] = import_module("rollbook.jobs.workers").working(settings)
    return begun


def _serve(settings: Settings, factory: str, tls: tuple[Path, Path] | None, counts: Path) -> None:
    """Listen, and serve in this process or in workers.

    Like `uvicorn.run`, which supports only one address.
    """
    sockets = listening.listen(settings)
    options, drain = uvicorn_options(settings, counts), Drain(counts, settings.drain_seconds)
    if tls:
        options |= {"ssl_certfile": str(tls[0]), "ssl_keyfile": str(tls[1])}
    config = uvicorn.Config(factory, factory=True, workers=settings.workers, **options)
    with suppress(KeyboardInterrupt):
        if settings.workers > 1:
            DrainingWorkers(config, sockets, drain).run()
        else:
            DrainingServer(config, drain).run(sockets)


def uvicorn_options(settings: Settings, counts: Path | None = None) -> dict[str, Any]:
    """How each worker process listens and reads requests. `counts` is the folder that they share."""
    return {
        "interface": "asgi3",
        "loop": "uvloop",
        "http": partial(Protocol, connections=Connections(settings, counts)),
        "ws": "none",
        "lifespan": "on",
        "access_log": False,
        "log_level": "warning",
        **({"log_config": None} if settings.log_format == "json" else {}),
        "server_header": False,
        # A client that may set this header chooses the address under which its failed sign-ins count.
        "proxy_headers": bool(settings.trusted_proxies),
        "forwarded_allow_ips": settings.trusted_proxies or None,
        # Connections end themselves before this. The rest are requests that the server cannot finish.
        "timeout_graceful_shutdown": settings.stop_seconds + 1,
    }


def _wait_until_ready(settings: Settings, then: Callable[[], None]) -> None:
    while not any(_answers(host, settings.port) for _, host in listening.addresses_of(settings.host)):
        time.sleep(READY_SECONDS)
    then()


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port)).close()
    except OSError:
        return False
    return True


def create_app(extend: Extend | None = None) -> App:
    """The application of one worker process, from its environment.

    A worker that cannot begin, such as one that starts while the database is away, says why in one line and
    ends with exit code 1. The first process then starts another one.
    """
    try:
        return _application(extend)
    except RollbookError as error:
        if parent_process() is None:
            raise
        click.echo(f"rollbook: a worker cannot start and will be started again: {error}", err=True)
        time.sleep(RESTART_SECONDS)
        sys.exit(1)


def _application(extend: Extend | None) -> App:
    keep_memory()
    settings = setting_rows.read(os.environ)
    json_logs.set_up(settings)
    database = open_database(settings.database, may_make=False)
    if settings.read_database:
        database.read_from(settings.read_database)
    return App(
        database,
        settings,
        limits=Path(os.environ[LIMITS]),
        pulls=Path(os.environ[PULLS]),
        extend=extend,
        logs_requests=True,
        counts=Path(os.environ[COUNTS]),
    )

"""Fixtures of the journeys: the world of `tests.sso` on its own port, and a person with a browser."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
import uvicorn

from tests.sso import Browser, World


@pytest.fixture(scope="module")
def sso_server(sso_world: World) -> Iterator[str]:
    """The world's server on a port of its own; gives its address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        base = f"http://127.0.0.1:{listening.getsockname()[1]}"
        app = sso_world.app(public_url=base)
        running = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off", ws="none"))
        thread = threading.Thread(target=running.run, args=([listening],), daemon=True)
        thread.start()
        while not running.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.01)
        yield base
        running.should_exit = True
        thread.join(10)


@pytest.fixture
def person(sso_world: World, sso_server: str) -> Iterator[Browser]:
    """A browser of a person, who opens real addresses."""
    with httpx.Client(base_url=sso_server) as client:
        yield Browser(client, sso_world)

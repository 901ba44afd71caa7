"""The browser of a rehearsal, which reads pages of any size, and opens only http and https."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson
import pytest

from rollbook.demo.visitor import Browser
from rollbook.errors import Refused

# More than a page of 1,000 users has.
BIG = ["x" * 1000] * 3000


class Site(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(302 if self.path == "/away" else 200)
        self.send_header("Location", "app://open?code=1")
        self.end_headers()
        self.wfile.write(orjson.dumps(BIG))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base class
        pass


@pytest.fixture
def site() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_page_of_any_size_is_read_whole(site: str) -> None:
    assert Browser().ask(f"{site}/big").json() == BIG


@pytest.mark.parametrize("address", ["app://open?code=1", "nowhere", "http://127.0.0.1:port/"])
def test_an_address_that_no_browser_opens_is_refused(address: str) -> None:
    with pytest.raises(Refused, match="cannot be opened: it is no http or https address") as refused:
        Browser().ask(address)
    assert "code=" not in str(refused.value)


def test_a_redirect_to_another_program_is_shown_and_not_opened(site: str) -> None:
    page = Browser().ask(f"{site}/away")
    assert (page.status, page.location) == (302, "app://open?code=1")

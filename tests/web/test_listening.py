"""The addresses on which a server listens: those of its host that the machine has."""

from __future__ import annotations

import errno
import socket
import threading
from contextlib import closing
from typing import Any

import pytest

from rollbook.errors import BadSetting
from rollbook.settings import Settings
from rollbook.web import server
from rollbook.web.http import listening
from tests.web.wire import PATIENCE_SECONDS

# No machine has this address: it is reserved for examples (RFC 3849).
ELSEWHERE = "2001:db8::1"


def named(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> Settings:
    """Settings of a host that has these addresses, and any free port."""
    found = [
        (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, 0))
        for one in addresses
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    return Settings(host="host.example", port=0)


def without_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel without IPv6."""
    real = socket.socket

    def make(family: int = -1, *given: Any, **more: Any) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return real(family, *given, **more)

    monkeypatch.setattr(socket, "socket", make)


@pytest.mark.parametrize("addresses", [(ELSEWHERE, "127.0.0.1"), ("127.0.0.1", ELSEWHERE)])
def test_an_address_that_the_machine_does_not_have_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, addresses: tuple[str, ...]
) -> None:
    opened = listening.listen(named(monkeypatch, *addresses))
    assert [one.getsockname()[0] for one in opened] == ["127.0.0.1"]
    for one in opened:
        one.close()


def test_without_ipv6_all_addresses_are_those_of_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    without_ipv6(monkeypatch)
    [opened] = listening.listen(Settings(host="::", port=0))
    with closing(opened):
        assert opened.getsockname()[0] == "0.0.0.0"


def test_a_host_of_which_the_machine_has_no_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadSetting, match=f"^port 0 on {ELSEWHERE} cannot be used: "):
        listening.listen(named(monkeypatch, ELSEWHERE))
    without_ipv6(monkeypatch)
    with pytest.raises(
        BadSetting, match=f"^port 0 on {ELSEWHERE} cannot be used: Address family not supported by protocol; "
    ):
        listening.listen(named(monkeypatch, ELSEWHERE))


def test_a_port_that_is_taken_on_one_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.2", 0)) as taken:
        port = taken.getsockname()[1]
        named(monkeypatch, "127.0.0.1", "127.0.0.2")
        with pytest.raises(BadSetting, match=f"^port {port} on 127.0.0.2 cannot be used: "):
            listening.listen(Settings(host="host.example", port=port))


def test_a_server_is_ready_once_one_of_its_addresses_answers() -> None:
    ready = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as answering:
        settings = Settings(host="::", port=answering.getsockname()[1])
        threading.Thread(target=server._wait_until_ready, args=(settings, ready.set), daemon=True).start()
        assert ready.wait(PATIENCE_SECONDS)

"""Districts' sign-in services that are slow, large, broken or hostile: over real sockets, refused with a
reason."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from ipaddress import ip_address
from typing import Any

import pytest
from httpcore import ConnectError, ConnectTimeout

from rollbook import settings as setting_rows
from rollbook import urls
from rollbook.auth import services
from rollbook.auth.services import Services
from rollbook.errors import BadSetting, SignInStopped
from rollbook.outgoing import Caller
from rollbook.store.accounts.credentials import Provider
from tests.auth.hostile import Hostile, Send, drip, hostile, ok

DESCRIPTION = "/.well-known/openid-configuration"


@pytest.fixture
def service() -> Iterator[Hostile]:
    with hostile() as made:
        yield made


def provider(issuer: str) -> Provider:
    return Provider(1, "District Login", issuer, "rollbook", "", trusts_email=False, domain="")


def described(service: Hostile, **more: Any) -> bytes:
    names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    return ok(
        json.dumps(
            {"issuer": service.address, **{name: f"{service.address}/{name}" for name in names}, **more}
        ).encode()
    )


def refusal(service: Hostile, asking: Services | None = None) -> str:
    with pytest.raises(SignInStopped) as caught:
        (asking or Services()).metadata(provider(service.address))
    return str(caught.value)


# --- time and size


SLOW: dict[str, bytes | Send] = {
    "headers": drip(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"),
    "one header": drip(b"HTTP/1.1 200 OK\r\nx: ", b"y"),
    "nothing": drip(b"", b""),
    "informational answers": drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "body": drip(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n{", b" "),
    "chunks": drip(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "gzip": drip(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n" + gzip.compress(b"")[:10], b"\x00"),
}


@pytest.mark.parametrize("what", SLOW)
def test_an_answer_that_drips_ends_at_the_deadline(
    service: Hostile, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(services, "ANSWER_SECONDS", 0.5)
    service.answers[DESCRIPTION] = SLOW[what]
    assert "does not answer" in refusal(service)


def _flood(line: socket.socket) -> None:
    line.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        line.sendall(b" " * 65_536)


LARGE: dict[str, bytes | Send] = {
    "body": ok(b'{"x":"' + b"y" * 600_000 + b'"}'),
    "body without end": _flood,
    "gzip": ok(gzip.compress(b" " * 600_000), "content-encoding: gzip"),
    "gzip of fifty megabytes": ok(gzip.compress(b"\0" * 50_000_000), "content-encoding: gzip"),
}


@pytest.mark.parametrize("what", LARGE)
def test_an_answer_that_is_too_large_is_refused_before_it_is_held(service: Hostile, what: str) -> None:
    service.answers[DESCRIPTION] = LARGE[what]
    assert "answers with more than 524,288 bytes" in refusal(service)


BROKEN = {
    "nothing": b"",
    "no HTTP": b"hello\r\n\r\n",
    "cut": b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{",
    "no JSON": ok(b"<html>"),
    "nested without end": ok(b'{"x":' + b"[" * 200_000 + b"]" * 200_000 + b"}"),
    "objects nested without end": ok(b'{"x":' * 80_000 + b"1" + b"}" * 80_000),
    "a list": ok(b"[]"),
    "a redirect": b"HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 2\r\n\r\n{}",
    "an error": b"HTTP/1.1 500 Oops\r\ncontent-length: 2\r\n\r\n{}",
    "no gzip": ok(b"{}", "content-encoding: gzip"),
    "gzip that ends early": ok(gzip.compress(b"{}")[:-9], "content-encoding: gzip"),
    "another encoding": ok(b"{}", "content-encoding: br"),
    "gzip of gzip": ok(gzip.compress(gzip.compress(b"{}")), "content-encoding: gzip, gzip"),
    "a number without end": ok(b'{"x":' + b"9" * 100_000 + b"}"),
    "letters that are none": ok(b'{"issuer":"\\ud800"}'),
}


@pytest.mark.parametrize("what", BROKEN)
def test_an_answer_that_is_broken_is_refused_in_words(service: Hostile, what: str) -> None:
    service.answers[DESCRIPTION] = BROKEN[what]
    message = refusal(service)
    assert "as it should" in message or "names another issuer" in message
    assert service.asked == [DESCRIPTION]


def test_a_code_is_sent_as_a_form(service: Hostile) -> None:
    service.answers[DESCRIPTION] = described(service)
    service.answers["/token_endpoint"] = ok(b'{"id_token": "x.y.z"}')
    assert Services().exchange(provider(service.address), {"code": "c"}) == {"id_token": "x.y.z"}
    assert service.asked == [DESCRIPTION, "/token_endpoint"]


def test_a_gzip_answer_is_read(service: Hostile) -> None:
    text = described(service).partition(b"\r\n\r\n")[2]
    service.answers[DESCRIPTION] = ok(gzip.compress(text), "content-encoding: gzip")
    assert Services().metadata(provider(service.address))["issuer"] == service.address


@pytest.mark.parametrize("places", [services.TURNS, services.TURNS + 1], ids=["full", "waiting"])
def test_one_slow_service_holds_up_no_other(
    service: Hostile, monkeypatch: pytest.MonkeyPatch, places: int
) -> None:
    arrived, release = threading.Semaphore(0), threading.Event()

    def wait(line: socket.socket) -> None:
        arrived.release()
        release.wait(60)
        line.sendall(described(service))

    service.answers[DESCRIPTION] = wait
    monkeypatch.setattr(services, "PLACES", places)
    asking = Services()
    waiting = [
        threading.Thread(target=lambda: asking.metadata(provider(service.address)))
        for _ in range(services.TURNS)
    ]
    for one in waiting:
        one.start()
    for _ in waiting:
        arrived.acquire()
    try:
        with monkeypatch.context() as impatient:
            impatient.setattr(services, "ANSWER_SECONDS", 0.1)
            assert "is slow, and many people are waiting for it" in refusal(service, asking)
        with hostile() as other:
            other.answers[DESCRIPTION] = described(other)
            assert asking.metadata(provider(other.address))["issuer"] == other.address
    finally:
        release.set()
        for one in waiting:
            one.join()
    assert asking.metadata(provider(service.address))["issuer"] == service.address


def test_a_service_that_names_ever_new_addresses_of_its_keys_fills_nothing(service: Hostile) -> None:
    now = [0.0]
    asking = Services(clock=lambda: now[0])
    for number in range(5):
        service.answers[DESCRIPTION] = described(service, jwks_uri=f"{service.address}/keys/{number}")
        service.answers[f"/keys/{number}"] = ok(b'{"keys":[]}')
        with pytest.raises(SignInStopped, match="whose signature cannot be verified"):
            asking.claims(provider(service.address), "x.y.z", "nonce")
        now[0] += services.REMEMBERED_SECONDS + 1
    assert sorted(asking._known[service.address]) == ["description", "keys"]


# --- inner addresses


INNER = (
    *(
        "127.0.0.1",
        "127.8.9.1",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
    ),
    *(
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
    ),
    *(
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd00:ec2::254",
        "fec0::1",
        "ff02::1",
        "::ffff:127.0.0.1",
    ),
    *(
        "::ffff:169.254.169.254",
        "::7f00:1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::a00:1",
    ),
    "2001:0:4136:e378:8000:63bf:80ff:fffe",  # Teredo of 127.0.0.1
)
OUTER = (
    "8.8.8.8",
    "1.1.1.1",
    "93.184.216.34",
    "2606:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::1",
)


@pytest.mark.parametrize("address", INNER)
def test_inner_addresses_are_known_in_every_form(address: str) -> None:
    assert urls.is_inner(ip_address(address))


@pytest.mark.parametrize("address", OUTER)
def test_outer_addresses_are_not_inner(address: str) -> None:
    assert not urls.is_inner(ip_address(address))


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """The addresses of names, in place of a name server: each look-up takes the next address, and the last
    one stays."""
    known: dict[str, list[str]] = {}

    def look_up(host: str, port: int, **_: Any) -> list[Any]:
        left = known.get(host, [host])
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (left.pop(0) if len(left) > 1 else left[0], port))
        ]

    monkeypatch.setattr("rollbook.outgoing.socket.getaddrinfo", look_up)
    return known


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses to which connections were made; no server listens there."""
    made: list[str] = []

    def connect(_: object, address: str, *__: Any) -> None:
        made.append(address)
        raise ConnectError("nobody")

    monkeypatch.setattr("rollbook.outgoing.httpcore.SyncBackend.connect_tcp", connect)
    return made


def test_a_name_server_that_does_not_answer_is_waited_for_until_the_deadline(
    monkeypatch: pytest.MonkeyPatch, connected: list[str]
) -> None:
    answered = threading.Event()

    def look_up(*_: Any, **__: Any) -> list[Any]:
        answered.wait(30)
        answered.set()
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 443))]

    monkeypatch.setattr("rollbook.outgoing.socket.getaddrinfo", look_up)
    with (
        closing(Caller("https://slow.example")) as caller,
        pytest.raises(ConnectTimeout, match="the look-up of its name"),
    ):
        caller.ask("GET", "https://slow.example/", seconds=0.2, bytes_max=1000)
    assert not answered.is_set()
    assert connected == []
    answered.set()


@pytest.mark.parametrize("leads_to", INNER)
def test_an_endpoint_inside_this_servers_network_is_not_asked(
    names: dict[str, list[str]], connected: list[str], leads_to: str
) -> None:
    names["inside.example"] = [leads_to]
    for issuer in ("https://login.example", "https://8.8.8.8"):
        with pytest.raises(
            SignInStopped, match=r"names an address inside this server's network, inside\.example"
        ):
            Services()._ask(provider(issuer), "GET", "https://inside.example/keys")
    assert connected == []


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "169.254.169.254", "[::1]", "[::ffff:10.0.0.1]", "2130706433", "0x7f.1"]
)
def test_a_literal_inner_address_is_not_asked(connected: list[str], host: str) -> None:
    with pytest.raises(SignInStopped, match="inside this server's network"):
        Services()._ask(provider("https://login.example"), "GET", f"https://{host}/keys")
    assert connected == []


def test_a_test_of_a_service_asks_no_inner_address(names: dict[str, list[str]], connected: list[str]) -> None:
    names["inside.example"] = ["10.0.0.1"]
    with pytest.raises(SignInStopped, match="is inside this server's network, at inside"):
        Services().probe(provider("https://login.example"), "https://inside.example/keys")
    assert connected == []


def test_the_address_that_was_checked_is_the_one_connected_to(
    names: dict[str, list[str]], connected: list[str]
) -> None:
    names["moves.example"] = ["93.184.216.34", "127.0.0.1"]
    with pytest.raises(SignInStopped, match="does not answer"):
        Services()._ask(provider("https://login.example"), "GET", "https://moves.example/keys")
    assert connected == ["93.184.216.34"]


OWN = {
    "https://login.school.example": {
        "10.1.2.3": True,
        "fd12::1": True,
        "127.0.0.1": False,
        "169.254.169.254": False,
    },
    "http://localhost:9000": {"127.0.0.1": True, "::1": True},
    "https://10.1.2.3": {"10.1.2.3": True},
    "https://169.254.1.1": {"169.254.1.1": True},
}


@pytest.mark.parametrize("issuer", OWN)
def test_a_service_that_is_inside_is_asked_at_its_own_host_alone(
    names: dict[str, list[str]], connected: list[str], issuer: str
) -> None:
    host = issuer.partition("//")[2].partition(":")[0]
    for address, is_asked in OWN[issuer].items():
        names[host] = [address]
        names["other.example"] = [address]
        connected.clear()
        with pytest.raises(SignInStopped) as caught:
            Services()._ask(provider(issuer), "GET", f"{issuer}/keys")
        assert (address, connected, "inside" in str(caught.value)) == (
            address,
            [address] if is_asked else [],
            not is_asked,
        )
        with pytest.raises(SignInStopped, match="inside this server's network"):
            Services()._ask(provider(issuer), "GET", "https://other.example/keys")


def test_an_operator_allows_inner_networks(names: dict[str, list[str]], connected: list[str]) -> None:
    names["keys.example"] = ["10.1.2.3"]
    for text, is_asked in {
        "10.1.0.0/16": True,
        "10.2.0.0/16, 10.1.2.3": True,
        "10.2.0.0/16": False,
        "fc00::/7": False,
    }.items():
        connected.clear()
        asking = Services(urls.networks(text))
        with pytest.raises(SignInStopped):
            asking._ask(provider("https://login.example"), "GET", "https://keys.example/keys")
        assert (text, connected) == (text, ["10.1.2.3"] if is_asked else [])
    assert (
        setting_rows.read({"ROLLBOOK_SIGNIN_NETWORKS": "10.1.0.0/16,fc00::/7"}).signin_networks
        == "10.1.0.0/16,fc00::/7"
    )
    with pytest.raises(BadSetting, match=r"^signin_networks: expected networks such as"):
        setting_rows.read({"ROLLBOOK_SIGNIN_NETWORKS": "10.1.2.3/16"})


def test_behind_a_proxy_inner_names_are_refused_as_well(
    names: dict[str, list[str]], connected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:p%40ss@10.9.9.9:3128")
    names["inside.example"] = ["127.0.0.1"]
    with pytest.raises(SignInStopped, match="inside this server's network"):
        Services()._ask(provider("https://login.example"), "GET", "https://inside.example/keys")
    assert connected == []
    with pytest.raises(SignInStopped, match="does not answer"):
        Services()._ask(provider("https://login.example"), "GET", "https://93.184.216.34/keys")
    assert connected == ["10.9.9.9"]


def test_endpoints_of_a_service_with_https_have_https() -> None:
    for address in (
        "http://localhost/token",
        "http://127.0.0.1/token",
        "http://login.example/token",
        "ftp://a",
        "",
        "https://",
    ):
        with pytest.raises(SignInStopped, match="names no safe token_endpoint"):
            services.endpoint(
                {"token_endpoint": address}, "token_endpoint", provider("https://login.example")
            )

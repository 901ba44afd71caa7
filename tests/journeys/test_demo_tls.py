"""`rollbook demo --tls`: the demo under the API's original host names, as real TLS clients reach it."""

from __future__ import annotations

import json
import os
import socket
import ssl
import stat
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from playwright.sync_api import Error, expect, sync_playwright

from rollbook.contract.clever.versions import HOSTS
from rollbook.demo import demo_folder, local_authority
from tests import machine
from tests.journeys import program, trusting
from tests.web import chromium

# What runs a client of the printed lines, and the package that has it.
PACKAGES = {
    "curl": ("curl", "curl"),
    "Node": ("node", "nodejs"),
    "Ruby": ("ruby", "ruby"),
    "Go": ("go", "golang-go"),
    "PHP": ("php", "php-cli"),
    "Java": ("keytool", "default-jdk-headless"),
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("tls")
    options = ("demo", "--students", "60", "--tls", "--json")
    with program.serving(*options, folder=folder, wait=False) as server:
        yield json.loads(server.printed_line("{")) | {"folder": folder / "rollbook-demo"}


def port_of(told: dict[str, Any]) -> int:
    return int(told["base_url"].rpartition(":")[2])


def test_addresses_are_those_of_the_original_names(told: dict[str, Any]) -> None:
    port = port_of(told)
    assert told["base_url"] == f"https://clever.com:{port}"
    assert told["tls"]["api_base"] == f"https://api.clever.com:{port}"
    assert told["tls"]["hosts_line"] == "127.0.0.1 clever.com api.clever.com"
    assert told["control"]["advance"] == f"https://clever.com:{port}/demo/advance"
    assert {"curl", "Node", "Java", "Go", "PHP", "Ruby", "Python requests"} <= {*told["tls"]["trust"]}


@pytest.mark.needs("curl", package="curl")
@pytest.mark.parametrize("host", HOSTS)
def test_curl_trusts_it_by_the_authority_alone(told: dict[str, Any], host: str) -> None:
    port = port_of(told)
    line = ["curl", "-sS", "--resolve", f"{host}:{port}:127.0.0.1", "-H", "Authorization: Bearer TEST_TOKEN"]
    address = f"https://{host}:{port}/v3.0/districts"
    done = subprocess.run(
        [*line, "--cacert", told["tls"]["authority"], address], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["data"][0]["data"]["portal_url"].startswith(f"{told['base_url']}/in/")
    refused = subprocess.run([*line, address], capture_output=True, text=True, check=False)
    assert (refused.returncode, refused.stdout) == (60, "")


@pytest.mark.parametrize("client", trusting.PROGRAMS)
def test_a_client_trusts_it_by_the_printed_line_alone(
    told: dict[str, Any], tmp_path: Path, client: str
) -> None:
    program_, package = PACKAGES.get(client, ("", ""))
    if program_:
        machine.need(program_, package=package)
    url = f"https://api.clever.com:{port_of(told)}/v3.0/districts"
    assert trusting.ask(client, "", url, tmp_path).stdout.strip() in ("", "000")
    done = trusting.ask(client, told["tls"]["trust"][client], url, tmp_path)
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["200"]), done.stderr


@pytest.mark.browser
@pytest.mark.needs("certutil", package="libnss3-tools")
def test_chromium_trusts_it_by_the_printed_line_alone(told: dict[str, Any], tmp_path: Path) -> None:
    if chromium.CHROMIUM is None:
        machine.lacks("no chromium on this machine: apt install chromium")
    store = tmp_path / ".pki" / "nssdb"
    home: dict[str, Any] = {**os.environ, "HOME": str(tmp_path)}
    store.mkdir(parents=True)
    subprocess.run(["certutil", "-N", "-d", f"sql:{store}", "--empty-password"], check=True)
    address = f"https://clever.com:{port_of(told)}/"
    mapped = [*chromium.ARGUMENTS, "--host-resolver-rules=MAP clever.com 127.0.0.1"]
    for line, is_trusted in (("true", False), (told["tls"]["trust"]["Chromium on Linux"], True)):
        subprocess.run(["sh", "-c", line], env=home, check=True)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium.CHROMIUM, args=mapped, env=home)
            page = browser.new_page()
            if is_trusted:
                page.goto(address)
                expect(page.get_by_role("heading", level=1)).to_be_visible()
            else:
                with pytest.raises(Error, match="ERR_CERT_AUTHORITY_INVALID"):
                    page.goto(address)
            browser.close()


def test_every_printed_line_for_a_program_is_tried(told: dict[str, Any]) -> None:
    by_hand = {"Firefox", "Chromium on Linux", "macOS"}
    assert {*told["tls"]["trust"]} == {*trusting.PROGRAMS, *by_hand}


def test_a_demo_under_tls_is_rehearsed_and_put_back(told: dict[str, Any]) -> None:
    folder = told["folder"].parent
    state = ssl_get(told, "/demo")
    done = program.run(
        "rehearse", "Demo application", "--sync", "true", "--callback", "-", "--json", folder=folder
    )
    failed = {point["name"] for point in json.loads(done.stdout)["points"] if point["state"] == "failed"}
    assert (done.returncode, failed) == (1, {"school", "deleted"}), done.stderr
    assert ssl_get(told, "/demo") == state


def ssl_get(told: dict[str, Any], path: str) -> Any:
    context = ssl.create_default_context(cafile=told["tls"]["authority"])
    with (
        socket.create_connection(("127.0.0.1", port_of(told))) as raw,
        context.wrap_socket(raw, server_hostname="clever.com") as connection,
    ):
        connection.sendall(
            b"GET %s HTTP/1.1\r\nHost: clever.com\r\nConnection: close\r\nAuthorization: Bearer TEST_TOKEN\r\n"
            b"Accept: application/json\r\n\r\n" % path.encode()
        )
        answer = b""
        while part := connection.recv(65_536):
            answer += part
    return json.loads(answer.partition(b"\r\n\r\n")[2])


def test_python_reads_pages_and_a_request_by_no_book_gets_its_answer(told: dict[str, Any]) -> None:
    context = ssl.create_default_context(cafile=told["tls"]["authority"])
    for request, status in (
        (b"GET /v3.0/me HTTP/1.1\r\nHost: api.clever.com\r\nConnection: close\r\n\r\n", b"HTTP/1.1 401"),
        (b"GET /v3.0/me HTTP/1.1\r\n\r\n", b"HTTP/1.1 400"),
    ):
        with (
            socket.create_connection(("127.0.0.1", port_of(told))) as raw,
            context.wrap_socket(raw, server_hostname="api.clever.com") as connection,
        ):
            connection.sendall(request)
            assert connection.recv(4096).startswith(status)


def test_only_the_owner_reads_the_key_and_no_key_of_the_authority_is_kept(told: dict[str, Any]) -> None:
    place = told["folder"] / demo_folder.TLS
    assert {path.name for path in place.iterdir()} - {"rollbook.p12"} == {"ca.pem", "host.key", "host.pem"}
    assert stat.S_IMODE((place / "host.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(place.stat().st_mode) == 0o700


def test_a_fresh_start_keeps_the_certificate_that_clients_trust(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    demo_folder.begin(folder)
    files = local_authority.ready(folder)
    before = files.authority.read_bytes()
    demo_folder.clear(folder)
    demo_folder.begin(folder)
    assert local_authority.ready(folder).authority.read_bytes() == before
    files.key.unlink()
    assert local_authority.ready(folder).authority.read_bytes() != before


@pytest.mark.parametrize(("host", "is_trusted"), [("api.clever.com", True), ("example.org", False)])
def test_the_authority_can_speak_for_these_names_only(tmp_path: Path, host: str, is_trusted: bool) -> None:
    authority, key = local_authority.new_authority(), ec.generate_private_key(ec.SECP256R1())
    signed = local_authority.certificate(authority, key.public_key(), (host,))
    pem = serialization.Encoding.PEM
    (tmp_path / "ca.pem").write_bytes(authority.certificate.public_bytes(pem))
    (tmp_path / "host.pem").write_bytes(
        signed.public_bytes(pem)
        + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "host.pem")
    ours, theirs = socket.socketpair()

    def answer() -> None:
        with suppress(ssl.SSLError, OSError):
            server.wrap_socket(ours, server_side=True).close()

    answering = threading.Thread(target=answer)
    answering.start()
    client = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    try:
        client.wrap_socket(theirs, server_hostname=host).close()
        said = ""
    except ssl.SSLCertVerificationError as error:
        said = str(error)
    finally:
        theirs.close()
        answering.join()
        ours.close()
    assert (said == "", "permitted subtree violation" in said) == (is_trusted, not is_trusted)

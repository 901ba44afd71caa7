"""Unmodified clients of Debian's packages sign people in at a running server: Apache's module, and OmniAuth."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests import machine
from tests.journeys import program
from tests.journeys.node import Site
from tests.sso import Browser, Club, World

MODULES = Path("/usr/lib/apache2/modules")
APACHE = "apache2-bin libapache2-mod-auth-openidc"
# One site for each way to send the secret. A person who is signed in sees the page, and `info=json` tells who that is.
SITE = """
<VirtualHost 127.0.0.1:{port}>
    ServerName 127.0.0.1:{port}
    DocumentRoot {folder}
    OIDCProviderMetadataURL {server}/.well-known/openid-configuration
    OIDCClientID {club.client_id}
    OIDCClientSecret {club.secret}
    OIDCProviderTokenEndpointAuth {method}
    OIDCRedirectURI http://127.0.0.1:{port}/back
    OIDCCryptoPassphrase of-this-site
    OIDCScope "openid email profile"
    OIDCPKCEMethod S256
    OIDCInfoHook id_token userinfo
    <Location />
        AuthType openid-connect
        Require valid-user
    </Location>
    <Location /managers>
        AuthType openid-connect
        Require claim user_type:district_admin
    </Location>
</VirtualHost>
"""
CONF = """
ServerRoot {folder}
PidFile apache.pid
ErrorLog errors.txt
DefaultRuntimeDir {folder}
{modules}
{listens}
{sites}
"""
NEEDED = ("mpm_event", "authn_core", "authz_core", "authz_user", "auth_openidc")
METHODS = ("client_secret_basic", "client_secret_post")


@pytest.fixture(scope="module")
def apache(
    sso_world: World, sso_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, tuple[str, Club]]]:
    """The address and the application of an Apache site for each way to send the secret."""
    program_file = Path("/usr/sbin/apache2")
    if not (program_file.exists() and (MODULES / "mod_auth_openidc.so").exists()):
        machine.lacks(f"no Apache with mod_auth_openidc on this machine: apt install {APACHE}")
    folder = tmp_path_factory.mktemp("apache")
    for name in ("index.html", "managers"):
        (folder / name).write_text("the page")
    ports = {method: program.free_port() for method in METHODS}
    clubs = {
        method: sso_world.club(f"apache {method} {sso_server}", f"http://127.0.0.1:{port}/back")
        for method, port in ports.items()
    }
    sites = [
        SITE.format(port=ports[method], folder=folder, server=sso_server, club=clubs[method], method=method)
        for method in METHODS
    ]
    (folder / "site.conf").write_text(
        CONF.format(
            folder=folder,
            modules="\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in NEEDED),
            listens="\n".join(f"Listen 127.0.0.1:{port}" for port in ports.values()),
            sites="\n".join(sites),
        )
    )
    command = [str(program_file), "-X", "-f", str(folder / "site.conf")]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        for port in ports.values():
            _wait_for(port, running)
        yield {method: (f"http://127.0.0.1:{port}", clubs[method]) for method, port in ports.items()}
    finally:
        running.terminate()
        running.communicate()


def _wait_for(port: int, running: subprocess.Popen[str]) -> None:
    end = time.monotonic() + program.TIMEOUT_SECONDS
    while time.monotonic() < end:
        assert running.poll() is None, running.stderr and running.stderr.read()
        try:
            httpx.get(f"http://127.0.0.1:{port}/")
        except httpx.TransportError:
            time.sleep(0.02)
        else:
            return
    pytest.fail("Apache did not start")


@pytest.mark.parametrize("method", METHODS)
def test_a_page_behind_apache_opens_after_a_login(
    sso_world: World, person: Browser, apache: dict[str, tuple[str, Club]], method: str
) -> None:
    base, club = apache[method]
    with httpx.Client(base_url=base) as window:
        begun = window.get("/managers").headers["location"]
        returned = window.get(person.log_in(begun, "gil"))
        assert (returned.status_code, returned.headers["location"]) == (302, f"{base}/managers")
        assert window.get("/managers").text == "the page"
        known = window.get("/back?info=json").json()

    asked = parse_qs(urlsplit(begun).query)
    assert (asked["code_challenge_method"], asked["scope"]) == (["S256"], ["openid email profile"])
    who = {"aud": club.client_id, "sub": sso_world.ids["gil"], "nonce": asked["nonce"][0]}
    assert {name: known["id_token"][name] for name in who} == who
    assert (known["userinfo"]["sub"], known["userinfo"]["email"]) == (who["sub"], "gil@example.org")


def test_apache_refuses_a_page_to_a_role_and_a_login_whose_state_was_changed(
    person: Browser, apache: dict[str, tuple[str, Club]]
) -> None:
    base, _ = apache["client_secret_basic"]
    with httpx.Client(base_url=base) as window:
        arrived = person.log_in(window.get("/index.html").headers["location"], "lund")
        forged = window.get(arrived.replace("state=", "state=x"))
        assert (forged.status_code, window.get("/index.html").status_code) == (400, 302)
        again = person.get(window.get("/index.html").headers["location"])  # still signed in at the server
        assert window.get(again.headers["location"]).status_code == 302
        assert (window.get("/index.html").text, window.get("/managers").status_code) == ("the page", 401)


# --- OmniAuth

RUBY_FOLDER = Path(__file__).parents[1] / "ruby"
BACK = "http://site.example/auth/rollbook/callback"


@contextmanager
def omniauth(club: Club, server: str, method: str = "basic") -> Iterator[Site]:
    machine.need("ruby", package="ruby-omniauth-openid-connect")
    has_strategy = ["ruby", "-e", "require 'omniauth'; require 'omniauth_openid_connect'"]
    if subprocess.run(has_strategy, capture_output=True, check=False).returncode:
        machine.lacks("no OmniAuth on this machine: apt install ruby-omniauth-openid-connect")
    given = {"SERVER": server, "REDIRECT_URI": BACK, "METHOD": method}
    settings = {**given, "CLIENT_ID": club.client_id, "CLIENT_SECRET": club.secret}
    running = subprocess.Popen(
        ["ruby", "omniauth_site.rb"],
        cwd=RUBY_FOLDER,
        env=os.environ | settings,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert running.stdout
    with running, running.stdout:
        try:
            base = running.stdout.readline().strip()
            assert base, "the site did not start"
            with httpx.Client(base_url=base, timeout=program.TIMEOUT_SECONDS) as client:
                yield Site(client)
        finally:
            running.terminate()


@pytest.fixture(scope="module")
def rails_club(sso_world: World, sso_server: str) -> Club:
    return sso_world.club(f"omniauth {sso_server}", BACK)


@pytest.mark.parametrize("method", ["basic", "other"], ids=METHODS)
def test_omniauth_logs_in_by_discovery_with_a_challenge(
    sso_world: World, sso_server: str, person: Browser, rails_club: Club, method: str
) -> None:
    with omniauth(rails_club, sso_server, method) as site:
        outcome: Any = site.callback(person.log_in(site.login(), "gil"))
    who = {"uid": outcome["uid"], "aud": outcome["claims"]["aud"], "iss": outcome["claims"]["iss"]}
    assert who == {"uid": sso_world.ids["gil"], "aud": rails_club.client_id, "iss": sso_server}
    assert (outcome["info"]["first_name"], outcome["info"]["email"]) == ("Gil", "gil@example.org")
    assert outcome["claims"]["user_type"] == "district_admin"


def test_omniauth_refuses_a_login_whose_state_was_changed(
    sso_server: str, person: Browser, rails_club: Club
) -> None:
    with omniauth(rails_club, sso_server) as site:
        outcome = site.callback(person.log_in(site.login(), "lund").replace("state=", "state=x"))
    assert outcome == {"refused": "csrf_detected", "reason": "csrf_detected | Invalid 'state' parameter"}

"""The API's original host names on this machine: their addresses, and how clients come to reach and to trust them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rollbook.contract.clever.versions import HOSTS

PORT = 443


@dataclass(frozen=True, slots=True)
class Files:
    """The files: the authority that clients must trust, the server's certificate and its key."""

    authority: Path
    certificate: Path
    key: Path


def addresses(port: int | None) -> dict[str, str]:
    """The addresses of the API's original host names, as settings."""
    where = "" if port in (None, PORT) else f":{port}"
    sign_in, api = (f"https://{host}{where}" for host in HOSTS)
    return {"issuer": sign_in, "api_base": api}


def reached_at(host: str, port: int) -> str:
    """`host:port` at which this machine reaches a server that listens on a host."""
    local = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"[{local}]:{port}" if ":" in local else f"{local}:{port}"


def hosts_line(host: str) -> str:
    """The line of the hosts file that leads the names to this machine."""
    return f"{'127.0.0.1' if host in ('', 'localhost', '0.0.0.0', '::') else host} {' '.join(HOSTS)}"  # noqa: S104


def trust(authority: Path) -> Mapping[str, str]:
    """How to make each runtime trust the authority, only for its own programs."""
    path = authority.absolute()
    store = path.with_name("rollbook.p12")
    return {
        "curl": f"curl --cacert {path} ...",
        "Python requests": f"REQUESTS_CA_BUNDLE={path}",
        "Python httpx, urllib": f"SSL_CERT_FILE={path}",
        "Node": f"NODE_EXTRA_CA_CERTS={path}",
        "Ruby": f"SSL_CERT_FILE={path}",
        "Go": f"SSL_CERT_FILE={path}",
        "PHP": f"php -d openssl.cafile={path} -d curl.cainfo={path} ...",
        "Java": (
            f"keytool -importcert -noprompt -alias rollbook -file {path} -keystore {store} -storepass changeit;"
            f" java -Djavax.net.ssl.trustStore={store} -Djavax.net.ssl.trustStorePassword=changeit ..."
        ),
        "Firefox": f"Settings, Privacy & Security, View Certificates, Authorities, Import: {path}",
        "Chromium on Linux": f"certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n rollbook -i {path}",
        "macOS": f"security add-trusted-cert -k ~/Library/Keychains/login.keychain-db {path}",
    }

"""The addresses on which a server listens. A command checks them before it loads the server."""

from __future__ import annotations

import errno
import socket

from rollbook.errors import BadSetting
from rollbook.settings import Settings

ANY_IPV4, ANY_IPV6 = "0.0.0.0", "::"  # noqa: S104 - it is the operator who asks for them
# A machine or container may list addresses of a family that it lacks: `localhost` is often ::1, too.
MISSING = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


def check_port(settings: Settings) -> None:
    """Check that the server can listen on the address. Errors: BadSetting."""
    for bound in listen(settings):
        bound.close()


def listen(settings: Settings) -> list[socket.socket]:
    """A socket for each address of the host that the machine has.

    Errors: BadSetting if there is none, or if one is in use.
    """
    opened: list[socket.socket] = []
    addresses = addresses_of(settings.host)
    for number, (family, host) in enumerate(addresses, 1):
        try:
            opened.append(_bound(family, host, settings.port))
        except OSError as error:
            if error.errno in MISSING and (opened or number < len(addresses)):
                continue
            for other in opened:
                other.close()
            reason = error.strerror or str(error)
            raise BadSetting(
                f"port {settings.port} on {host} cannot be used: {reason}; choose another one with --port"
            ) from None
    return opened


def _bound(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    """A socket at an address. Errors: OSError."""
    bound = socket.socket(family)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:  # otherwise IPv4 clients would have addresses of another form here
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind((host, port))
        bound.set_inheritable(True)
    except OSError:
        bound.close()
        raise
    return bound


def addresses_of(host: str) -> list[tuple[socket.AddressFamily, str]]:
    """The addresses to listen on, each with its family."""
    if host == ANY_IPV6:
        return [(socket.AF_INET6, host), (socket.AF_INET, ANY_IPV4)]
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        found = []
    if not host or not found:
        raise BadSetting(
            f"host: expected an address of this machine such as 127.0.0.1, ::1, 0.0.0.0 or ::, got {host!r}"
        )
    return list(dict.fromkeys((family, str(place[0])) for family, _, _, _, place in found))

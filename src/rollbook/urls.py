"""Web addresses that people type or programs send: whether they are valid, and whether secrets may be sent
there."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
# Characters with a meaning of their own where a host would stand: in a header, in a content policy, in a
# page.
_MISPLACED = frozenset(";,'\"<>\\`{}|^%")


def is_plain(address: str) -> bool:
    """Whether an address has only visible ASCII.

    Other characters must be written with `%` or, in hosts, as `xn--`.
    """
    return all(32 < ord(letter) < 127 for letter in address)


def parts(address: str) -> SplitResult | None:
    """The parts of an http or https address with a host; None for any other text."""
    try:
        found = urlsplit(address)
        is_whole = found.port != 0 and bool(found.hostname)
    except ValueError:  # a port without a number, or a bracket that is not closed
        return None
    if not (is_whole and is_plain(address) and found.scheme in ("http", "https")) or _MISPLACED & set(
        found.netloc
    ):
        return None
    return found


def is_safe(address: str) -> bool:
    """Whether nobody on the way can read what is sent there: https, or this machine."""
    found = parts(address)
    return found is not None and (found.scheme == "https" or found.hostname in LOCAL_HOSTS)


# Inner addresses ---------------------------------------------------------------------------------

# Addresses at which clouds give their machines secrets, some outside the ranges for inner networks.
_CLOUD = frozenset(
    map(ip_address, ("169.254.169.254", "168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254"))
)
_PRIVATE = tuple(
    map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"))
)
# IPv6 ranges that carry an IPv4 address in the last 32 bits: NAT64 (RFC 6052), local NAT64 (RFC 8215), the
# old `::a.b.c.d`.
_CARRIERS = tuple(map(IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "::/96")))


def is_inner(address: Address) -> bool:
    """Whether an address belongs to this machine, its network or its cloud, in any notation."""
    reached = as_reached(address)
    is_site_local = isinstance(reached, IPv6Address) and reached.is_site_local
    return (
        not reached.is_global
        or reached.is_multicast
        or reached.is_reserved
        or is_site_local
        or reached in _CLOUD
    )


def is_private(address: Address) -> bool:
    """Whether an inner address is in a school's or company's private network, not of this machine, its link
    or its cloud."""
    reached = as_reached(address)
    return reached not in _CLOUD and any(reached in network for network in _PRIVATE)


def as_reached(address: Address) -> Address:
    """The address at which a packet ends: an IPv6 address may carry an IPv4 one (mapped, 6to4, Teredo or
    NAT64)."""
    if isinstance(address, IPv4Address) or address in (IPv6Address("::"), IPv6Address("::1")):
        return address
    last = (
        IPv4Address(int(address) & 0xFFFFFFFF) if any(address in carrier for carrier in _CARRIERS) else None
    )
    return address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1] or last or address


def networks(text: str) -> tuple[Network, ...]:
    """Networks and addresses, separated by commas. Errors: ValueError."""
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())

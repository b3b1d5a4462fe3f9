"""Which addresses a tool may be connected to. Asked of the address itself, after a name was looked up.

address                                     a name leads there   ... of a tool with ``private``   written so in the URL
------------------------------------------  -------------------  -------------------------------  ---------------------
public                                      yes                  yes                              yes
private, loopback, shared (100.64/10), ULA  no                   yes                              yes
link-local (cloud metadata is there),       no                   no                               yes
multicast, unspecified, reserved, metadata
services in private ranges

An IPv6 address that only wraps an IPv4 one counts as that one. ``localhost`` counts as written out.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Final

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_PRIVATE: Final = tuple(
    map(
        ipaddress.ip_network,
        ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "100.64.0.0/10", "fc00::/7", "::1/128"),
    )
)  # fmt: skip
#: What no name may lead to, though it is in the ranges above, or ``ipaddress`` calls it global: site-local, the two
#: protocol ranges, 6to4's relay, documentation, and the metadata services of AWS and Alibaba.
_REFUSED: Final = tuple(
    map(
        ipaddress.ip_network,
        ("fec0::/10", "192.0.0.0/24", "192.88.99.0/24", "3fff::/20", "fd00:ec2::/32", "100.100.100.200/32"),
    )
)


def written_out(host: str) -> bool:
    """Whether ``host`` is an address, or ``localhost``: whoever wrote it knows where it leads."""
    if host.lower() == "localhost":
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def may_connect(address: str, *, host: str, private: bool) -> bool:
    """Whether a tool of ``host`` may be connected to ``address``. ``private``: what the tool declares."""
    try:
        found = _unwrapped(ipaddress.ip_address(address.partition("%")[0]))
    except ValueError:
        return False
    if written_out(host):
        return host.lower() != "localhost" or found.is_loopback
    if _in(found, _REFUSED):
        return False
    if _in(found, _PRIVATE):
        return private
    return found.is_global and not found.is_multicast and not found.is_reserved


def _in(address: _Address, networks: Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    return any(address in network for network in networks if network.version == address.version)


def _unwrapped(address: _Address) -> _Address:
    if isinstance(address, ipaddress.IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and address in _NAT64:
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if inner is None and int(address) >> 32 == 0 and int(address) > 1:  # the deprecated ::a.b.c.d
        inner = ipaddress.IPv4Address(int(address))
    return address if inner is None else inner

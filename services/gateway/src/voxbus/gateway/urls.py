"""What Twilio calls us: every URL that we hand out or that a signature is made of."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class Origin:
    """Where we are reached from outside. ``host`` may have a port; ``prefix`` is a path before ours, or empty."""

    secure: bool
    host: str
    prefix: str = ""

    def http(self, path: str) -> str:
        return f"{'https' if self.secure else 'http'}://{self.host}{self.prefix}{path}"

    def socket(self, path: str) -> str:
        """Twilio takes ``wss`` only; ``ws`` is for a simulator on this machine."""
        scheme = "ws" if not self.secure and is_loopback(self.host) else "wss"
        return f"{scheme}://{self.host}{self.prefix}{path}"


def headers_of(lines: Iterable[tuple[str, str]]) -> dict[str, str]:
    """By name in lower case. What is repeated is one list (RFC 9110, 5.3): a proxy may add its word to the stranger's
    line or below it, and a secret that comes twice is none.
    """
    headers: dict[str, str] = {}
    for name, value in lines:
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers


def client_of(headers: Mapping[str, str], peer: str, trusted: tuple[Network, ...]) -> str:
    """Whose request it is: ``peer``, or, of the addresses that trusted proxies report, the last one that is no proxy's.

    Empty when a proxy names nobody. Names in ``headers`` are lower case. What comes before an address that we do not
    trust was written by that one, and proves nothing.
    """
    if not is_in(peer, trusted):
        return peer
    for reported in reversed(headers.get("x-forwarded-for", "").split(",")):
        address = _without_port(reported.strip())
        if address and not is_in(address, trusted):
            return address
    return ""


def _without_port(address: str) -> str:
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address


def networks(text: str) -> tuple[Network, ...]:
    """Addresses and CIDR ranges, separated by commas. Raises ValueError."""
    return tuple(ipaddress.ip_network(one.strip(), strict=False) for one in text.split(",") if one.strip())


def origin_of(public_url: str) -> Origin:
    """Raises ValueError for what is no plain http(s) URL."""
    parts = urlsplit(public_url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("expected https://HOST, without a query")
    return Origin(parts.scheme == "https", parts.netloc, parts.path.rstrip("/"))


def origin_from_headers(headers: Mapping[str, str], peer: str, trusted: Iterable[Network]) -> Origin | None:
    """From ``Host``, or from the forwarded headers when ``peer`` is a trusted proxy. None when there is no host.

    Names in ``headers`` are lower case. Lying here gains nothing: the signature covers the URL.
    """
    host, secure = headers.get("host", ""), False
    if is_in(peer, trusted):
        # Of a list the first is what the outermost proxy was asked for.
        host = headers.get("x-forwarded-host", host).split(",")[0].strip()
        secure = headers.get("x-forwarded-proto", "http").split(",")[0].strip() == "https"
    if not host or any(c in host for c in "/?#@\\ \"'<>&"):
        return None
    return Origin(secure, host)


def handshake_urls(origin: Origin, path: str) -> list[str]:
    """Every form in which Twilio may have signed the socket's URL.

    Which one it is, is not documented: with or without a slash at the end, with or without the port.
    """
    url = origin.socket(path)
    scheme = url.partition("://")[0]
    bare = origin.host.rpartition(":")[0] if _has_port(origin.host) else origin.host
    ports = [origin.host, bare, f"{bare}:443" if scheme == "wss" else f"{bare}:80"]
    rest = f"{origin.prefix}{path}"
    other = rest[:-1] if rest.endswith("/") else f"{rest}/"
    return list(dict.fromkeys(f"{scheme}://{host}{tail}" for tail in (rest, other) for host in ports))


def is_loopback(host: str) -> bool:
    """Whether ``host``, which may have a port, names the machine that asks."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or name.endswith(".localhost") or ipaddress.ip_address(name).is_loopback
    except ValueError:  # no address, and no host either: "[", as anybody may send it
        return False


def _has_port(host: str) -> bool:
    return host.rpartition("]")[2].rpartition(":")[1] == ":"


def is_in(peer: str, trusted: Iterable[Network]) -> bool:
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    return any(address in network for network in trusted)

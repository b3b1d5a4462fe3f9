"""Where a public URL really leads. Stands for the tunnel, reverse proxy or load balancer in front of the gateways."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

_PLAIN = {"https": "http", "wss": "ws", "http": "http", "ws": "ws"}


@dataclass(frozen=True)
class Address:
    """What to dial, and the headers that the proxy in between would add."""

    url: str
    headers: dict[str, str]


@dataclass(frozen=True)
class Route:
    """Requests for ``public_url`` go to the ``backends`` (``http://host:port``), the first that answers; all others go
    where they say."""

    public_url: str = ""
    backends: tuple[str, ...] = ()

    def addresses(self, url: str) -> tuple[Address, ...]:
        parts, public = urlsplit(url), urlsplit(self.public_url)
        if not self.backends or parts.netloc != public.netloc:
            return (Address(url, {}),)
        secure = parts.scheme in ("https", "wss")
        headers = {
            "X-Forwarded-Proto": "https" if secure else "http",
            "X-Forwarded-Host": parts.netloc,
            "X-Forwarded-For": "203.0.113.7",  # an address of RFC 5737: nobody's
        }
        return tuple(
            Address(
                urlunsplit((_PLAIN[parts.scheme], urlsplit(backend).netloc, parts.path, parts.query, "")),
                headers,
            )
            for backend in self.backends
        )

"""The files of the page, and the headers that keep it to itself."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from voxbus.common.look import base_css

PAGE: Final = "phone.html"

#: Nothing from elsewhere, nothing inline, no frame around it, and of the machine's devices the microphone only.
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=(), display-capture=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

_TYPES: Final = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


@dataclass(frozen=True)
class Asset:
    content: bytes
    media_type: str
    etag: str


def load() -> dict[str, Asset]:
    """Every file of the page by its name."""
    contents = {entry.name: entry.read_bytes() for entry in files(__package__).joinpath("assets").iterdir()}
    contents["base.css"] = base_css().encode()
    return {name: _asset(name, content) for name, content in contents.items()}


def _asset(name: str, content: bytes) -> Asset:
    media_type = _TYPES[name.rpartition(".")[2]]
    return Asset(content, f"{media_type}; charset=utf-8", f'"{hashlib.sha256(content).hexdigest()[:24]}"')

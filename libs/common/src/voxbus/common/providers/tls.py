"""One TLS context a process: reading the machine's certificates takes 20-40 ms, which no call should wait for."""

from __future__ import annotations

import functools
import ssl


@functools.cache
def context() -> ssl.SSLContext:
    return ssl.create_default_context()


def context_for(url: str) -> ssl.SSLContext | None:
    """None where the URL needs none."""
    return context() if url.startswith(("https:", "wss:")) else None

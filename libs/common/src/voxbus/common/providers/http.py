"""Requests to providers: one client for the life of a worker, no retries, bodies that stream back.

Nothing is retried here: on a phone the next provider is sooner than a second try, and a library that sleeps through a
``Retry-After`` is silence on the line.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import httpx

from voxbus.common.errors import ProviderError
from voxbus.common.providers.failing import OUTSIDE, as_failure
from voxbus.common.providers.failures import refusal
from voxbus.common.providers.tls import context

#: Longer than a caller thinks, so that the next turn finds the connection open.
_KEEP_ALIVE_S: Final = 120.0
#: An error's body is read up to here; the codes stand at its beginning.
_MAX_ERROR_BYTES: Final = 64_000
_WARM_S: Final = 5.0


def client(
    base_url: str, headers: Mapping[str, str] | None = None, *, connect_s: float = 3.0
) -> httpx.AsyncClient:
    """Only connecting has a limit here: deadlines of an answer are the caller's, who closes it."""
    return httpx.AsyncClient(
        base_url=base_url,
        headers=dict(headers or {}),
        timeout=httpx.Timeout(None, connect=connect_s),
        limits=httpx.Limits(max_connections=None, keepalive_expiry=_KEEP_ALIVE_S),
        verify=context(),  # for http, too: without it httpx makes one of its own
    )


@contextlib.asynccontextmanager
async def posted(http: httpx.AsyncClient, path: str, **what: Any) -> AsyncIterator[httpx.Response]:
    """A POST that was answered with success; its body is to be read inside. Raises ProviderError, there too."""
    try:
        async with http.stream("POST", path, **what) as response:
            if response.status_code != 200:
                raise refusal(await _beginning(response), response.status_code)
            yield response
    except OUTSIDE as error:
        raise as_failure(error) from None


async def warm(http: httpx.AsyncClient) -> None:
    """Opens a connection for whoever asks next. What is answered does not matter, nor whether."""
    with contextlib.suppress(httpx.HTTPError, OSError, ProviderError):
        await http.head("", timeout=_WARM_S)


async def _beginning(response: httpx.Response) -> bytes:
    data = b""
    async for chunk in response.aiter_bytes():
        data += chunk
        if len(data) > _MAX_ERROR_BYTES:
            break
    return data

"""Asks over HTTP what a tool wants to know: only the address that was looked at is connected to, nothing is followed,
and no answer is longer, or takes longer, than it may.

httpcore, and not httpx on top of it: it opens connections through a backend of ours, knows no redirects, no proxies of
the environment and no compressed bodies, and so does exactly what was checked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

import httpcore

from voxbus.common.providers.tls import context
from voxbus.common.tools.addresses import may_connect
from voxbus.common.tools.template import Request
from voxbus.llm.tools.core_outcome import Outcome, answered, failed
from voxbus.llm.tools.lookups import Lookups

_KEEP_ALIVE_S: Final = 60.0
_CONNECTIONS: Final = 100


class _NotAllowed(Exception):
    """The name leads only to addresses that may not be asked."""


class _Checked(httpcore.AsyncNetworkBackend):
    """Looks a name up, looks at what it leads to, and connects to that. Nobody looks it up a second time."""

    def __init__(self, lookups: Lookups, private: bool) -> None:
        self._inner = httpcore.AnyIOBackend()
        self._lookups = lookups
        self._private = private

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            addresses = await self._lookups.addresses(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(str(error)) from error
        allowed = [address for address in addresses if may_connect(address, host=host, private=self._private)]
        if not allowed:
            raise _NotAllowed
        for address in allowed[:-1]:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._inner.connect_tcp(allowed[-1], port, timeout, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class ToolClient:
    """One for the life of a worker. ``max_bytes``: of an answer."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        # A connection to a private address must not be found again by a tool that may not have one.
        self._lookups = Lookups()
        self._pools = {private: self._pool(private) for private in (False, True)}

    def _pool(self, private: bool) -> httpcore.AsyncConnectionPool:
        return httpcore.AsyncConnectionPool(
            ssl_context=context(),
            max_connections=_CONNECTIONS,
            keepalive_expiry=_KEEP_ALIVE_S,
            network_backend=_Checked(self._lookups, private),
        )

    async def ask(self, request: Request, key: str, *, private: bool, timeout_s: float) -> Outcome:
        """``key``: the Idempotency-Key. ``timeout_s``: of everything. Never raises for what the other side does."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._exchange(request, key, private)
        except TimeoutError:
            return failed("timeout")
        except _NotAllowed:
            return failed("not_allowed")
        except (httpcore.ConnectError, httpcore.ConnectTimeout):
            return failed("connection")
        except (httpcore.LocalProtocolError, httpcore.UnsupportedProtocol, UnicodeError):
            return failed("not_sent")
        except (httpcore.TimeoutException, httpcore.NetworkError, OSError):
            return failed("broken_off")
        except httpcore.ProtocolError:
            return failed("malformed")

    async def _exchange(self, request: Request, key: str, private: bool) -> Outcome:
        host = f"[{request.host}]" if ":" in request.host else request.host
        usual = request.port == (443 if request.scheme == "https" else 80)
        url = httpcore.URL(
            scheme=request.scheme, host=request.host, port=request.port, target=request.target.encode("ascii")
        )
        headers = [
            ("Host", host if usual else f"{host}:{request.port}"),
            ("User-Agent", "voxbus"),
            ("Accept-Encoding", "identity"),
            ("Idempotency-Key", key),
            *request.headers,
        ]
        if request.body:
            headers.append(("Content-Length", str(len(request.body))))
        async with self._pools[private].stream(
            request.method, url, headers=headers, content=request.body or None
        ) as response:
            found = {name.lower(): value.decode("latin-1") for name, value in response.headers}
            if found.get(b"content-encoding", "identity") != "identity":
                return failed("malformed")
            body = b""
            async for chunk in response.aiter_stream():
                body += chunk
                if len(body) > self._max_bytes:
                    return failed("too_large")
            return answered(response.status, found.get(b"content-type", ""), body)

    async def close(self) -> None:
        for pool in self._pools.values():
            await pool.aclose()
        self._lookups.close()

"""What a vendor sends over one connection, through the fault that the connection was given."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from aiohttp import web

from voxbus.devkit.vendors.faults import Fault


class Gone(Exception):
    """The connection ended, or was cut by its fault."""


class Wire:
    """``write`` sends text or bytes. Everything raises Gone once the client has left."""

    def __init__(
        self,
        request: web.Request,
        write: Callable[[str | bytes], Awaitable[object]],
        fault: Fault | None,
        nonsense: str | bytes = '{"nonsense',
    ) -> None:
        self._nonsense = nonsense
        self._request = request
        self._write = write
        self._fault = fault
        self._sent = 0
        self.muted = False

    async def send(self, message: str | bytes) -> None:
        fault = self._fault
        if fault is not None and self._sent >= fault.after:
            match fault.kind:
                case "stall":
                    self.muted = True
                case "slow":
                    await asyncio.sleep(fault.delay_s)
                case "malformed":
                    self._fault = None
                    await self._out(self._nonsense)
                case "cut":
                    self.cut()
                    raise Gone
                case _:
                    pass
        self._sent += 1
        if not self.muted:
            await self._out(message)

    async def send_json(self, message: Any) -> None:
        await self.send(json.dumps(message))

    def cut(self) -> None:
        """Without a goodbye."""
        if self._request.transport is not None:
            self._request.transport.abort()

    async def until_left(self) -> None:
        """Returns when the client has given up."""
        while (transport := self._request.transport) is not None and not transport.is_closing():  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # the server tells nobody before the handler writes

    async def _out(self, message: str | bytes) -> None:
        try:
            await self._write(message)
        except (ConnectionError, RuntimeError):
            raise Gone from None


async def conversed(
    request: web.Request, fault: Fault | None, serve: Callable[[web.WebSocketResponse, Wire], Awaitable[None]]
) -> web.WebSocketResponse:
    """A WebSocket, accepted; ``serve`` holds the conversation until either side has enough."""
    socket = web.WebSocketResponse()
    await socket.prepare(request)

    async def write(message: str | bytes) -> None:
        await (socket.send_str(message) if isinstance(message, str) else socket.send_bytes(message))

    with contextlib.suppress(Gone):
        await serve(socket, Wire(request, write, fault))
    await socket.close()
    return socket


async def streamed(
    request: web.Request, fault: Fault | None, content_type: str, body: AsyncIterator[str | bytes]
) -> web.StreamResponse:
    """A 200 whose body comes piece by piece. A stalled one is kept open until the client leaves."""
    response = web.StreamResponse(headers={"Content-Type": content_type})
    await response.prepare(request)

    async def write(piece: str | bytes) -> None:
        await response.write(piece.encode() if isinstance(piece, str) else piece)

    nonsense: str | bytes = 'data: {"nonsense\n\n' if content_type == "text/event-stream" else b"?"
    wire = Wire(request, write, fault, nonsense)
    with contextlib.suppress(Gone):
        async for piece in body:
            await wire.send(piece)
        if wire.muted:
            await wire.until_left()
        else:
            await response.write_eof()
    return response

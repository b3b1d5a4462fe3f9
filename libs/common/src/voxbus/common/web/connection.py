"""A connection that may not take longer than it should: uvicorn's own, with a seat and deadlines.

    connection -> seat? -> request within request_s -> the application, or the WebSocket -> answer, read within unread_s

uvicorn has a limit of its own for connections, but its answer says nothing of when to come again, and it waits for half
a request for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar, Final

import h11
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from voxbus.common.web.limits import House, Why

_RETRY_AFTER_S: Final = 2
_ANSWERS: Final = {
    "full": (503, "Service Unavailable", "too many connections; try again in a moment"),
    "address_full": (429, "Too Many Requests", "too many connections from this address"),
    "slow_request": (408, "Request Timeout", "the request did not come in time"),
}
_HEADERS: Final = (
    ("Content-Type", "text/plain; charset=utf-8"),
    ("X-Content-Type-Options", "nosniff"),
    ("Retry-After", str(_RETRY_AFTER_S)),
    ("Connection", "close"),
)


class LimitedHttp(H11Protocol):
    """uvicorn makes one for each connection. See ``limited``."""

    house: ClassVar[House]
    on_refused: ClassVar[Callable[[str], None]]

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        # Of this connection alone: the application and the WebSocket find the seat in it.
        super().__init__(config, server_state, dict(app_state), _loop)
        self._request_timer: asyncio.TimerHandle | None = None
        self._unread_timer: asyncio.TimerHandle | None = None
        self._refused: Why | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        seat = self.house.enter(self.client[0] if self.client else "")
        if seat is None:
            type(self).on_refused("no_answer")
            transport.abort()
            return
        self.app_state["seat"] = seat
        if seat.refused is not None:
            type(self).on_refused(seat.refused)
            self._refused = seat.refused
            self.app = _saying(seat.refused)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timers()
        if (seat := self.app_state.get("seat")) is not None:
            seat.leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.transport.get_protocol() is self and not self.transport.is_closing():
            self._watch()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        if self._refused is not None:
            self.transport.write(_bytes(self._refused))
            self.transport.close()
            return
        self._stop_timers()
        super().handle_websocket_upgrade(event)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread_timer = self.loop.call_later(self.house.limits.unread_s, self._unread)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None

    def _watch(self) -> None:
        """A request, from its first byte (of a new connection: from the beginning) to the last one of its body."""
        if self.conn.their_state in (h11.IDLE, h11.SEND_BODY):
            if self._request_timer is None:
                self._request_timer = self.loop.call_later(self.house.limits.request_s, self._too_slow)
        elif self._request_timer is not None:
            self._request_timer.cancel()
            self._request_timer = None

    def _too_slow(self) -> None:
        type(self).on_refused("slow_request")
        # An answer may have begun before the body was there, or belong to the request before this one.
        if self.conn.their_state is h11.IDLE or not self.cycle.response_started:
            self.transport.write(_bytes("slow_request"))
        self.transport.close()

    def _unread(self) -> None:
        type(self).on_refused("unread_answer")
        self.transport.abort()

    def _stop_timers(self) -> None:
        for timer in (self._request_timer, self._unread_timer):
            if timer is not None:
                timer.cancel()
        self._request_timer = self._unread_timer = None


def limited(house: House, on_refused: Callable[[str], None]) -> type[asyncio.Protocol]:
    """The protocol class to give to uvicorn. ``on_refused`` is told a code for each connection that is cut short."""
    return type("Limited", (LimitedHttp,), {"house": house, "on_refused": staticmethod(on_refused)})


def _saying(why: str) -> ASGI3Application:
    status, _, line = _ANSWERS[why]
    headers = [(name.lower().encode(), value.encode()) for name, value in _HEADERS]

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": f"{line}\n".encode()})

    return app


def _bytes(why: str) -> bytes:
    """The same as one write, for where there is no request to answer."""
    status, phrase, line = _ANSWERS[why]
    headers = (*_HEADERS, ("Content-Length", str(len(line) + 1)))
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"HTTP/1.1 {status} {phrase}\r\n{head}\r\n{line}\n".encode()

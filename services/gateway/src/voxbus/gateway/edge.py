"""What every answer has, and every request goes through first. Around the routes, as ASGI."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import Any, Final

from fastapi import Request, Response
from fastapi.responses import PlainTextResponse
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from voxbus.gateway.core_doorman import Doorman, Visit
from voxbus.gateway.errors import Refused
from voxbus.gateway.switchboard import refused
from voxbus.gateway.urls import headers_of

#: For answers that say nothing else: nothing of ours is a page to be shown, framed, sniffed or kept.
HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
MAX_BODY_BYTES: Final = 65_536

_HTTPS_ONLY: Final = {"Strict-Transport-Security": "max-age=31536000"}


class Edge:
    """``secure``: we are reached by https only."""

    def __init__(self, app: ASGIApp, doorman: Doorman, *, secure: bool) -> None:
        self._app = app
        self._doorman = doorman
        self._headers = HEADERS | (_HTTPS_ONLY if secure else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = _Body(scope, receive)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                await body.finish()
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        app: Any = self._app
        visit = None
        try:
            scope["state"]["visit"] = visit = self._admit(Request(scope))
            visit.begin()
        except Refused as error:
            refused(error)
            app = answer(error)
            body.left = True
        try:
            await app(scope, body.receive, send_with_headers)
        finally:
            if visit is not None:
                visit.leave()

    def _admit(self, request: Request) -> Visit:
        peer = request.client.host if request.client is not None else ""
        seat = request.scope["state"].get("seat")
        return self._doorman.admit(headers_of(request.headers.items()), peer, seat, time.monotonic())


class _Body:
    """The body of a request. ``left``: what is still to come is not waited for."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        names = {name for name, _ in scope["headers"]}
        self.left = names.isdisjoint((b"content-length", b"transfer-encoding"))
        self._receive = receive
        self._bytes = 0

    async def receive(self) -> Message:
        message = await self._receive()
        self._bytes += len(message.get("body", b""))
        if not message.get("more_body") or self._bytes > MAX_BODY_BYTES:
            self.left = True
        return message

    async def finish(self) -> None:
        """So that an answer which needs no body does not set free what holds a connection with half of one."""
        while not self.left:
            await self.receive()


def visit_of(request: Request) -> Visit:
    """The visit that ``request`` is: to be told when it has proved who it is."""
    visit = request.scope["state"]["visit"]
    assert isinstance(visit, Visit)
    return visit


def answer(error: Refused) -> Response:
    headers = {"Retry-After": str(error.retry_after_s)} if error.retry_after_s else {}
    if error.closes:
        # What is still on its way is not read, so nothing else can follow on this connection.
        headers["Connection"] = "close"
    if error.status == HTTPStatus.UPGRADE_REQUIRED:
        # RFC 9110, 15.5.22: with what the request should have asked for.
        headers |= {"Upgrade": "websocket", "Connection": "upgrade"}
    return PlainTextResponse(f"{error}\n", error.status, headers)

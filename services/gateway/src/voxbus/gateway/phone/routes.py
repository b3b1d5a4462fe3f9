"""The HTTP side of the browser phone. Its audio comes over ``WS /voice``, see ``media_socket``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated, TypeVar

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse

from voxbus.gateway.edge import visit_of
from voxbus.gateway.errors import Refused
from voxbus.gateway.http import read_body
from voxbus.gateway.phone import pages
from voxbus.gateway.phone.core_access import Access, bearer
from voxbus.gateway.phone.desk import AgentEntry, Desk
from voxbus.gateway.phone.feed import Feeds
from voxbus.gateway.urls import headers_of

T = TypeVar("T")
_Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


class PlaceCall(msgspec.Struct, forbid_unknown_fields=True):
    agent: Annotated[str, msgspec.Meta(max_length=64)] = ""


class WhatNext(PlaceCall, forbid_unknown_fields=True):
    streams: _Count = 0
    tries: _Count = 0


class Book(msgspec.Struct, frozen=True):
    """``wants_token``: nothing else is told until the request brings the token of PHONE_TOKEN."""

    wants_token: bool
    agents: tuple[AgentEntry, ...] = ()


def add_phone(app: FastAPI, access: Access, desk: Desk, feeds: Feeds) -> None:
    assets = pages.load()

    def asset(request: Request, name: str) -> Response:
        access.check(headers_of(request.headers.items()), _peer(request))
        found = assets.get(name)
        if found is None:
            raise Refused(404, "no_such_file", "the page has no such file")
        headers = pages.HEADERS | {"ETag": found.etag, "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == found.etag:
            return Response(status_code=304, headers=headers)
        return Response(found.content, media_type=found.media_type, headers=headers)

    def asked(request: Request, *, acts: bool) -> dict[str, str]:
        """The headers. Raises Refused for what no page of ours asks."""
        headers = headers_of(request.headers.items())
        access.check_script(headers, _peer(request), acts=acts)
        return headers

    @app.get("/phone")
    async def page(request: Request) -> Response:
        return asset(request, pages.PAGE)

    @app.get("/phone/agents")
    async def agents(request: Request) -> Response:
        headers = asked(request, acts=False)
        if access.wants_token and not bearer(headers):
            return _json(Book(True))  # the page asks for it
        access.check_token(headers)
        return _json(Book(access.wants_token, desk.agents()))

    @app.post("/phone/calls")
    async def place_call(request: Request) -> Response:
        access.check_token(asked(request, acts=True))
        wanted = _parse(PlaceCall, await read_body(request))
        visit_of(request).prove()
        return _json(await desk.place(wanted.agent))

    @app.post("/phone/calls/{sid}/next")
    async def what_next(request: Request, sid: str) -> Response:
        await desk.check_key(sid, bearer(asked(request, acts=True)))
        visit_of(request).prove()
        asks = _parse(WhatNext, await read_body(request))
        return _json(await desk.next(sid, asks.agent, asks.streams, asks.tries))

    @app.get("/phone/calls/{sid}/events")
    async def events(request: Request, sid: str) -> Response:
        await desk.check_key(sid, bearer(asked(request, acts=False)))
        visit_of(request).prove()
        lines = feeds.follow(sid)
        first = await anext(lines)  # what is wrong with the bus is still a status here

        async def all_lines() -> AsyncIterator[bytes]:
            async with aclosing(lines):  # also when the page goes away
                yield first
                async for line in lines:
                    yield line

        headers = pages.HEADERS | {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(all_lines(), media_type="application/x-ndjson", headers=headers)

    @app.get("/phone/{name}")
    async def file(request: Request, name: str) -> Response:
        return asset(request, name)


def _parse(kind: type[T], body: bytes) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Refused(422, "bad_body", "the body is not what this route takes") from None


def _json(value: object) -> Response:
    headers = pages.HEADERS | {"Cache-Control": "no-store"}
    return Response(msgspec.json.encode(value), media_type="application/json", headers=headers)


def _peer(request: Request) -> str:
    return request.client.host if request.client is not None else ""

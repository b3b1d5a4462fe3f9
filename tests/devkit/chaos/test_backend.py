"""The backend that counts reports."""

from __future__ import annotations

import time

import httpx

from voxbus.common import signing
from voxbus.devkit.carrier.http import HttpServer, Request, Response
from voxbus.devkit.chaos.backend import Backend
from voxbus.devkit.chaos.facts import Delivered

PATH = "/v1/agent/call-report"


async def post(backend: Backend, sid: str, body: bytes, secret: bytes = b"secret") -> int:
    headers = signing.headers(secret, body, time.time()) | {"idempotency-key": sid}
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        return (await http.post(backend.url + PATH, content=body, headers=headers)).status_code


async def test_requests_and_bodies_are_counted() -> None:
    async with Backend("secret") as backend:
        assert [await post(backend, "one", body) for body in (b"{}", b"{}")] == [200, 200]
        assert [await post(backend, "two", body) for body in (b"{}", b"[]")] == [200, 200]
        assert await post(backend, "three", b"{}", b"another") == 401
        assert backend.delivered() == {
            "one": Delivered(2, 1, taken=True),
            "two": Delivered(2, 2, taken=True),
        }


async def test_what_the_one_behind_refuses_is_not_taken() -> None:
    got: list[Request] = []

    async def refuse(request: Request) -> Response:
        got.append(request)
        return Response(503, b"")

    async with HttpServer(refuse) as behind, Backend("secret") as backend:
        backend.behind = behind.url
        assert await post(backend, "one", b'{"a": 1}') == 503
        backend.behind = "http://127.0.0.1:1"
        assert await post(backend, "one", b'{"a": 1}') == 502
        assert backend.delivered() == {"one": Delivered(2, 1, taken=False)}
    (request,) = got
    assert (request.path, request.body) == (PATH, b'{"a": 1}')
    signing.verify(
        [b"secret"],
        request.headers[signing.TIMESTAMP],
        request.headers[signing.SIGNATURE],
        request.body,
        time.time(),
    )

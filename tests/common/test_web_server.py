"""The limits of a web server, over real sockets."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
import uvloop

from voxbus.common.web import Limits, WebServer

BIG = b"x" * 30_000_000


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Says how long the body was; ``/prove`` proves, ``/big`` answers more than any socket buffers."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message["body"]
        if not message["more_body"]:
            break
    if scope["path"] == "/prove":
        scope["state"]["seat"].prove()
    answer = BIG if scope["path"] == "/big" else str(len(body)).encode()
    headers = [(b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


class Server:
    def __init__(self, port: int, refused: Counter[str]) -> None:
        self.port = port
        self.refused = refused
        self._open: list[asyncio.StreamWriter] = []

    async def connect(self, data: bytes = b"") -> Client:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._open.append(writer)
        client = Client(reader, writer)
        client.send(data)
        return client

    def close(self) -> None:
        for writer in self._open:
            writer.close()


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self) -> tuple[int, bytes]:
        """(status, head) of one answer with a short body."""
        async with asyncio.timeout(30):
            head = await self.reader.readuntil(b"\r\n\r\n")
            lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            if lengths:
                await self.reader.readexactly(int(lengths[0].split(b":")[1]))
        return int(head.split()[1]), head.lower()

    async def ended(self) -> bytes:
        """What came until the server closed the connection."""
        async with asyncio.timeout(30):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""


Serve = Callable[..., AbstractAsyncContextManager[Server]]

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.fixture
def serve() -> Serve:
    @asynccontextmanager
    async def serve(**limits: Any) -> AsyncIterator[Server]:
        refused: Counter[str] = Counter()
        web = WebServer(app, Limits(**limits), lambda code: refused.update([code]))
        await web.start("127.0.0.1", 0, "TEST")
        server = Server(web.port, refused)
        yield server
        server.close()
        await web.stop()

    return serve


async def test_more_connections_than_there_may_be_are_told_when_to_come_again(serve: Serve) -> None:
    async with serve(connections=3) as server:
        held = [await server.connect(GET) for _ in range(3)]
        assert [(await client.answer())[0] for client in held] == [200] * 3
        status, head = await (await server.connect(GET)).answer()
        assert status == 503
        assert b"retry-after: 2" in head
        assert b"connection: close" in head
        held[0].writer.close()
        await held[0].writer.wait_closed()
        async with asyncio.timeout(30):
            while (await (await server.connect(GET)).answer())[0] != 200:
                pass
        assert server.refused["full"] >= 1


async def test_far_too_many_connections_are_not_answered(serve: Serve) -> None:
    async with serve(connections=1) as server:
        for _ in range(11):  # one, and ten to whom no is said
            await server.connect()
        client = await server.connect(GET)
        assert await client.ended() == b""
        assert server.refused["no_answer"] == 1


async def test_an_address_may_have_so_many_connections_and_more_that_proved_themselves(serve: Serve) -> None:
    async with serve(per_address=2) as server:
        for _ in range(5):
            assert (await (await server.connect(GET.replace(b"/", b"/prove", 1))).answer())[0] == 200
        for _ in range(2):
            assert (await (await server.connect(GET)).answer())[0] == 200
        status, head = await (await server.connect(GET)).answer()
        assert status == 429
        assert b"retry-after" in head
        assert server.refused == {"address_full": 1}


async def test_an_upgrade_is_refused_as_a_request_is(serve: Serve) -> None:
    async with serve(per_address=1) as server:
        await (await server.connect(GET)).answer()
        upgrade = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
        assert (await server.connect(upgrade)) is not None
        status, _ = await (await server.connect(upgrade)).answer()
        assert status == 429


@pytest.mark.parametrize(
    "data",
    [
        b"G",
        b"GET / HTTP/1.1\r\nHost: h\r\nX-Slow: ",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ],
)
async def test_half_a_request_is_not_waited_for(serve: Serve, data: bytes) -> None:
    async with serve(request_s=0.3) as server:
        client = await server.connect(data)
        assert (await client.ended()).startswith(b"HTTP/1.1 408 ")
        assert server.refused == {"slow_request": 1}


async def test_a_request_that_comes_byte_by_byte_has_no_more_time(serve: Serve) -> None:
    async with serve(request_s=0.5) as server:
        client = await server.connect()
        async with asyncio.timeout(30):
            client.send(b"GET / HTTP/1.1\r\nX: ")
            while not client.reader.at_eof():
                client.send(b"y")
                await asyncio.sleep(0.02)
                await client.reader.read(1000) if server.refused else None
        assert server.refused == {"slow_request": 1}


@pytest.mark.lasting
async def test_the_next_request_of_a_connection_has_a_time_of_its_own(serve: Serve) -> None:
    async with serve(request_s=2) as server:
        client = await server.connect()
        for _ in range(4):
            await asyncio.sleep(0.7)
            client.send(GET)
            assert (await client.answer())[0] == 200
        client.send(GET[:10])
        assert (await client.ended()).startswith(b"HTTP/1.1 408 ")


async def test_an_answer_that_is_not_read_is_given_up(serve: Serve) -> None:
    async with serve(unread_s=0.3) as server:
        client = await server.connect(GET.replace(b"/", b"/big", 1))
        async with asyncio.timeout(30):
            while not server.refused:  # we read nothing meanwhile
                await asyncio.sleep(0.02)
        assert server.refused == {"unread_answer": 1}
        assert len(await client.ended()) < len(BIG)


async def test_who_says_little_harms_nobody(serve: Serve) -> None:
    async with serve(request_s=5, connections=100) as server:
        for _ in range(50):
            await server.connect(b"GET /")
        for _ in range(20):
            assert (await (await server.connect(GET)).answer())[0] == 200

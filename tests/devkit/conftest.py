"""A small application on real sockets: the other end of the simulated carrier."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from voxbus.common.audio import HZ, Pcm, mulaw_encode
from voxbus.devkit.speech import Speech

CONNECT = '<Connect><Stream url="{wss}/media"><Parameter name="token" value="t1"/></Stream></Connect>'


def tone(ms: int, dbfs: float = -20.0) -> Pcm:
    """A sine. The devkit's ear takes it for speech."""
    t = np.arange(ms * HZ // 1000) / HZ
    amplitude = 32768 * 2**0.5 * 10 ** (dbfs / 20)
    wave: Pcm = np.rint(amplitude * np.sin(2 * np.pi * 440 * t)).astype(np.int16)
    return wave


@pytest.fixture
def make_tone() -> Callable[..., Pcm]:
    return tone


@pytest.fixture
def make_speech() -> Callable[[int], Speech]:
    return lambda ms: Speech("a tone", tone(ms, -22.0))


class Socket:
    """The application's end of a media stream."""

    def __init__(self, connection: ServerConnection) -> None:
        self.connection = connection
        self.stream_sid = ""
        self.received: list[dict[str, Any]] = []

    async def next(self, *events: str) -> dict[str, Any]:
        """The next message, of one of these kinds where any are given. Raises ConnectionClosed at the end."""
        while True:
            message: dict[str, Any] = json.loads(await self.connection.recv())
            self.received.append(message)
            self.stream_sid = message.get("streamSid", self.stream_sid)
            if not events or message["event"] in events:
                return message

    async def media(self, audio: Pcm) -> None:
        payload = base64.b64encode(mulaw_encode(audio)).decode()
        await self.send({"event": "media", "streamSid": self.stream_sid, "media": {"payload": payload}})

    async def mark(self, name: str) -> None:
        await self.send({"event": "mark", "streamSid": self.stream_sid, "mark": {"name": name}})

    async def clear(self) -> None:
        await self.send({"event": "clear", "streamSid": self.stream_sid})

    async def send(self, message: object) -> None:
        await self.connection.send(message if isinstance(message, (str, bytes)) else json.dumps(message))

    def drop(self) -> None:
        """As when the process is killed: the connection is gone without a word."""
        self.connection.transport.abort()

    async def until_stopped(self) -> None:
        while True:
            await self.next()


Agent = Callable[[Socket], Awaitable[None]]


@dataclass
class Asked:
    """A request that the application got."""

    method: str
    target: str
    form: dict[str, str]
    headers: dict[str, str]

    @property
    def path(self) -> str:
        return urlsplit(self.target).path


@dataclass
class App:
    """``documents``: the verbs that a path answers, with ``{wss}`` filled in; a number refuses with that status.

    ``agents``: what serves the streams, one after the other; the last one also all that follow.
    """

    documents: dict[str, str | int]
    agents: list[Agent]
    url: str = ""
    wss: str = ""
    refuse_stream: int = 0
    asked: list[Asked] = field(default_factory=list)
    handshakes: list[dict[str, str]] = field(default_factory=list)
    sockets: list[Socket] = field(default_factory=list)

    def asked_for(self, path: str) -> list[Asked]:
        return [request for request in self.asked if request.path == path]

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)
        }
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        form = dict(parse_qsl(body.decode(), keep_blank_values=True))
        self.asked.append(Asked(method, target, form, headers))
        verbs = self.documents.get(urlsplit(target).path, "")
        status = HTTPStatus(verbs if isinstance(verbs, int) else 200)
        text = (
            f"<Response>{verbs}</Response>".replace("{wss}", self.wss)
            if isinstance(verbs, str)
            else "refused"
        )
        lines = (
            f"HTTP/1.1 {status.value} {status.phrase}",
            f"Content-Length: {len(text)}",
            "Connection: close",
            "",
            text,
        )
        writer.write("\r\n".join(lines).encode())
        await writer.drain()
        writer.close()

    def handshake(self, connection: ServerConnection, request: Request) -> Response | None:
        self.handshakes.append({name.lower(): value for name, value in request.headers.raw_items()})
        return connection.respond(self.refuse_stream, "refused\n") if self.refuse_stream else None

    async def stream(self, connection: ServerConnection) -> None:
        socket = Socket(connection)
        self.sockets.append(socket)
        agent = self.agents[min(len(self.sockets), len(self.agents)) - 1]
        with contextlib.suppress(ConnectionClosed):
            await agent(socket)


@pytest.fixture
async def app() -> AsyncIterator[App]:
    """Answers ``/voice`` with a stream, and listens to it until it is stopped."""
    app = App(documents={"/voice": CONNECT}, agents=[Socket.until_stopped])
    http = await asyncio.start_server(app.answer, "127.0.0.1", 0)
    async with (
        http,
        serve(app.stream, "127.0.0.1", 0, process_request=app.handshake, compression=None) as media,
    ):
        app.url = f"http://127.0.0.1:{http.sockets[0].getsockname()[1]}"
        app.wss = f"ws://127.0.0.1:{next(iter(media.sockets)).getsockname()[1]}"
        yield app

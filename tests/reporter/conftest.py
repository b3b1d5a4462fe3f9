"""A backend that takes reports over a real socket."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Literal

import pytest

Answer = int | Literal["hang", "drop"]


@dataclass
class Request:
    headers: dict[str, str]
    body: bytes
    at_s: float


@dataclass
class Backend:
    """``answers`` are given in turn, the last one for ever."""

    url: str
    answers: list[Answer] = field(default_factory=lambda: [200])
    requests: list[Request] = field(default_factory=list)

    def next_answer(self) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    async def until(self, condition: Callable[[Backend], bool], timeout_s: float = 30.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not condition(self):
                await asyncio.sleep(0.01)


@pytest.fixture
async def backend() -> AsyncIterator[Backend]:
    released = asyncio.Event()
    writers: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            lines = head.split("\r\n")[1:-2]
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
            body = await reader.readexactly(int(headers["content-length"]))
            taking.requests.append(Request(headers, body, time.monotonic()))
            answer = taking.next_answer()
            if answer == "hang":
                await released.wait()
            elif answer != "drop":
                location = "location: http://127.0.0.1:1/elsewhere\r\n" if 300 <= answer < 400 else ""
                writer.write(
                    f"HTTP/1.1 {answer} X\r\n{location}content-length: 0\r\nconnection: close\r\n\r\n".encode()
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # the reporter was killed
        finally:
            writers.discard(writer)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    taking = Backend(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    yield taking
    released.set()
    server.close()
    for writer in tuple(writers):
        writer.close()

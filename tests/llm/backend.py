"""Somebody's system on a real socket, which answers tools as it is told, or does worse."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Step = bytes | float


def json_answer(
    body: str, status: int = 200, content_type: str = "application/json", *more: str
) -> list[Step]:
    head = [
        f"HTTP/1.1 {status} X",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body.encode())}",
        *more,
    ]
    return ["\r\n".join(head).encode() + b"\r\n\r\n" + body.encode()]


@dataclass(frozen=True)
class Asked:
    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Backend:
    """``answer``: bytes to send and seconds to wait, by the request; then the connection stays, for the next one."""

    answer: Callable[[Asked], list[Step]] = lambda _asked: json_answer('{"day":"Friday"}')
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                line, *rest = head.strip().split("\r\n")
                headers = {name.lower(): value for name, value in (part.split(": ", 1) for part in rest)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                self.asked.append(Asked(line, headers, body))
                self.news.set()
                for step in self.answer(self.asked[-1]):
                    if isinstance(step, bytes):
                        writer.write(step)
                        await writer.drain()
                    else:
                        await asyncio.sleep(step)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def backend(tls: ssl.SSLContext | None = None) -> AsyncIterator[Backend]:
    made = Backend()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=tls)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()

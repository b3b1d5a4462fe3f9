"""A server of the requests' protocol that answers what it should not, over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from voxbus.common.agents import Agent, Lines
from voxbus.common.errors import ProviderError
from voxbus.stt.providers.transcribe import OpenAiTranscribe, Transcriber
from voxbus.stt.recognizer import Hearing, Listener, TurnEnds

AGENT = Agent(name="a", prompt="p", lines=Lines(greeting="Hello."))
#: Deeper than what the interpreter's own stack bears.
DEEP = b"[" * 100_000 + b"]" * 100_000


class Server:
    """Answers every POST with ``status`` and ``body``."""

    def __init__(self) -> None:
        self.status = 200
        self.body = b""
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"POST"):
            length = next(line for line in head.lower().splitlines() if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.partition(b":")[2]))
        body = self.body if head.startswith(b"POST") else b""
        writer.write(
            b"HTTP/1.1 %d Said\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (self.status, len(body))
        )
        writer.write(body)
        await writer.drain()
        writer.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as listening:
        server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
        yield server


@pytest.fixture
async def hearing(server: Server) -> AsyncIterator[Hearing]:
    transcriber = Transcriber(server.url, "k", OpenAiTranscribe("m"))
    hearing = transcriber.attend(
        AGENT, TurnEnds(0.7), Listener(lambda _: None, lambda _: None, lambda *_: None)
    )
    yield hearing
    await hearing.close()
    await transcriber.close()


async def heard(hearing: Hearing) -> str:
    recognition = hearing.open()
    recognition.feed(b"\xff" * 8000)
    return (await recognition.finish(looked=False)).text


async def test_half_a_character_does_not_get_into_the_log(server: Server, hearing: Hearing) -> None:
    server.body = b'{"text": "so \\ud83d happy"}'
    assert await heard(hearing) == "so ? happy"


@pytest.mark.parametrize("body", [DEEP, b'{"text": ' + DEEP + b"}", b'{"text": "\xff"}', b"", b"null"])
async def test_what_is_no_answer_costs_the_words_and_no_more(
    server: Server, hearing: Hearing, body: bytes
) -> None:
    server.body = body
    with pytest.raises(ProviderError) as failed:
        await heard(hearing)
    assert failed.value.cause == "malformed"
    server.body = b'{"text": "hello"}'
    assert await heard(hearing) == "hello"


@pytest.mark.parametrize("body", [DEEP, b'{"error": ' + DEEP + b"}", b'{"error": {"code": "\\ud83d"}}'])
async def test_a_refusal_is_one_whatever_its_body(server: Server, hearing: Hearing, body: bytes) -> None:
    server.status, server.body = 503, body
    with pytest.raises(ProviderError) as failed:
        await heard(hearing)
    assert (failed.value.cause, str(failed.value)) == ("overloaded", "overloaded 503")

"""A scripted log of a call, and a backend that takes reports over a real socket."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Literal

import pytest

from voxbus.common import events as ev
from voxbus.common.agents import Agent, Lines, Voice
from voxbus.common.events import Event, Stored

Answer = int | Literal["hang", "drop"]


class Script:
    """Writes the log of a call. ``at`` moves the stream's clock to that many seconds after the call's first event."""

    START_S = 1_700_000_000.0

    def __init__(self, sid: str, agent: Agent) -> None:
        self.sid = sid
        self.agent = agent
        self.log: list[Stored] = []
        self.now_s = self.START_S
        self.holder = 0

    def at(self, seconds: float) -> Script:
        self.now_s = self.START_S + seconds
        return self

    def add(self, *events: Event) -> Script:
        for event in events:
            self.log.append(Stored(len(self.log) + 1, self.now_s, event))
        return self

    def start(self, direction: ev.Direction = "inbound") -> Script:
        self.add(
            ev.Started(
                call=self.sid,
                stream_sid="MZ1",
                session="session-1",
                direction=direction,
                from_number="+15550100001",
                to_number="+15550100002",
                agent=self.agent,
            )
        )
        self.add(ev.Attached(call=self.sid, worker="w", nonce="n"))
        self.holder = len(self.log)
        return self

    def says(self, turn: int, text: str, **fields: object) -> Script:
        known: dict[str, object] = {
            "start_media_ms": 1000,
            "end_media_ms": 2000,
            "ended_by": "silence",
            "endpoint_ms": 500.0,
            "recognition_ms": 20.0,
        }
        return self.add(
            ev.Utterance(call=self.sid, holder=self.holder, turn=turn, text=text, **(known | fields))  # type: ignore[arg-type]
        )

    def answers(self, turn: int, *texts: str, attempt: int = 0, fallback: str = "") -> Script:
        for index, text in enumerate(texts):
            self.add(
                ev.Sentence(
                    call=self.sid,
                    turn=turn,
                    attempt=attempt,
                    index=index,
                    text=text,
                    voice=Voice(provider="espeak", name="en"),
                    fallback=bool(fallback),
                    cause=fallback,
                    first_token_ms=100.0,
                    ready_ms=150.0 + index,
                )
            )
        return self.add(
            ev.ReplyEnded(
                call=self.sid,
                turn=turn,
                attempt=attempt,
                sentences=len(texts),
                reason="complete",
                provider="openai",
                model="m",
                input_tokens=100,
                output_tokens=10,
            )
        )

    def hears(self, turn: int, index: int = 0, *, played_ms: int = 900, response_ms: float = 0.0) -> Script:
        return self.add(
            ev.Heard(
                call=self.sid,
                stream_sid="MZ1",
                turn=turn,
                sentence=index,
                complete=True,
                played_ms=played_ms,
                text="",
                known_by="mark",
                synthesis_ms=60.0,
                response_ms=response_ms,
            )
        )

    def ends(self, reason: ev.EndReason = "caller_hung_up") -> Script:
        return self.add(ev.Ended(call=self.sid, reason=reason))


@pytest.fixture(scope="session")
def new_script() -> Callable[[], Script]:
    agent = Agent(name="test_agent", prompt="You are a test.", lines=Lines(greeting="Hello there."))
    return lambda: Script("CA" + secrets.token_hex(16), agent)


@pytest.fixture
def script(new_script: Callable[[], Script]) -> Script:
    return new_script()


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

    async def until(self, condition: Callable[[Backend], bool], timeout_s: float = 10.0) -> None:
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

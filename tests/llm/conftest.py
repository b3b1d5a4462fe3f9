"""A chat server on a real socket, and a call whose other services are the test."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

from voxbus.common.agent_files import load_agents, resolve
from voxbus.common.agents import Agent
from voxbus.common.bus import Bus, BusConfig
from voxbus.common.events import Attached, Event, ReplyEnded, Sentence, Started, Stored, Utterance
from voxbus.common.fold import CallState, fold
from voxbus.llm.service import LlmService
from voxbus.llm.settings import LlmSettings

E = TypeVar("E", bound=Event)
AGENTS = Path(__file__).parents[2] / "agents"


@pytest.fixture(scope="session")
def reminder() -> Agent:
    return resolve(load_agents(AGENTS)["appointment_reminder"], {})


# --- a server of chat completions ---------------------------------------------------------------------------------


class Cut:
    """Drops the connection."""


class Stall:
    """Sends nothing more, and keeps the connection."""


Step = bytes | float | asyncio.Event | Cut | Stall


@dataclass
class Answer:
    """``steps``: bytes to send, seconds or an event to wait for, or an end."""

    steps: list[Step]
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "text/event-stream"})


def chunk(text: str | None = None, finish: str | None = None, **more: Any) -> bytes:
    delta = {} if text is None else {"content": text}
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return b"data: " + json.dumps({"choices": choices, "usage": None, **more}).encode() + b"\n\n"


def tool(name: str, arguments: str = "{}", index: int = 0) -> bytes:
    call = {"index": index, "id": f"call_{index}", "function": {"name": name, "arguments": arguments}}
    return b"data: " + json.dumps({"choices": [{"delta": {"tool_calls": [call]}}]}).encode() + b"\n\n"


USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":5}}\n\n'
DONE = b"data: [DONE]\n\n"


def reply(*texts: str, wait_s: float = 0.0) -> Answer:
    """A reply as it should be; ``wait_s`` before each text."""
    steps: list[Step] = [step for text in texts for step in (wait_s, chunk(text))]
    return Answer([*steps, chunk(finish="stop"), USAGE, DONE])


def refusal(status: int, **error: Any) -> Answer:
    return Answer([json.dumps({"error": error}).encode()], status, {"Content-Type": "application/json"})


class ChatServer:
    """Answers requests with ``answers``, the last one again and again; keeps what it was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: list[Answer] = [reply("Hello there, my friend.")]
        self.requests: list[dict[str, Any]] = []
        self.headers: list[str] = []
        self.connections = 0
        self.asked = asyncio.Event()
        self.hung_up = asyncio.Event()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            self.hung_up.set()
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        if head.startswith("HEAD "):  # somebody opens a connection ahead of need
            writer.write(b"HTTP/1.1 405 X\r\nContent-Length: 0\r\n\r\n")
            return True
        length = next(
            int(line[15:]) for line in head.lower().splitlines() if line.startswith("content-length:")
        )
        self.headers.append(head)
        self.requests.append(json.loads(await reader.readexactly(length)))
        self.asked.set()
        answer = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        headers = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
        writer.write(f"HTTP/1.1 {answer.status} X\r\n{headers}Transfer-Encoding: chunked\r\n\r\n".encode())
        for step in answer.steps:
            match step:
                case bytes():
                    writer.write(b"%x\r\n%s\r\n" % (len(step), step))
                    await writer.drain()
                case Cut():
                    return False
                case Stall():
                    if not await reader.read(1):  # until the client goes away
                        self.hung_up.set()
                    return False
                case asyncio.Event():
                    await step.wait()
                case _:
                    await asyncio.sleep(step)
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True


@pytest.fixture
async def chat() -> AsyncIterator[ChatServer]:
    server = ChatServer()
    await server.start()
    yield server
    await server.stop()


# --- a call ---------------------------------------------------------------------------------------------------------


class Call:
    """Plays the gateway and the STT holder: appends their events, and waits for what the LLM worker appends."""

    def __init__(self, bus: Bus, sid: str) -> None:
        self.bus = bus
        self.sid = sid
        self.holder = 0
        self.events: list[Stored] = []
        self._news = asyncio.Event()
        self._media_ms = 0

    async def open(self) -> None:
        log = await self.bus.open_log(self.sid, self._hear)
        self.events = [*log.snapshot, *self.events]

    def _hear(self, stored: Stored) -> None:
        self.events.append(stored)
        self._news.set()

    async def start(self, agent: Agent, *, inbound: bool = True) -> None:
        direction = "inbound" if inbound else "outbound"
        numbers = {"from_number": "+15550100001", "to_number": "+15550100002"}
        await self.add(Started, stream_sid="MZ1", session="s1", direction=direction, agent=agent, **numbers)
        self.holder = await self.add(Attached, worker="w", nonce="n1")

    async def add(self, kind: type[Event], **fields: Any) -> int:
        return await self.bus.append(kind(call=self.sid, **fields))

    async def say(self, text: str, turn: int, **fields: Any) -> None:
        self._media_ms += 1000
        fields = {
            "ended_by": "silence",
            "start_media_ms": self._media_ms - 500,
            "end_media_ms": self._media_ms,
        } | fields
        await self.add(Utterance, holder=self.holder, turn=turn, text=text, **fields)

    async def until(self, condition: Callable[[], Any], timeout_s: float = 30.0) -> Any:
        async with asyncio.timeout(timeout_s):
            while not (found := condition()):
                self._news.clear()
                await self._news.wait()
        return found

    def of(self, kind: type[E], turn: int = 0) -> list[E]:
        found = (stored.event for stored in self.events)
        return [
            event
            for event in found
            if isinstance(event, kind) and (not turn or getattr(event, "turn", 0) == turn)
        ]

    def said(self, turn: int) -> list[str]:
        return [sentence.text for sentence in sorted(self.of(Sentence, turn), key=lambda s: s.key())]

    async def reply_to(self, turn: int, timeout_s: float = 30.0) -> ReplyEnded:
        await self.until(lambda: self.of(ReplyEnded, turn), timeout_s)
        return self.of(ReplyEnded, turn)[-1]

    @property
    def state(self) -> CallState:
        return fold(self.events)


@pytest.fixture
async def call(bus: Bus, sid: str) -> Call:
    call = Call(bus, sid)
    await call.open()
    return call


StartWorker = Callable[..., Awaitable[LlmService]]


@pytest.fixture
async def start_worker(nats_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StartWorker]:
    """Starts workers with connections of their own; settings as keyword arguments."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "LLM_PROVIDERS"):
        monkeypatch.delenv(name, raising=False)
    workers: list[tuple[LlmService, Bus]] = []

    async def start(**settings: Any) -> LlmService:
        bus = await Bus.connect(BusConfig(url=nats_url, name="llm"))
        worker = LlmService(LlmSettings(**settings), bus)
        await worker.start()
        workers.append((worker, bus))
        return worker

    yield start
    for worker, bus in workers:
        await worker.drain()
        await bus.close()


def declare(directory: Path, *tools: dict[str, Any]) -> Path:
    """Agent files with a tool each, as a worker may have them."""
    directory.mkdir(exist_ok=True)
    for tool in tools:
        name = f"agent_{len(list(directory.iterdir()))}"
        agent = {"name": name, "prompt": "x", "lines": {"greeting": "Hello."}, "tools": [tool]}
        (directory / f"{name}.yaml").write_text(json.dumps(agent))
    return directory


StartProcess = Callable[..., Awaitable[asyncio.subprocess.Process]]


@pytest.fixture
async def start_process(nats_url: str) -> AsyncIterator[StartProcess]:
    """A worker in a process of its own, to be killed. Returns once it takes jobs."""
    processes: list[asyncio.subprocess.Process] = []

    async def start(**settings: object) -> asyncio.subprocess.Process:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "LLM_"))}
        env = kept | {"NATS_URL": nats_url, **{name.upper(): str(value) for name, value in settings.items()}}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "voxbus.llm", env=env, stderr=asyncio.subprocess.PIPE
        )
        processes.append(process)
        assert process.stderr is not None
        async with asyncio.timeout(30):
            while b'"ready"' not in (line := await process.stderr.readline()):
                assert line, "the worker did not start"
        return process

    yield start
    for process in processes:
        if process.returncode is None:
            process.kill()
        await process.wait()

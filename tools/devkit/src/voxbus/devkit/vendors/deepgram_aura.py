"""Deepgram Aura, ``/v1/speak``: a socket that speaks texts one after the other, and the same as a request."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, Final

from aiohttp import WSMsgType, web

from voxbus.common.audio import mulaw_encode
from voxbus.devkit.vendors import deepgram, mouth
from voxbus.devkit.vendors.desk import Desk, WrongMessage
from voxbus.devkit.vendors.wire import Gone, Wire, conversed, streamed

NAME: Final = "deepgram-aura"
REQUESTS: Final = "deepgram-aura-rest"
_SHAPES: Final[dict[str, set[str]]] = {"Speak": {"text"}, "Flush": set(), "Clear": set(), "Close": set()}
_OPTIONAL: Final = frozenset({"speed", "mip_opt_out"})
#: A socket may be flushed so often in so many seconds; then it only warns.
FLUSHES: Final = 20
FLUSHES_S: Final = 60.0
_MAX_TEXT: Final = 2000
_PIECE_BYTES: Final = 1000


class DeepgramAura:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/deepgram/v1/speak", self._socket, allow_head=False),
            web.post("/deepgram/v1/speak", self._request),
        ]

    def _wrong_query(self, request: web.Request, more: frozenset[str]) -> str:
        required = {"model", "encoding", "sample_rate"}
        if what := self._desk.check_query(NAME, request, required, _OPTIONAL | more):
            return what
        query = request.query
        if not query["model"].startswith("aura-") or (query["encoding"], query["sample_rate"]) != (
            "mulaw",
            "8000",
        ):
            self._desk.wrong(
                NAME, what := "not a voice, or not mu-law at 8 kHz, which is all that is simulated"
            )
        return what

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        fault = self._desk.faults.take(NAME)
        if (refusal := deepgram.refused(self._desk, NAME, request, fault)) is not None:
            return refusal
        if what := self._wrong_query(request, frozenset()):
            return deepgram.refusal(400, what)
        model = request.query["model"]
        return await conversed(
            request, fault, lambda socket, wire: Conversation(self._desk, NAME, wire).serve(socket, model)
        )

    async def _request(self, request: web.Request) -> web.StreamResponse:
        fault = self._desk.faults.take(REQUESTS)
        if (refusal := deepgram.refused(self._desk, REQUESTS, request, fault)) is not None:
            return refusal
        what = self._wrong_query(request, frozenset({"container", "bit_rate"}))
        body: Any = await request.json()
        if not what and (
            not isinstance(body, dict) or set(body) != {"text"} or len(body["text"]) > _MAX_TEXT
        ):
            self._desk.wrong(NAME, what := "the body is not {text}")
        if what:
            return deepgram.refusal(400, what)
        # Without container=none there is a WAV header, which on a telephone is a crack.
        header = (
            b""
            if request.query.get("container") == "none"
            else b"RIFF\xff\xff\xff\xffWAVEdata\xff\xff\xff\xff"
        )
        return await streamed(request, fault, "audio/mulaw", _pieces(body["text"], header))


async def _pieces(text: str, header: bytes = b"") -> AsyncIterator[bytes]:
    audio = header + mulaw_encode(await mouth.say(text))
    for at in range(0, len(audio), _PIECE_BYTES):
        yield audio[at : at + _PIECE_BYTES]


class Conversation:
    """One connection, once its handshake is done; Cloudflare speaks the same."""

    def __init__(self, desk: Desk, vendor: str, wire: Wire) -> None:
        self._desk = desk
        self._vendor = vendor
        self._wire = wire
        self._text = ""
        self._flushed: deque[float] = deque(maxlen=FLUSHES)
        self._sequence = 0
        self._speaking: asyncio.Task[None] | None = None
        self._todo: asyncio.Queue[str] = asyncio.Queue()

    async def serve(self, socket: web.WebSocketResponse, model: str) -> None:
        await self._wire.send_json({"type": "Metadata", "request_id": "r1", "model_name": model})
        self._speaking = asyncio.create_task(self._speak(), name="simulated aura")
        try:
            async for message in socket:
                if message.type is not WSMsgType.TEXT:
                    self._desk.wrong(self._vendor, "a binary message")
                    return
                asked = self._desk.message(self._vendor, message.data, _SHAPES)
                if asked["type"] == "Close":
                    return
                await self._obey(asked)
        except WrongMessage as error:
            await self._wire.send_json({"type": "Error", "code": "DATA-0000", "description": str(error)})
        finally:
            self._speaking.cancel()

    async def _obey(self, asked: dict[str, Any]) -> None:
        match asked["type"]:
            case "Speak":
                self._text += asked["text"]
                if len(self._text) > _MAX_TEXT:
                    self._desk.wrong(self._vendor, "a text that is too long")
            case "Flush":
                now_s = time.monotonic()
                if len(self._flushed) == FLUSHES and now_s - self._flushed[0] < FLUSHES_S:
                    self._desk.wrong(self._vendor, "flushed too often")
                    await self._wire.send_json(
                        {"type": "Warning", "code": "EXCESSIVE_FLUSH", "description": "Too many flushes"}
                    )
                    return
                self._flushed.append(now_s)
                text, self._text = self._text, ""
                self._todo.put_nowait(text)
            case "Clear":
                assert self._speaking is not None
                self._speaking.cancel()
                await asyncio.gather(self._speaking, return_exceptions=True)
                self._text, self._todo = "", asyncio.Queue()
                await self._done("Cleared")
                self._speaking = asyncio.create_task(self._speak(), name="simulated aura")

    async def _speak(self) -> None:
        with contextlib.suppress(Gone):
            while True:
                async for piece in _pieces(await self._todo.get()):
                    await self._wire.send(piece)
                    await asyncio.sleep(0)
                await self._done("Flushed")

    async def _done(self, what: str) -> None:
        await self._wire.send_json({"type": what, "sequence_id": self._sequence})
        self._sequence += 1

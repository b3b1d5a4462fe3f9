"""Voices whose sockets carry contexts, each a sentence: ElevenLabs and Cartesia."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from typing import Any, Final

from aiohttp import WSMsgType, web

from voxbus.common.audio import mulaw_encode
from voxbus.devkit.vendors import mouth
from voxbus.devkit.vendors.desk import Desk, refuses
from voxbus.devkit.vendors.wire import Gone, Wire, conversed

ELEVENLABS: Final = "elevenlabs"
CARTESIA: Final = "cartesia"
_ELEVENLABS_QUERY: Final = frozenset(
    """
    model_id output_format inactivity_timeout auto_mode enable_ssml_parsing language_code apply_text_normalization
    """.split()  # noqa: SIM905 - a list of words
)
_ELEVENLABS_FIELDS: Final = {
    "text", "context_id", "voice_settings", "generation_config", "flush", "close_context", "close_socket"
}  # fmt: skip
_CARTESIA_FIELDS: Final = {
    "context_id", "model_id", "transcript", "voice", "language", "output_format", "continue", "max_buffer_delay_ms",
    "add_timestamps", "cancel", "flush",
}  # fmt: skip
#: So many contexts a socket may have at ElevenLabs.
_MOST: Final = 5
_PIECE: Final = 1000


class Contexts:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/elevenlabs/v1/text-to-speech/{voice}/multi-stream-input", self._elevenlabs),
            web.get("/cartesia/tts/websocket", self._cartesia),
        ]

    async def _elevenlabs(self, request: web.Request) -> web.StreamResponse:
        desk = self._desk
        desk.counts[f"{ELEVENLABS}.requests"] += 1
        fault = desk.faults.take(ELEVENLABS)
        if not request.headers.get("xi-api-key"):
            desk.wrong(ELEVENLABS, "no xi-api-key")
            return _refusal(401)
        if status := refuses(fault):
            return _refusal(status)
        if desk.check_query(ELEVENLABS, request, {"model_id"}, _ELEVENLABS_QUERY):
            return _refusal(400)
        if request.query.get("output_format") != "ulaw_8000":
            desk.wrong(ELEVENLABS, "only ulaw_8000 is simulated")
            return _refusal(400)
        return await conversed(request, fault, lambda socket, wire: _ElevenLabs(desk, wire).serve(socket))

    async def _cartesia(self, request: web.Request) -> web.StreamResponse:
        desk = self._desk
        desk.counts[f"{CARTESIA}.requests"] += 1
        fault = desk.faults.take(CARTESIA)
        key = request.headers.get("X-API-Key") or request.headers.get("Authorization")
        if not key or not request.headers.get("Cartesia-Version"):
            desk.wrong(CARTESIA, "no key, or no Cartesia-Version")
            return _refusal(401)
        if status := refuses(fault):
            return _refusal(status)
        return await conversed(request, fault, lambda socket, wire: _Cartesia(desk, wire).serve(socket))


def _refusal(status: int) -> web.Response:
    code = {401: "invalid_api_key", 402: "quota_exceeded", 429: "too_many_concurrent_requests"}.get(
        status, "error"
    )
    return web.json_response({"detail": {"status": code, "message": "x"}}, status=status)


class _Session:
    """``wrong`` counts, and ends the connection."""

    vendor = ""
    fields: frozenset[str] | set[str] = frozenset()

    def __init__(self, desk: Desk, wire: Wire) -> None:
        self._desk = desk
        self._wire = wire
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def serve(self, socket: web.WebSocketResponse) -> None:
        try:
            async for message in socket:
                try:
                    asked = json.loads(message.data) if message.type is WSMsgType.TEXT else None
                except ValueError:
                    asked = None
                if not isinstance(asked, dict) or asked.keys() - self.fields:
                    what = f"unknown message {str(message.data)[:80]}"
                else:
                    self._desk.counts[f"{self.vendor}.messages"] += 1
                    what = await self._obey(asked)
                if what == "close":
                    return
                if what:
                    self._desk.wrong(self.vendor, what)
                    await self._wire.send_json({"error": "invalid_request", "code": 1008})
                    await socket.close(code=1008, message=b"invalid_request")
                    return
        finally:
            for task in self._tasks.values():
                task.cancel()

    async def _obey(self, asked: dict[str, Any]) -> str:
        raise AssertionError("each vendor has its own")

    def _say(self, context: str, text: str) -> None:
        self._tasks[context] = asyncio.create_task(self._speak(context, text), name="simulated voice")

    async def _speak(self, context: str, text: str) -> None:
        audio = mulaw_encode(await mouth.say(text))
        with contextlib.suppress(Gone):
            for at in range(0, len(audio), _PIECE):
                await self._chunk(context, base64.b64encode(audio[at : at + _PIECE]).decode())
                await asyncio.sleep(0)
            await self._done(context)

    async def _chunk(self, context: str, data: str) -> None:
        raise AssertionError("each vendor has its own")

    async def _done(self, context: str) -> None:
        raise AssertionError("each vendor has its own")


class _ElevenLabs(_Session):
    vendor = ELEVENLABS
    fields = _ELEVENLABS_FIELDS

    def __init__(self, desk: Desk, wire: Wire) -> None:
        super().__init__(desk, wire)
        self._texts: dict[str, str] = {}

    async def _obey(self, asked: dict[str, Any]) -> str:
        if asked.get("close_socket"):
            return "close"
        context = asked.get("context_id")
        if not context:
            return "no context_id"
        if context not in self._texts:
            if "voice_settings" not in asked:
                return "a context that was not opened"
            if len(self._texts) >= _MOST:
                return "max_active_conversations"
            self._texts[context] = ""
        self._texts[context] += asked.get("text", "")
        if asked.get("close_context"):
            self._say(context, self._texts[context])
        return ""

    async def _chunk(self, context: str, data: str) -> None:
        told = {"audio": data, "isFinal": None, "alignment": None, "contextId": context}
        await self._wire.send_json(told)

    async def _done(self, context: str) -> None:
        self._texts.pop(context, None)
        await self._wire.send_json({"isFinal": True, "contextId": context})


class _Cartesia(_Session):
    vendor = CARTESIA
    fields = _CARTESIA_FIELDS

    async def _obey(self, asked: dict[str, Any]) -> str:
        context = asked.get("context_id")
        if not context:
            return "no context_id"
        if asked.get("cancel"):
            if (task := self._tasks.pop(context, None)) is not None:
                task.cancel()
            return ""
        if missing := {"model_id", "transcript", "voice", "output_format"} - asked.keys():
            return f"misses {', '.join(sorted(missing))}"
        if asked["output_format"] != {"container": "raw", "encoding": "pcm_mulaw", "sample_rate": 8000}:
            return "only raw mu-law at 8 kHz is simulated"
        if asked.get("continue"):
            return "only whole transcripts are simulated"
        self._say(context, asked["transcript"])
        return ""

    async def _chunk(self, context: str, data: str) -> None:
        told = {"type": "chunk", "context_id": context, "data": data, "done": False, "status_code": 206}
        await self._wire.send_json(told)

    async def _done(self, context: str) -> None:
        await self._wire.send_json({"type": "done", "context_id": context, "done": True, "status_code": 200})

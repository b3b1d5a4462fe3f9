"""Together AI's speech over a WebSocket: text by appends and commits, 24 kHz audio by items."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from typing import Any, Final

from aiohttp import WSMsgType, web

from voxbus.devkit.vendors import mouth, openai_chat
from voxbus.devkit.vendors.desk import Desk, WrongMessage
from voxbus.devkit.vendors.wire import Gone, Wire, conversed

NAME: Final = "together-speech"
_SHAPES: Final[dict[str, set[str]]] = {
    "input_text_buffer.append": {"text"},
    "input_text_buffer.commit": set(),
    "input_text_buffer.clear": set(),
    "tts_session.updated": {"session"},
}
_PIECE: Final = 2400


class TogetherSpeech:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/together/v1/audio/speech/websocket", self._speak)]

    async def _speak(self, request: web.Request) -> web.StreamResponse:
        desk = self._desk
        fault = desk.faults.take(NAME)
        if (refusal := openai_chat.refused(desk, NAME, request, fault)) is not None:
            return refusal
        if desk.check_query(NAME, request, {"model", "voice"}, {"max_partial_length", "language"}):
            return openai_chat.refusal(400)
        return await conversed(request, fault, lambda socket, wire: _Session(desk, wire).serve(socket))


class _Session:
    def __init__(self, desk: Desk, wire: Wire) -> None:
        self._desk = desk
        self._wire = wire
        self._text = ""
        self._items = 0
        self._todo: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    async def serve(self, socket: web.WebSocketResponse) -> None:
        await self._wire.send_json({"type": "session.created", "session": {"id": "s1"}})
        speaking = asyncio.create_task(self._speak(), name="simulated together")
        try:
            async for message in socket:
                if message.type is not WSMsgType.TEXT:
                    self._desk.wrong(NAME, "a binary message")
                    return
                await self._obey(self._desk.message(NAME, message.data, _SHAPES))
        except WrongMessage:
            error = {"message": "x", "type": "invalid_request_error", "code": "invalid_request_error"}
            await self._wire.send_json({"type": "error", "error": error})
        finally:
            speaking.cancel()

    async def _obey(self, asked: dict[str, Any]) -> None:
        match asked["type"]:
            case "input_text_buffer.append":
                self._text += asked["text"]
                told = {"type": "conversation.item.input_text.received", "text": asked["text"]}
                await self._wire.send_json(told)
            case "input_text_buffer.commit":
                self._items += 1
                self._todo.put_nowait((f"i{self._items}", self._text))
                self._text = ""
            case "input_text_buffer.clear":
                # What is being spoken goes on.
                self._text, self._todo = "", asyncio.Queue()

    async def _speak(self) -> None:
        with contextlib.suppress(Gone):
            while True:
                try:
                    item, text = self._todo.get_nowait()
                except asyncio.QueueEmpty:
                    await asyncio.sleep(0.005)
                    continue
                audio = (await mouth.say(text, 24000)).astype("<i2").tobytes()
                # Odd sizes: a sample may be cut in half between two pieces.
                for at in range(0, len(audio), _PIECE + 1):
                    piece = base64.b64encode(audio[at : at + _PIECE + 1]).decode()
                    await self._wire.send_json(
                        {"type": "conversation.item.audio_output.delta", "item_id": item, "delta": piece}
                    )
                    await asyncio.sleep(0)
                await self._wire.send_json({"type": "conversation.item.audio_output.done", "item_id": item})

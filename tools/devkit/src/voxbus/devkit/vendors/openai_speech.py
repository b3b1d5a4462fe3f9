"""OpenAI's ``/audio/speech``: 24 kHz samples without a header, in pieces that do not respect samples."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, Final

from aiohttp import web

from voxbus.devkit.vendors import mouth, openai_chat
from voxbus.devkit.vendors.desk import Desk
from voxbus.devkit.vendors.wire import streamed

NAME: Final = "openai-speech"
_FIELDS: Final = {"model", "input", "voice", "response_format", "stream_format", "speed", "instructions"}
_MAX_TEXT: Final = 4096
_PIECE: Final = 2401


class OpenAiSpeech:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/openai/v1/audio/speech", self._speak)]

    async def _speak(self, request: web.Request) -> web.StreamResponse:
        desk = self._desk
        fault = desk.faults.take(NAME)
        if (refusal := openai_chat.refused(desk, NAME, request, fault)) is not None:
            return refusal
        try:
            body: Any = json.loads(await request.read())
        except ValueError:
            body = None
        if what := _wrong(body):
            desk.wrong(NAME, what)
            return openai_chat.refusal(400)
        return await streamed(request, fault, "application/octet-stream", _pieces(body["input"]))


def _wrong(body: Any) -> str:
    if not isinstance(body, dict) or not {"model", "input", "voice"} <= body.keys() or body.keys() - _FIELDS:
        return "the body is not {model, input, voice, ...}"
    if len(body["input"]) > _MAX_TEXT:
        return "a text that is too long"
    return "" if body.get("response_format") == "pcm" else "only pcm is simulated"


async def _pieces(text: str) -> AsyncIterator[bytes]:
    audio = (await mouth.say(text, 24000)).astype("<i2").tobytes()
    for at in range(0, len(audio), _PIECE):
        yield audio[at : at + _PIECE]

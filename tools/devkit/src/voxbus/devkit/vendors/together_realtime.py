"""Together AI's realtime transcription: appended audio, and a transcript for each commit."""

from __future__ import annotations

import base64
from typing import Any, Final

import numpy as np
from aiohttp import WSMsgType, web

from voxbus.common.audio import HZ, Pcm, Resampler
from voxbus.devkit.vendors import openai_chat
from voxbus.devkit.vendors.desk import Desk, WrongMessage
from voxbus.devkit.vendors.ear import words_in
from voxbus.devkit.vendors.wire import Wire, conversed

NAME: Final = "together-realtime"
_SHAPES: Final[dict[str, set[str]]] = {
    "input_audio_buffer.append": {"audio"},
    "input_audio_buffer.commit": set(),
    "input_audio_buffer.clear": set(),
    "transcription_session.updated": {"session"},
}
_FORMATS: Final = {"pcm_s16le_8000": 8000, "pcm_s16le_16000": 16000, "pcm_s16le_24000": 24000}
_OPTIONAL: Final = frozenset(
    """
    input_audio_format language turn_detection intent threshold min_silence_duration_ms min_speech_duration_ms
    """.split()  # noqa: SIM905 - a list of words
)
_ITEM: Final = "conversation.item.input_audio_transcription."
#: A commit of less is an error, an append of more than a second is too long.
_LEAST_S: Final = 0.2
_LONGEST_S: Final = 1.1


class TogetherRealtime:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/together/v1/realtime", self._listen)]

    async def _listen(self, request: web.Request) -> web.StreamResponse:
        desk, query = self._desk, request.query
        fault = desk.faults.take(NAME)
        if (refusal := openai_chat.refused(desk, NAME, request, fault)) is not None:
            return refusal
        what = desk.check_query(NAME, request, {"model"}, _OPTIONAL)
        if not what and query.get("input_audio_format") not in _FORMATS:
            desk.wrong(NAME, what := "input_audio_format without its rate means 24 kHz")
        if not what and query.get("turn_detection") != "none":
            desk.wrong(NAME, what := "only turn_detection=none is simulated")
        if what:
            return openai_chat.refusal(400)
        hz = _FORMATS[query["input_audio_format"]]
        return await conversed(request, fault, lambda socket, wire: _Session(desk, wire, hz).serve(socket))


class _Session:
    def __init__(self, desk: Desk, wire: Wire, hz: int) -> None:
        self._desk = desk
        self._wire = wire
        self._hz = hz
        self._buffer: list[Pcm] = []
        self._items = 0

    async def serve(self, socket: web.WebSocketResponse) -> None:
        session = {"id": "s1", "object": "realtime.session", "modalities": ["audio"]}
        await self._wire.send_json({"type": "session.created", "event_id": "e1", "session": session})
        async for message in socket:
            try:
                if message.type is not WSMsgType.TEXT:
                    self._desk.wrong(NAME, "a binary message ends the session")
                    raise WrongMessage("binary")
                await self._obey(self._desk.message(NAME, message.data, _SHAPES))
            except WrongMessage:
                # Without an event_type it is the session that failed; the close says 1000 all the same.
                error = {"message": "x", "type": "invalid_request_error", "code": "invalid_request_error"}
                await self._wire.send_json({"type": f"{_ITEM}failed", "error": error})
                return

    async def _obey(self, asked: dict[str, Any]) -> None:
        match asked["type"]:
            case "input_audio_buffer.append":
                self._desk.counts[f"{NAME}.audio"] += 1
                samples = np.frombuffer(base64.b64decode(asked["audio"]), "<i2").astype(np.int16)
                if len(samples) > _LONGEST_S * self._hz:
                    self._wrong("an append of more than a second")
                self._buffer.append(samples)
            case "input_audio_buffer.clear":
                self._buffer.clear()
            case "input_audio_buffer.commit":
                await self._commit()

    async def _commit(self) -> None:
        samples = np.concatenate([np.zeros(0, np.int16), *self._buffer])
        self._buffer.clear()
        if len(samples) < _LEAST_S * self._hz:
            self._wrong("a commit of less than 200 ms")
        resampler = Resampler(self._hz, HZ)
        text = words_in(self._desk.book, np.concatenate((resampler.feed(samples), resampler.flush())))
        self._items += 1
        item = {"item_id": f"i{self._items}"}
        first, _, rest = text.partition(" ")
        if rest:
            await self._wire.send_json({"type": f"{_ITEM}delta", **item, "delta": f"{first} "})
        await self._wire.send_json({"type": f"{_ITEM}completed", **item, "transcript": text})

    def _wrong(self, what: str) -> None:
        self._desk.wrong(NAME, what)
        raise WrongMessage(what)

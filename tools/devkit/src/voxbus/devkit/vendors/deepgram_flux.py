"""Deepgram Flux, ``/v2/listen``: audio in binary frames, turns out.

    StartOfTurn -> Update* -> [EagerEndOfTurn -> [TurnResumed]] -> EndOfTurn

Time is that of the audio: without any, no turn ever ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from aiohttp import WSMsgType, web

from voxbus.common.audio import HZ, Pcm, Resampler, mulaw_decode
from voxbus.devkit.vendors import deepgram
from voxbus.devkit.vendors.desk import Desk, WrongMessage
from voxbus.devkit.vendors.ear import Ear, Event
from voxbus.devkit.vendors.wire import Wire, conversed

NAME: Final = "deepgram-flux"
_SHAPES: Final[dict[str, set[str]]] = {
    "CloseStream": set(),
    "ForceEndTurn": set(),
    "Configure": {"thresholds", "keyterms"},
}
_OPTIONAL: Final = frozenset(
    [
        "sample_rate",
        "encoding",
        "eot_threshold",
        "eager_eot_threshold",
        "eot_timeout_ms",
        "keyterm",
        "language_hint",
        "numerals",
        "profanity_filter",
        "redact",
        "mip_opt_out",
        "tag",
    ]
)
_RANGES: Final = {
    "eot_threshold": (0.5, 1.0),
    "eager_eot_threshold": (0.3, 0.9),
    "eot_timeout_ms": (500, 60000),
}
_CONFIDENCE: Final = 0.95


class DeepgramFlux:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/deepgram/v2/listen", self._listen)]

    async def _listen(self, request: web.Request) -> web.StreamResponse:
        fault = self._desk.faults.take(NAME)
        if (refusal := deepgram.refused(self._desk, NAME, request, fault)) is not None:
            return refusal
        if what := self._wrong_query(request):
            return deepgram.refusal(400, what)
        return await conversed(
            request,
            fault,
            lambda socket, wire: FluxStream(self._desk, NAME, wire, request.query).serve(socket),
        )

    def _wrong_query(self, request: web.Request) -> str:
        query = request.query
        if what := self._desk.check_query(NAME, request, {"model"}, _OPTIONAL):
            return what
        if not query["model"].startswith("flux-general-"):
            what = f"no such model {query['model']}"
        elif query.get("encoding") not in ("mulaw", "linear16") or query.get("sample_rate") not in (
            "8000",
            "16000",
        ):
            what = "raw audio needs encoding and sample_rate"
        else:
            what = next((f"{name} is out of range" for name in _RANGES if not _in_range(name, query)), "")
        if what:
            self._desk.wrong(NAME, what)
        return what


def _in_range(name: str, query: Any) -> bool:
    low, high = _RANGES[name]
    return name not in query or low <= float(query[name]) <= high


class FluxStream:
    """One connection, once its handshake is done; Cloudflare speaks the same."""

    def __init__(
        self, desk: Desk, vendor: str, wire: Wire, query: Any, shapes: dict[str, set[str]] = _SHAPES
    ) -> None:
        self._desk = desk
        self._shapes = shapes
        self._vendor = vendor
        self._wire = wire
        self._ear = Ear(desk.book, guesses="eager_eot_threshold" in query)
        self._mulaw = query["encoding"] == "mulaw"
        self._threshold = float(query.get("eot_threshold", 0.7))
        self._resampler = Resampler(int(query["sample_rate"]), HZ)
        self._sequence = 0
        self._turn = 0

    async def serve(self, socket: web.WebSocketResponse) -> None:
        await self._send({"type": "Connected"})
        async for message in socket:
            match message.type:
                case WSMsgType.BINARY:
                    self._desk.counts[f"{self._vendor}.audio"] += 1
                    for event in self._ear.feed(self._samples(message.data)):
                        await self._tell(event, "model")
                case WSMsgType.TEXT:
                    try:
                        asked = self._desk.message(self._vendor, message.data, self._shapes)
                    except WrongMessage as error:
                        await self._send(
                            {"type": "Error", "code": "UNPARSABLE_CLIENT_MESSAGE", "description": str(error)}
                        )
                        return
                    if asked["type"] == "CloseStream":
                        return
                    await self._obey(asked)

    async def _obey(self, asked: dict[str, Any]) -> None:
        if asked["type"] == "ForceEndTurn":
            for event in self._ear.force():
                await self._tell(event, "manual")
            return
        self._threshold = float(asked.get("thresholds", {}).get("eot_threshold", self._threshold))
        await self._send({"type": "ConfigureSuccess", "thresholds": {"eot_threshold": self._threshold}})

    def _samples(self, data: bytes) -> Pcm:
        pcm = mulaw_decode(data) if self._mulaw else np.frombuffer(data, "<i2").astype(np.int16)
        return self._resampler.feed(pcm)

    async def _tell(self, event: Event, trigger: str) -> None:
        for name in self._names(event):
            confidence = _CONFIDENCE if name.endswith("EndOfTurn") else 0.1
            words = [{"word": word, "confidence": 0.98} for word in event.text.split()]
            info: dict[str, Any] = {
                "type": "TurnInfo",
                "event": name,
                "turn_index": self._turn,
                "audio_window_start": event.start_ms / 1000,
                "audio_window_end": event.at_ms / 1000,
                "transcript": _written(event.text),
                "words": words,
                "end_of_turn_confidence": confidence,
            }
            if name == "EndOfTurn":
                info["trigger"] = trigger
                self._turn += 1
            await self._send(info)

    def _names(self, event: Event) -> Iterator[str]:
        match event.kind:
            case "start":
                yield "StartOfTurn"
            case "words":
                yield "Update"
            case "guess":
                yield "EagerEndOfTurn"
            case "resumed":
                yield "TurnResumed"
            case "end":
                yield "EndOfTurn"

    async def _send(self, message: dict[str, Any]) -> None:
        await self._wire.send_json({"request_id": "r1", "sequence_id": self._sequence, **message})
        self._sequence += 1


def _written(text: str) -> str:
    """As the model writes: a capital, and a full stop."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".") if text else ""

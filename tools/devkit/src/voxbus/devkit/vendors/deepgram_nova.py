"""Deepgram Nova, ``/v1/listen``: pieces of text, guesses first; ``Finalize`` asks for what is pending."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from aiohttp import WSMsgType, web

from voxbus.common.audio import mulaw_decode
from voxbus.devkit.vendors import deepgram
from voxbus.devkit.vendors.desk import Desk, WrongMessage
from voxbus.devkit.vendors.ear import Ear, Event
from voxbus.devkit.vendors.wire import Wire, conversed

NAME: Final = "deepgram-nova"
_SHAPES: Final[dict[str, set[str]]] = {"KeepAlive": set(), "Finalize": set(), "CloseStream": set()}
_OPTIONAL: Final = frozenset(
    """
    encoding sample_rate channels language interim_results endpointing utterance_end_ms vad_events smart_format
    punctuate numerals keyterm redact tag mip_opt_out profanity_filter diarize
    """.split()  # noqa: SIM905 - a list of words
)


class DeepgramNova:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/deepgram/v1/listen", self._listen)]

    async def _listen(self, request: web.Request) -> web.StreamResponse:
        fault = self._desk.faults.take(NAME)
        if (refusal := deepgram.refused(self._desk, NAME, request, fault)) is not None:
            return refusal
        query = request.query
        what = self._desk.check_query(NAME, request, {"model"}, _OPTIONAL)
        if not what and (query.get("encoding"), query.get("sample_rate")) != ("mulaw", "8000"):
            self._desk.wrong(NAME, what := "only mu-law at 8 kHz is simulated")
        if not what and "utterance_end_ms" in query and query.get("interim_results") != "true":
            self._desk.wrong(NAME, what := "utterance_end_ms needs interim_results")
        if what:
            return deepgram.refusal(400, what)
        return await conversed(request, fault, lambda socket, wire: _Stream(self._desk, wire).serve(socket))


class _Stream:
    def __init__(self, desk: Desk, wire: Wire) -> None:
        self._desk = desk
        self._wire = wire
        self._ear = Ear(desk.book)
        self._heard_ms = 0
        self._final_ms = 0

    async def serve(self, socket: web.WebSocketResponse) -> None:
        async for message in socket:
            match message.type:
                case WSMsgType.BINARY:
                    self._desk.counts[f"{NAME}.audio"] += 1
                    self._heard_ms += len(message.data) // 8
                    await self._tell(self._ear.feed(mulaw_decode(message.data)))
                case WSMsgType.TEXT:
                    try:
                        asked = self._desk.message(NAME, message.data, _SHAPES)
                    except WrongMessage as error:
                        await self._wire.send_json(
                            {"type": "Error", "code": "DATA-0000", "description": str(error)}
                        )
                        return
                    if asked["type"] == "Finalize":
                        await self._finalize()
                    elif asked["type"] == "CloseStream":
                        await self._tell(self._ear.force())
                        await self._wire.send_json({"type": "Metadata", "request_id": "r1", "channels": 1})
                        return

    async def _finalize(self) -> None:
        """Nothing pending is answered by nothing."""
        pending = [event for event in self._ear.force() if event.kind == "end"]
        if pending:
            await self._result(pending[-1].text, self._heard_ms, final=True, finalized=True)
        elif self._final_ms < self._heard_ms:
            await self._result("", self._heard_ms, final=True, finalized=True)

    async def _tell(self, events: Iterator[Event]) -> None:
        for event in events:
            if event.kind != "start":
                await self._result(event.text, event.at_ms, final=event.kind == "end")

    async def _result(self, text: str, until_ms: int, *, final: bool, finalized: bool = False) -> None:
        start_ms = self._final_ms
        words = [{"word": word, "confidence": 0.98} for word in text.split()]
        result: dict[str, Any] = {
            "type": "Results",
            "channel_index": [0, 1],
            "start": start_ms / 1000,
            "duration": (until_ms - start_ms) / 1000,
            "is_final": final,
            "speech_final": False,
            "from_finalize": finalized,
            "channel": {"alternatives": [{"transcript": text, "confidence": 0.98, "words": words}]},
        }
        if final:
            self._final_ms = until_ms
        await self._wire.send_json(result)

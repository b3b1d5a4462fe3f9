"""Speech sent as a file: OpenAI's ``/audio/transcriptions``, the same at Groq, and whisper at Cloudflare."""

from __future__ import annotations

import base64
import io
import wave
from typing import Any, Final

import numpy as np
from aiohttp import web

from voxbus.common.audio import HZ, Pcm, Resampler
from voxbus.devkit.vendors import openai_chat, workers_ai
from voxbus.devkit.vendors.desk import Desk, refuses
from voxbus.devkit.vendors.ear import words_in
from voxbus.devkit.vendors.wire import streamed

VENDORS: Final = {"openai-transcribe": "/openai/v1", "groq-transcribe": "/groq/openai/v1"}
WHISPER: Final = "cloudflare-whisper"
_FIELDS: Final = {"file", "model", "language", "response_format", "prompt", "temperature"}


class Transcriptions:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        paths = [web.post(f"{path}/audio/transcriptions", self._transcribe) for path in VENDORS.values()]
        whisper = "/cloudflare/accounts/{account}/ai/run/@cf/openai/whisper-large-v3-turbo"
        return [*paths, web.post(whisper, self._whisper)]

    async def _transcribe(self, request: web.Request) -> web.StreamResponse:
        desk = self._desk
        vendor = next(name for name, path in VENDORS.items() if request.path.startswith(path))
        fault = desk.faults.take(vendor)
        if (refusal := openai_chat.refused(desk, vendor, request, fault)) is not None:
            return refusal
        form = await request.post()
        sent = form.get("file")
        if form.keys() - _FIELDS or not form.get("model") or not isinstance(sent, web.FileField):
            desk.wrong(vendor, "the form is not {file, model, ...}")
            return openai_chat.refusal(400)
        text = words_in(desk.book, _samples(sent.file.read()))
        return await streamed(request, fault, "application/json", openai_chat.whole({"text": text}))

    async def _whisper(self, request: web.Request) -> web.StreamResponse:
        desk = self._desk
        desk.counts[f"{WHISPER}.requests"] += 1
        fault = desk.faults.take(WHISPER)
        if not request.headers.get("Authorization", "").startswith("Bearer "):
            desk.wrong(WHISPER, "no Authorization: Bearer")
            return workers_ai.refusal(401)
        if status := refuses(fault):
            return workers_ai.refusal(status)
        body: Any = await request.json()
        if (
            not isinstance(body, dict)
            or "audio" not in body
            or body.keys() - {"audio", "language", "vad_filter"}
        ):
            desk.wrong(WHISPER, "the body is not {audio, ...}")
            return workers_ai.refusal(400)
        text = words_in(desk.book, _samples(base64.b64decode(body["audio"])))
        result = {"text": text, "word_count": len(text.split()), "segments": []}
        answer = {"result": result, "success": True, "errors": [], "messages": []}
        return await streamed(request, fault, "application/json", openai_chat.whole(answer))


def _samples(wav: bytes) -> Pcm:
    with wave.open(io.BytesIO(wav), "rb") as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int16)
        resampler = Resampler(file.getframerate(), HZ)
    return np.concatenate((resampler.feed(samples), resampler.flush()))

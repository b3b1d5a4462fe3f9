"""Recognizers that are asked, not streamed to: one request a stretch of speech, to any server of that protocol.

    openai-transcribe    POST /audio/transcriptions: OpenAI, or a server of your own
    groq-transcribe      the same, at Groq
    cloudflare-whisper   POST /ai/run, the audio in JSON

The request begins as soon as the caller may be done; when they go on, it was for nothing, and comes again.
"""

from __future__ import annotations

import asyncio
import base64
import io
import wave
from collections.abc import Callable
from typing import Any, Final, Protocol

import httpx

from voxbus.common import json_text
from voxbus.common.agents import Agent
from voxbus.common.audio import HZ, mulaw_decode
from voxbus.common.errors import ProviderError
from voxbus.common.providers import http
from voxbus.common.providers.failures import error_in
from voxbus.stt.providers.dialect import StreamRecognizer
from voxbus.stt.recognizer import Listener, Transcript, TurnEnds

_DEADLINE_S: Final = 4.0
_LONGEST_BYTES: Final = 60_000 * 8
#: Less is no word, and some servers answer it with an error.
_SHORTEST_BYTES: Final = 100 * 8


class Ask(Protocol):
    """One protocol."""

    def request(self, wav: bytes, language: str) -> dict[str, Any]:
        """Arguments of the POST, its ``path`` among them."""

    def text(self, body: Any) -> str:
        """Raises ProviderError when there is none."""


class Transcriber(StreamRecognizer):
    ends_turns = False

    def __init__(self, base_url: str, token: str, ask: Ask) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.http = http.client(base_url, headers, connect_s=_DEADLINE_S)
        self.ask = ask

    def attend(self, agent: Agent, ends: TurnEnds, listener: Listener) -> Requests:
        return Requests(self, agent.language.partition("-")[0], listener)

    async def close(self) -> None:
        await self.http.aclose()


class Requests:
    """Of one call."""

    def __init__(self, transcriber: Transcriber, language: str, listener: Listener) -> None:
        self._transcriber = transcriber
        self._language = language
        self._listener = listener
        self._warming = asyncio.create_task(http.warm(transcriber.http), name="warm")

    async def ready(self) -> None:
        return None

    def open(self) -> Request:
        return Request(self._transcribe, self._listener)

    async def close(self) -> None:
        self._warming.cancel()

    async def _transcribe(self, mulaw: bytes) -> str:
        transcriber = self._transcriber
        try:
            async with asyncio.timeout(_DEADLINE_S):
                asked = transcriber.ask.request(_wav(mulaw), self._language)
                async with http.posted(transcriber.http, asked.pop("path"), **asked) as response:
                    return transcriber.ask.text(await _body(response)).strip()
        except TimeoutError:
            raise ProviderError("timeout") from None


class Request:
    """One stretch of speech."""

    def __init__(self, transcribe: Callable[[bytes], Any], listener: Listener) -> None:
        self._transcribe = transcribe
        self._listener = listener
        self._audio = bytearray()
        self._asked: asyncio.Task[str] | None = None

    def feed(self, audio: bytes) -> None:
        self._audio += audio
        del self._audio[:-_LONGEST_BYTES]

    def look(self) -> None:
        self._drop()
        self._asked = asyncio.create_task(self._transcribe(bytes(self._audio)), name="transcribe")
        self._asked.add_done_callback(self._looked)

    async def finish(self, *, looked: bool) -> Transcript:
        if self._asked is not None and not looked:
            self._drop()
        if self._asked is None:
            if len(self._audio) < _SHORTEST_BYTES:
                return Transcript("")
            self._asked = asyncio.create_task(self._transcribe(bytes(self._audio)), name="transcribe")
        try:
            return Transcript(await self._asked)
        except ProviderError as error:
            self._listener.on_failed(error)
            raise

    def cancel(self) -> None:
        self._drop()

    def _drop(self) -> None:
        if self._asked is not None:
            self._asked.remove_done_callback(self._looked)
            self._asked.cancel()
            self._asked = None

    def _looked(self, task: asyncio.Task[str]) -> None:
        if (
            task is self._asked
            and not task.cancelled()
            and task.exception() is None
            and (text := task.result())
        ):
            self._listener.on_partial(text)


class OpenAiTranscribe:
    def __init__(self, model: str) -> None:
        self._model = model

    def request(self, wav: bytes, language: str) -> dict[str, Any]:
        fields = {"model": self._model, "language": language, "response_format": "json"}
        return {
            "path": "audio/transcriptions",
            "data": fields,
            "files": {"file": ("speech.wav", wav, "audio/wav")},
        }

    def text(self, body: Any) -> str:
        return _text_in(body)


class CloudflareWhisper:
    def __init__(self, model: str) -> None:
        self._model = model

    def request(self, wav: bytes, language: str) -> dict[str, Any]:
        audio = base64.b64encode(wav).decode()
        return {"path": f"run/{self._model}", "json": {"audio": audio, "language": language}}

    def text(self, body: Any) -> str:
        if isinstance(body, dict) and body.get("success") is False:
            raise error_in(body)
        return _text_in(body.get("result") if isinstance(body, dict) else None)


def _text_in(body: Any) -> str:
    text = body.get("text") if isinstance(body, dict) else None
    if not isinstance(text, str):
        raise ProviderError("malformed", "an answer without a text")
    return text


async def _body(response: httpx.Response) -> Any:
    try:
        return json_text.loads(await response.aread())
    except ValueError:
        raise ProviderError("malformed", "an answer that is not JSON") from None


def _wav(mulaw: bytes) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(HZ)
        file.writeframes(mulaw_decode(mulaw).astype("<i2").tobytes())
    return out.getvalue()

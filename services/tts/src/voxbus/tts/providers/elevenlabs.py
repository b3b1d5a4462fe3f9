"""ElevenLabs, its socket with contexts: mu-law at 8 kHz, in JSON. A sentence is a context.

We say ``context_id`` and are told ``contextId``. A context that is not closed counts against the five that a socket may
have; nothing is spoken before 120 characters unless it is flushed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote, urlencode

from voxbus.common.providers.failures import error_in
from voxbus.common.providers.frames import frame
from voxbus.tts.providers.dialect import Message, Said
from voxbus.tts.providers.sockets import Vendor
from voxbus.tts.providers.together import audio_in
from voxbus.tts.voicing import MULAW

DEFAULT_MODEL: Final = "eleven_flash_v2_5"
DEFAULT_VOICE: Final = "21m00Tcm4TlvDq8ikWAM"
#: The most that the vendor allows; idle sockets of ours are closed sooner.
_INACTIVITY_S: Final = 180
#: Of one socket; one more ends it.
_MOST_CONTEXTS: Final = 5


def elevenlabs(base_url: str, api_key: str, model: str, default_voice: str) -> Vendor:
    url = base_url.replace("http", "ws", 1).rstrip("/")
    headers = {"xi-api-key": api_key}
    model = model or DEFAULT_MODEL
    query = urlencode({"model_id": model, "output_format": "ulaw_8000", "inactivity_timeout": _INACTIVITY_S})

    def address(voice: str) -> tuple[str, Mapping[str, str]]:
        return f"{url}/text-to-speech/{quote(voice, safe='')}/multi-stream-input?{query}", headers

    voice = default_voice or DEFAULT_VOICE
    return Vendor("elevenlabs", MULAW, voice, r"[A-Za-z0-9]{20}", address, lambda _: Contexts(), model)


class Contexts:
    """The protocol."""

    def __init__(self) -> None:
        self._count = 0
        self._open: set[str] = set()

    def may_begin(self, now_s: float) -> bool:
        return len(self._open) < _MOST_CONTEXTS

    def begin(self, text: str, now_s: float) -> Sequence[str]:
        self._count += 1
        self._open.add(self._context)
        context = {"context_id": self._context}
        return (
            json.dumps({"text": " ", "voice_settings": {}, **context}),
            json.dumps({"text": f"{text} ", **context}),
            json.dumps({"flush": True, **context}),
            json.dumps({"close_context": True, **context}),
        )

    def read(self, message: Message) -> Said:
        told = frame(message)
        if told.get("error") or told.get("detail"):
            raise error_in(told)
        context, final = told.get("contextId"), told.get("isFinal") is True
        if final:
            self._open.discard(str(context))
        if context != self._context:
            return Said()  # of one that was cut off
        return Said(audio_in(told, "audio"), over=final)

    def cut_off(self) -> Sequence[str]:
        return ()  # it was closed when it began; what still comes of it is not listened to

    def is_free(self, message: Message | None) -> bool:
        return True

    def goodbye(self) -> Sequence[str]:
        return ('{"close_socket":true}',)

    @property
    def _context(self) -> str:
        return f"c{self._count}"

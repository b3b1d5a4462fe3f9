"""Cartesia: mu-law at 8 kHz, in JSON; a sentence is a context, which a ``cancel`` ends."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from voxbus.common.providers.failures import error_in
from voxbus.common.providers.frames import frame
from voxbus.tts.providers.dialect import Message, Said
from voxbus.tts.providers.sockets import Vendor
from voxbus.tts.providers.together import audio_in
from voxbus.tts.voicing import MULAW

DEFAULT_MODEL: Final = "sonic-3.5"
DEFAULT_VOICE: Final = "694f9389-aac1-45b6-b726-9d9369183238"
_VERSION: Final = "2026-08-14"
_VOICES: Final = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def cartesia(base_url: str, api_key: str, model: str, default_voice: str) -> Vendor:
    url = base_url.replace("http", "ws", 1).rstrip("/") + "/tts/websocket"
    headers = {"X-API-Key": api_key, "Cartesia-Version": _VERSION}
    model = model or DEFAULT_MODEL

    def address(_voice: str) -> tuple[str, Mapping[str, str]]:
        return url, headers

    voice = default_voice or DEFAULT_VOICE
    return Vendor("cartesia", MULAW, voice, _VOICES, address, lambda name: Sonic(model, name), model)


class Sonic:
    """The protocol."""

    def __init__(self, model: str, voice: str) -> None:
        self._model = model
        self._voice = voice
        self._count = 0

    def may_begin(self, now_s: float) -> bool:
        return True

    def begin(self, text: str, now_s: float) -> Sequence[str]:
        self._count += 1
        request = {
            "context_id": self._context,
            "model_id": self._model,
            "transcript": text,
            "voice": {"mode": "id", "id": self._voice},
            "output_format": {"container": "raw", "encoding": "pcm_mulaw", "sample_rate": 8000},
            "continue": False,
            # A sentence is whole when it comes: by default the vendor would wait for more of it.
            "max_buffer_delay_ms": 0,
        }
        return (json.dumps(request),)

    def read(self, message: Message) -> Said:
        told = frame(message)
        if told.get("context_id", self._context) != self._context:
            return Said()  # in flight when it was cut off
        match told.get("type"):
            case "chunk":
                return Said(audio_in(told, "data"))
            case "done":
                return Said(over=True)
            case "error":
                raise error_in(told)
        return Said()

    def cut_off(self) -> Sequence[str]:
        return (json.dumps({"context_id": self._context, "cancel": True}),)

    def is_free(self, message: Message | None) -> bool:
        return True

    def goodbye(self) -> Sequence[str]:
        return ()

    @property
    def _context(self) -> str:
        return f"c{self._count}"

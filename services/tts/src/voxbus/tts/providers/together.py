"""Together AI's speech: always 24 kHz, whatever is asked for; audio in JSON, by item.

A ``clear`` drops text that is not being spoken yet; what is goes on, so nobody listens to an item that was cut off.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from voxbus.common.errors import ProviderError
from voxbus.common.providers.failures import error_in
from voxbus.common.providers.frames import frame
from voxbus.tts.providers.dialect import Message, Said
from voxbus.tts.providers.sockets import Vendor
from voxbus.tts.voicing import Format

DEFAULT_MODEL: Final = "hexgrad/Kokoro-82M"
DEFAULT_VOICE: Final = "af_heart"
_ITEM: Final = "conversation.item."


def together(base_url: str, api_key: str, model: str, default_voice: str) -> Vendor:
    url = base_url.replace("http", "ws", 1).rstrip("/") + "/audio/speech/websocket"
    headers = {"Authorization": f"Bearer {api_key}"}
    model = model or DEFAULT_MODEL

    def address(voice: str) -> tuple[str, Mapping[str, str]]:
        return f"{url}?{urlencode({'model': model, 'voice': voice})}", headers

    voice = default_voice or DEFAULT_VOICE
    return Vendor("together", Format(24000), voice, r"[a-z]{2}_\w+", address, lambda _: Items(), model)


class Items:
    """The protocol. A sentence is one item, whose name is known with its first audio."""

    def __init__(self) -> None:
        self._item = ""
        self._over: set[str] = set()

    def may_begin(self, now_s: float) -> bool:
        return True

    def begin(self, text: str, now_s: float) -> Sequence[str]:
        self._item = ""
        append = json.dumps({"type": "input_text_buffer.append", "text": text})
        return append, '{"type":"input_text_buffer.commit"}'

    def read(self, message: Message) -> Said:
        told = frame(message)
        kind = str(told.get("type", ""))
        if kind == "error" or kind == f"{_ITEM}tts.failed":
            raise error_in(told)
        item = str(told.get("item_id", ""))
        if item in self._over:
            return Said()
        match kind:
            case "conversation.item.audio_output.delta":
                self._item = item
                return Said(audio_in(told, "delta"))
            case "conversation.item.audio_output.done":
                self._over.add(item)
                return Said(over=True)
        return Said()

    def cut_off(self) -> Sequence[str] | None:
        if not self._item:
            return None  # its audio would come under a name that nobody knows
        self._over.add(self._item)
        return ('{"type":"input_text_buffer.clear"}',)

    def is_free(self, message: Message | None) -> bool:
        return True

    def goodbye(self) -> Sequence[str]:
        return ()


def audio_in(told: Mapping[str, Any], field: str) -> bytes:
    """Audio in base64; empty where there is none."""
    try:
        return base64.b64decode(told.get(field) or "", validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise ProviderError("malformed", "audio that is not base64") from None

"""Deepgram Aura: mu-law at 8 kHz over a WebSocket, as the telephone wants it; at Deepgram, and at Cloudflare.

A socket has no notion of sentences: what it says belongs to whoever flushed last, and a clear drops everything. It may
be flushed 20 times in 60 s (then it only warns, and a flush is never answered); one that is used up rests while others
work. Where no socket is to be had, Deepgram takes the sentence as a request.

    Speak, Flush -> audio, audio, audio, Flushed           the socket is free
    Speak, Flush -> audio, Clear -> audio, Cleared         the caller interrupted: what comes until then is dropped
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlencode

from voxbus.common.errors import ProviderError
from voxbus.common.providers.failures import error_in
from voxbus.common.providers.frames import frame
from voxbus.tts.providers.dialect import Message, Said
from voxbus.tts.providers.sockets import Rest, Vendor
from voxbus.tts.voicing import MULAW

DEFAULT_VOICE: Final = "aura-2-thalia-en"
CLOUDFLARE_MODEL: Final = "@cf/deepgram/aura-2-en"
CLOUDFLARE_VOICE: Final = "luna"
#: One less than the vendor allows in that time, for clocks differ.
_FLUSHES: Final = 19
_FLUSHES_S: Final = 60.0
_LINE: Final = {"encoding": "mulaw", "sample_rate": "8000"}


def deepgram_aura(base_url: str, api_key: str, default_voice: str) -> Vendor:
    """There, voice and model are one name."""
    url = base_url.replace("http", "ws", 1).rstrip("/") + "/v1/speak"
    headers = {"Authorization": f"Token {api_key}"}

    def address(voice: str) -> tuple[str, Mapping[str, str]]:
        return f"{url}?{urlencode({'model': voice, **_LINE})}", headers

    # Without the container a WAV header would come first, which on a telephone is a crack.
    rest = Rest(
        base_url,
        headers,
        path=lambda voice: f"v1/speak?{urlencode({'model': voice, **_LINE, 'container': 'none'})}",
        body=lambda text: {"text": text},
    )
    voice = default_voice or DEFAULT_VOICE
    return Vendor("deepgram-aura", MULAW, voice, r"aura-.+", address, lambda _: Aura(), rest=rest)


def cloudflare_aura(gateway: str, authorization: str, model: str, default_voice: str) -> Vendor:
    """``gateway``: the URL of the account's gateway. A voice is a speaker of the model."""
    url = gateway.replace("http", "ws", 1).rstrip("/") + "/workers-ai"
    headers = {"cf-aig-authorization": authorization}
    model = model or CLOUDFLARE_MODEL

    def address(voice: str) -> tuple[str, Mapping[str, str]]:
        return f"{url}?{urlencode({'model': model, 'speaker': voice, **_LINE})}", headers

    voice = default_voice or CLOUDFLARE_VOICE
    return Vendor("cloudflare-aura", MULAW, voice, r"[a-z]{3,20}", address, lambda _: Aura(), model)


class Aura:
    """The protocol."""

    def __init__(self) -> None:
        self._flushed: deque[float] = deque(maxlen=_FLUSHES)

    def may_begin(self, now_s: float) -> bool:
        return len(self._flushed) < _FLUSHES or now_s - self._flushed[0] > _FLUSHES_S

    def begin(self, text: str, now_s: float) -> Sequence[str]:
        self._flushed.append(now_s)
        return json.dumps({"type": "Speak", "text": text}), '{"type":"Flush"}'

    def read(self, message: Message) -> Said:
        if isinstance(message, bytes):
            return Said(message)
        told = frame(message)
        match told.get("type"):
            case "Flushed":
                return Said(over=True)
            case "Error":
                raise error_in(told)
            case "Warning" if "FLUSH" in str(told.get("code", "")).upper():
                raise ProviderError("rate_limited", "flushed too often")
        return Said()  # Metadata, other warnings, and what may come to be

    def cut_off(self) -> Sequence[str]:
        return ('{"type":"Clear"}',)

    def is_free(self, message: Message | None) -> bool:
        return isinstance(message, str) and frame(message).get("type") == "Cleared"

    def goodbye(self) -> Sequence[str]:
        return ('{"type":"Close"}',)

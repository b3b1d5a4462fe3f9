"""Deepgram Flux at Cloudflare, by way of an AI Gateway: linear samples, and no messages but audio and the end.

A ``KeepAlive`` or a ``Finalize`` has been seen to kill the stream, so nothing but ``CloseStream`` is ever said: silence
keeps it open, and a turn that somebody else ends has the words that are known by then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from voxbus.common.agents import Agent
from voxbus.common.audio import mulaw_decode
from voxbus.stt.providers.deepgram_flux import Flux, thresholds
from voxbus.stt.providers.dialect import Endpoint, Message, StreamRecognizer, socket_url
from voxbus.stt.providers.streaming import StreamHearing
from voxbus.stt.recognizer import Listener, TurnEnds

DEFAULT_MODEL: Final = "@cf/deepgram/flux"
#: Narrower than at Deepgram itself.
_THRESHOLDS: Final = (0.5, 0.9)


class CloudflareFlux(StreamRecognizer):
    """``bearer``: gateways differ about whether the token wants the word."""

    ends_turns = True

    def __init__(
        self, gateway_url: str, account: str, gateway: str, token: str, model: str, *, bearer: bool = False
    ) -> None:
        self._base_url = f"{gateway_url.rstrip('/')}/{account}/{gateway}"
        self._headers = {"cf-aig-authorization": f"Bearer {token}" if bearer else token}
        self._model = model or DEFAULT_MODEL

    def attend(self, agent: Agent, ends: TurnEnds, listener: Listener) -> StreamHearing:
        query = {
            "model": self._model,
            "encoding": "linear16",
            "sample_rate": 8000,
            **thresholds(ends, *_THRESHOLDS),
        }
        url = socket_url(self._base_url, "workers-ai", query)
        return StreamHearing(Endpoint("cloudflare-flux", url, self._headers, LinearFlux), listener)


class LinearFlux(Flux):
    last_words_s = 0.5

    def audio(self, mulaw: bytes) -> Message:
        return mulaw_decode(mulaw).astype("<i2").tobytes()

    def idle(self) -> tuple[Message, int]:
        silence, counts_bytes = super().idle()
        assert isinstance(silence, bytes)
        return self.audio(silence), counts_bytes

    def end_turn(self, *, begun: bool) -> Sequence[Message]:
        return ()

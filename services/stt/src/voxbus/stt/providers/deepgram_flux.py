"""Deepgram Flux: mu-law as the line has it, turns as the model sees them end, and guesses before that.

Flux goes by the time of the audio: when none comes after speech began, the turn never ends. So silence is fed whenever
there is nothing to feed. There is no keep-alive besides; a message that the protocol does not know would end the call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from voxbus.common.agents import Agent
from voxbus.common.errors import ProviderError
from voxbus.common.providers.failures import error_in
from voxbus.common.providers.frames import frame
from voxbus.stt.core_stream import BYTES_PER_MS, Heard
from voxbus.stt.providers.deepgram import DeepgramRecognizer
from voxbus.stt.providers.dialect import Endpoint, Message, socket_url
from voxbus.stt.providers.streaming import StreamHearing
from voxbus.stt.recognizer import Listener, TurnEnds

DEFAULT_MODEL: Final = "flux-general-en"
_IDLE_S: Final = 0.2
_SILENCE: Final = b"\xff" * (200 * BYTES_PER_MS)
#: What the model accepts; ours may be lower.
_LOWEST_THRESHOLD: Final = 0.5
#: The same for a guess.
_GUESSES: Final = (0.3, 0.9)
#: The longest pause before the model gives up waiting for the turn's end; ours is shorter, this one is for safety.
_TIMEOUT_MS: Final = 5000


def thresholds(ends: TurnEnds, low: float, high: float) -> dict[str, float]:
    """What to ask for; no guesses where they would come no sooner than the end."""
    sure = min(max(ends.sure, low), high)
    asked = {"eot_threshold": sure}
    if 0 < ends.likely < sure:
        asked["eager_eot_threshold"] = min(max(ends.likely, _GUESSES[0]), _GUESSES[1])
    return asked


class DeepgramFlux(DeepgramRecognizer):
    ends_turns = True
    default_model = DEFAULT_MODEL

    def attend(self, agent: Agent, ends: TurnEnds, listener: Listener) -> StreamHearing:
        query = {
            "model": self._model,
            "encoding": "mulaw",
            "sample_rate": 8000,
            **thresholds(ends, _LOWEST_THRESHOLD, 1.0),
            "eot_timeout_ms": _TIMEOUT_MS,
        }
        url = socket_url(self._base_url, "v2/listen", query)
        return StreamHearing(Endpoint("deepgram-flux", url, self._headers, Flux), listener)


class Flux:
    """The protocol. ``turn_index`` is the turn; its text is always all of it."""

    idle_s = _IDLE_S
    flushes = False
    last_words_s = 1.5

    def opening(self) -> Sequence[Message]:
        return ()

    def audio(self, mulaw: bytes) -> Message:
        return mulaw

    def idle(self) -> tuple[Message, int]:
        return _SILENCE, len(_SILENCE)

    def end_turn(self, *, begun: bool) -> Sequence[Message]:
        return ('{"type":"ForceEndTurn"}',) if begun else ()

    def look(self) -> Sequence[Message]:
        return ()

    def dropped(self) -> Sequence[Message]:
        return ()

    def closing(self) -> Sequence[Message]:
        return ('{"type":"CloseStream"}',)

    def read(self, message: Message) -> Sequence[Heard]:
        told = frame(message)
        match told.get("type"):
            case "TurnInfo":
                return self._turn(told)
            case "Error":
                raise error_in(told)
        return ()

    def _turn(self, told: Mapping[str, Any]) -> Sequence[Heard]:
        event = told.get("event")
        ended = event == "EndOfTurn"
        try:
            turn, text = int(told["turn_index"]), str(told["transcript"])
            until_ms = float(told["audio_window_end"]) * 1000
            sure = float(told.get("end_of_turn_confidence", 1.0))
        except (KeyError, TypeError, ValueError):
            raise ProviderError("malformed", "a turn without its number, its text or its place") from None
        if ended:
            # Ended by the clock, or by us, it is over however sure the model is.
            return (
                Heard(turn, text, until_ms, True, sure if told.get("trigger", "model") == "model" else 1.0),
            )
        guessed, resumed = event == "EagerEndOfTurn", event == "TurnResumed"
        heard = Heard(turn, text, until_ms, False, _confidence(told), guessed=guessed, resumed=resumed)
        # Updates come a few times a second, also when nothing was said.
        return (heard,) if text or resumed else ()


def _confidence(told: Mapping[str, Any]) -> float:
    """Of the words, on average."""
    words = told.get("words")
    found = [
        float(word["confidence"])
        for word in (words if isinstance(words, list) else ())
        if isinstance(word, dict) and isinstance(word.get("confidence"), int | float)
    ]
    return sum(found) / len(found) if found else 1.0

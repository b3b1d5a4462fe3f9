"""Deepgram Nova: words as they are said; who says when the turn is over is we.

An utterance is the final pieces joined. When the caller may be done we ask for what is pending (``Finalize``), so that
the words are there when the turn ends; nothing pending may be answered by nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from voxbus.common.agents import Agent
from voxbus.common.errors import ProviderError
from voxbus.common.providers.failures import error_in
from voxbus.common.providers.frames import frame
from voxbus.stt.core_stream import Heard
from voxbus.stt.providers.deepgram import DeepgramRecognizer
from voxbus.stt.providers.dialect import Endpoint, Message, socket_url
from voxbus.stt.providers.streaming import StreamHearing
from voxbus.stt.recognizer import Listener, TurnEnds

DEFAULT_MODEL: Final = "nova-3"
#: After 10 s of nothing the vendor hangs up.
_KEEP_ALIVE_S: Final = 4.0
_FINALIZE: Final = '{"type":"Finalize"}'


class DeepgramNova(DeepgramRecognizer):
    ends_turns = False
    default_model = DEFAULT_MODEL

    def attend(self, agent: Agent, ends: TurnEnds, listener: Listener) -> StreamHearing:
        query = {
            "model": self._model,
            "language": agent.language,
            "encoding": "mulaw",
            "sample_rate": 8000,
            "channels": 1,
            "interim_results": "true",
            "endpointing": "false",
            "smart_format": "true",
        }
        url = socket_url(self._base_url, "v1/listen", query)
        return StreamHearing(Endpoint("deepgram-nova", url, self._headers, Nova), listener)


class Nova:
    """The protocol. A piece of text is replaced until it is final; then the next one begins."""

    idle_s = _KEEP_ALIVE_S
    flushes = True
    last_words_s = 1.0

    def __init__(self) -> None:
        self._piece = 0

    def opening(self) -> Sequence[Message]:
        return ()

    def audio(self, mulaw: bytes) -> Message:
        return mulaw

    def idle(self) -> tuple[Message, int]:
        return '{"type":"KeepAlive"}', 0

    def look(self) -> Sequence[Message]:
        return (_FINALIZE,)

    def end_turn(self, *, begun: bool) -> Sequence[Message]:
        return (_FINALIZE,)

    def dropped(self) -> Sequence[Message]:
        return (_FINALIZE,)

    def closing(self) -> Sequence[Message]:
        return ('{"type":"CloseStream"}',)

    def read(self, message: Message) -> Sequence[Heard]:
        told = frame(message)
        match told.get("type"):
            case "Results":
                return self._results(told)
            case "Error":
                raise error_in(told)
        return ()

    def _results(self, told: Mapping[str, Any]) -> Sequence[Heard]:
        try:
            best = told["channel"]["alternatives"][0]
            text = str(best["transcript"])
            until_ms = (float(told["start"]) + float(told["duration"])) * 1000
            sure = float(best.get("confidence", 1.0))
        except (KeyError, IndexError, TypeError, ValueError):
            raise ProviderError("malformed", "results without their text or place") from None
        final, flushed = told.get("is_final") is True, told.get("from_finalize") is True
        piece = self._piece
        self._piece += final
        if not text and not flushed:
            return ()
        # Ends of pieces are not ends of turns: nobody is told that one is over.
        heard = Heard(piece, text, until_ms, ended=False, confidence=sure, flushed=flushed)
        return (heard,)

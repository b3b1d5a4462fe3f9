"""Together AI's realtime transcription: audio in JSON, a transcript for each commit.

Without server-side detection nothing is transcribed until it is committed, and a commit of less than 200 ms is none: it
is filled up with silence. A turn that failed is told with its ``event_type``; without one, the session is over. The
close that follows says 1000 whatever happened.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from voxbus.common.agents import Agent
from voxbus.common.audio import mulaw_decode
from voxbus.common.providers.failures import error_in
from voxbus.common.providers.frames import frame
from voxbus.stt.core_stream import BYTES_PER_MS, Heard
from voxbus.stt.providers.dialect import Endpoint, Message, StreamRecognizer, socket_url
from voxbus.stt.providers.streaming import StreamHearing
from voxbus.stt.recognizer import Listener, TurnEnds

DEFAULT_MODEL: Final = "openai/whisper-large-v3"
_ITEM: Final = "conversation.item.input_audio_transcription."
_LEAST_BYTES: Final = 200 * BYTES_PER_MS
#: Without an append for 300 s the server hangs up.
_IDLE_S: Final = 60.0
_IDLE: Final = b"\xff" * (20 * BYTES_PER_MS)
_SILENCE: Final = b"\xff"


class TogetherRealtime(StreamRecognizer):
    ends_turns = False

    def __init__(self, base_url: str, api_key: str, model: str) -> None:
        self._base_url = base_url
        self._headers = {"Authorization": f"Bearer {api_key}", "OpenAI-Beta": "realtime=v1"}
        self._model = model or DEFAULT_MODEL

    def attend(self, agent: Agent, ends: TurnEnds, listener: Listener) -> StreamHearing:
        query = {
            "model": self._model,
            "input_audio_format": "pcm_s16le_8000",
            "language": agent.language.partition("-")[0],
            "turn_detection": "none",
        }
        url = socket_url(self._base_url, "realtime", query)
        return StreamHearing(Endpoint("together", url, self._headers, Realtime), listener)


class Realtime:
    """The protocol. Each commit is a turn; its text may come in pieces before it is complete."""

    idle_s = _IDLE_S
    flushes = True
    last_words_s = 2.0

    def __init__(self) -> None:
        self._turn = 0
        self._text = ""
        self._uncommitted_bytes = 0

    def opening(self) -> Sequence[Message]:
        return ()

    def audio(self, mulaw: bytes) -> Message:
        self._uncommitted_bytes += len(mulaw)
        samples = mulaw_decode(mulaw).astype("<i2").tobytes()
        return json.dumps({"type": "input_audio_buffer.append", "audio": base64.b64encode(samples).decode()})

    def idle(self) -> tuple[Message, int]:
        return self.audio(_IDLE), 0

    def look(self) -> Sequence[Message]:
        return ()  # cut in the middle, it would be heard worse

    def end_turn(self, *, begun: bool) -> Sequence[Message]:
        missing = _LEAST_BYTES - self._uncommitted_bytes
        filled = (self.audio(_SILENCE * missing),) if missing > 0 else ()
        self._uncommitted_bytes = 0
        return (*filled, '{"type":"input_audio_buffer.commit"}')

    def dropped(self) -> Sequence[Message]:
        self._uncommitted_bytes = 0
        return ('{"type":"input_audio_buffer.clear"}',)

    def closing(self) -> Sequence[Message]:
        return ()

    def read(self, message: Message) -> Sequence[Heard]:
        told = frame(message)
        kind = str(told.get("type", ""))
        if kind == "error":
            raise error_in(told)
        if not kind.startswith(_ITEM):
            return ()
        match kind.removeprefix(_ITEM):
            case "delta":
                self._text += _text(told, "delta", "transcript")
                return (Heard(self._turn, self._text),) if self._text else ()
            case "completed":
                return self._over(_text(told, "transcript", "text"))
            case "failed":
                if "event_type" not in told:
                    raise error_in(told)
                return self._over("")
        return ()

    def _over(self, text: str) -> Sequence[Heard]:
        turn, self._text = self._turn, ""
        self._turn += 1
        return (Heard(turn, text.strip(), ended=True, flushed=True),)


def _text(told: Mapping[str, Any], *names: str) -> str:
    """Vendors and their own libraries differ about where it is."""
    return next((str(told[name]) for name in names if isinstance(told.get(name), str)), "")

"""The utterances of one caller: their turns and attempts, and what is taken back and comes again.

The last one published is open as long as nothing of its reply was audible. Whoever speaks on then goes on with the
same turn: it is withdrawn, and its text comes again, joined with the rest, as the next attempt.
"""

from __future__ import annotations

from dataclasses import dataclass

from voxbus.common import events as ev
from voxbus.common.fold import CallState
from voxbus.stt.core_speech import Speech
from voxbus.stt.core_words import join

_SPOKEN: tuple[ev.EndedBy, ...] = ("silence", "provider", "max_duration")
#: What nobody can go on with: keys are a whole, and after the time limit, or a machine, nothing is taken back.
_WHOLE: tuple[ev.EndedBy, ...] = ("dtmf", "time_limit", "machine")


@dataclass(frozen=True)
class Recognized:
    """A stretch of speech that ended, and its words. Durations as in ``Utterance``."""

    speech: Speech
    ended_by: ev.EndedBy
    text: str
    confidence: float
    endpoint_ms: float
    recognition_ms: float


class Utterances:
    """``state`` is only read. ``dropped_frames`` go into the next utterance."""

    def __init__(self, call: str, holder: int, state: CallState) -> None:
        self._call = call
        self._holder = holder
        self._state = state
        self._last_turn = 0
        self._redo: ev.Utterance | None = None
        self._open: ev.Utterance | None = None
        self.dropped_frames = 0
        self._restore()

    def _restore(self) -> None:
        """What a holder before us was in the middle of: words taken back, or a reply still to be heard."""
        turn = self._state.turn
        if turn is None or turn.utterance is None:
            return
        if turn.withdrawn:
            self._redo = turn.utterance
        elif turn.interrupted is None and not any(s.verdict for s in turn.sentences.values()):
            self._open = turn.utterance

    @property
    def open(self) -> ev.Utterance | None:
        """The last one, while nothing of its reply was audible. A reply without a sentence was audible at its end."""
        if self._open is not None and self._was_met_with_silence(self._open):
            self._open = None
        return self._open

    def _was_met_with_silence(self, utterance: ev.Utterance) -> bool:
        turn = self._state.turns.get(utterance.turn)
        if turn is None or turn.attempt != utterance.attempt:
            return False
        return turn.reply_ended is not None and not turn.sentences

    @property
    def unfinished(self) -> bool:
        """Something was taken back and has not come again."""
        return self._redo is not None

    @property
    def unheard(self) -> bool:
        """What the agent says first, or in answer to keys, has not been heard: a noise must not take its place."""
        if self.open is not None:
            return self.open.ended_by == "dtmf"
        started, turn = self._state.started, self._state.turn
        if started is None or started.direction == "outbound":
            return False
        return turn is None or (
            turn.utterance is None and not any(s.verdict for s in turn.sentences.values())
        )

    def spoken(self, recognized: Recognized) -> ev.Utterance:
        speech = recognized.speech
        return self._make(
            recognized.text,
            speech.start_ms,
            speech.end_ms,
            recognized.ended_by,
            confidence=recognized.confidence,
            endpoint_ms=recognized.endpoint_ms,
            recognition_ms=recognized.recognition_ms,
        )

    def unspoken(
        self, text: str, start_ms: int, end_ms: int, ended_by: ev.EndedBy, endpoint_ms: float = 0.0
    ) -> ev.Utterance:
        """Digits, no input, the time limit, a machine."""
        if ended_by in _WHOLE:
            self._redo = None
        return self._make(text, start_ms, end_ms, ended_by, endpoint_ms=endpoint_ms)

    def backchannel(self, recognized: Recognized) -> ev.Utterance:
        """Kept, not answered: it takes no turn of its own."""
        speech = recognized.speech
        return ev.Utterance(
            call=self._call,
            holder=self._holder,
            turn=speech.spoken[0] or self._state.latest_turn,
            text=recognized.text,
            start_media_ms=speech.start_ms,
            end_media_ms=speech.end_ms,
            ended_by=recognized.ended_by,
            confidence=recognized.confidence,
            backchannel=True,
            endpoint_ms=recognized.endpoint_ms,
            recognition_ms=recognized.recognition_ms,
        )

    def publish(self, utterance: ev.Utterance) -> ev.Utterance:
        self._open = utterance
        self._last_turn = max(self._last_turn, utterance.turn)
        return utterance

    def keep(self, utterance: ev.Utterance) -> None:
        """Not published: the caller went on, and it becomes a part of what comes."""
        self._redo = utterance

    def withdraw(self) -> ev.UtteranceWithdrawn | None:
        """Takes back the open one."""
        if self.open is None or self.open.ended_by in _WHOLE:
            return None
        self._redo, self._open = self.open, None
        return ev.UtteranceWithdrawn(
            call=self._call, holder=self._holder, turn=self._redo.turn, attempt=self._redo.attempt
        )

    def audible(self, turn: int) -> None:
        """The agent is heard with its reply to ``turn``: nothing up to it can be taken back any more."""
        if self._open is not None and turn >= self._open.turn:
            self._open = None

    def _make(
        self,
        text: str,
        start_ms: int,
        end_ms: int,
        ended_by: ev.EndedBy,
        *,
        confidence: float = 1.0,
        endpoint_ms: float = 0.0,
        recognition_ms: float = 0.0,
    ) -> ev.Utterance:
        redo, self._redo = self._redo, None
        dropped, self.dropped_frames = self.dropped_frames, 0
        turn, attempt = max(self._state.next_turn(), self._last_turn + 1), 0
        if redo is not None:
            turn, attempt = redo.turn, redo.attempt + 1
            text, start_ms = join(redo.text, text), redo.start_media_ms
            dropped += redo.dropped_frames
        return ev.Utterance(
            call=self._call,
            holder=self._holder,
            turn=turn,
            attempt=attempt,
            text=text,
            start_media_ms=start_ms,
            end_media_ms=end_ms,
            ended_by="no_words" if ended_by in _SPOKEN and not text else ended_by,
            confidence=confidence,
            endpoint_ms=endpoint_ms,
            recognition_ms=recognition_ms,
            dropped_frames=dropped,
        )

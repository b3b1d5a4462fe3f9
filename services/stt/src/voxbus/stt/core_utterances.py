"""The utterances of one caller: their turns and attempts, and what is taken back and comes again.

The last one published is open as long as nothing of its reply was audible. Whoever speaks on then goes on with the
same turn: it is withdrawn, and its text comes again, joined with the rest, as the next attempt.

A guess is an utterance whose speech may not be over. It is confirmed when the speech ends with the words that it had,
else withdrawn, and the words come as the next attempt.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from voxbus.common import events as ev
from voxbus.common.events import Event
from voxbus.common.fold import CallState
from voxbus.stt.core_speech import Speech
from voxbus.stt.core_words import join, same_words

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


def decided_until_ms(state: CallState) -> int:
    """What of the audio need not be decided again, on the media clock."""
    said = [*state.utterances(guesses=False), *state.backchannels]
    if (known := _taken_back(state)) is not None:
        said.append(known)
    return max((utterance.end_media_ms for utterance in said), default=0)


def _taken_back(state: CallState) -> ev.Utterance | None:
    """Words that a holder before us took back, or had before its guess: they come again with the rest."""
    newest = state.turns[max(state.turns)] if state.turns else None
    if newest is None or newest.utterance is None:
        return None
    if not newest.confirmed:
        return newest.before
    return newest.utterance if newest.withdrawn else None


class Utterances:
    """``state`` is only read. ``dropped_frames`` go into the next utterance."""

    def __init__(self, call: str, holder: int, state: CallState) -> None:
        self._call = call
        self._holder = holder
        self._state = state
        self._last_turn = 0
        self._redo: ev.Utterance | None = None
        self._open: ev.Utterance | None = None
        self._guess: ev.Utterance | None = None
        self.guessed = ""  # the words of the speech that is guessed about
        self.dropped_frames = 0
        self._restore()

    def _restore(self) -> None:
        """What a holder before us was in the middle of: words taken back, a guess, or a reply still to be heard."""
        turns, taken_back = self._state.turns, _taken_back(self._state)
        turn = turns[max(turns)] if turns else None
        if turn is None or turn.utterance is None:
            return
        if not turn.confirmed:
            # Its audio comes again, but not that of attempts before it.
            self._redo = _without_its_words(turn.utterance, taken_back)
        elif turn.withdrawn:
            self._redo = taken_back
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

    def ended(self, media_ms: int) -> ev.Utterance:
        """The caller is done: what was taken back stands; there are no words if nothing was."""
        return self.unspoken("", media_ms, media_ms, "silence")

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

    def guess(self, recognized: Recognized) -> list[Event]:
        """It may be over, with these words; the same guess again says nothing new."""
        if self._is_guessed(recognized):
            return []
        out = self.retract()
        before = self._redo
        guess = replace(self.spoken(recognized), final=False)
        self._redo, self._guess, self.guessed = before, guess, recognized.text
        self._last_turn = max(self._last_turn, guess.turn)
        return [*out, guess]

    def retract(self) -> list[Event]:
        """It was not over."""
        guess, self._guess, self.guessed = self._guess, None, ""
        if guess is None:
            return []
        before, self._redo = self._redo, _without_its_words(guess, self._redo)
        self.dropped_frames += guess.dropped_frames - (before.dropped_frames if before else 0)
        return [self._withdrawn(guess)]

    def settle(self, recognized: Recognized) -> list[Event]:
        """The end of the speech that was guessed about, or of any other."""
        guess = self._guess
        if guess is None or not self._is_guessed(recognized):
            return [*self.retract(), self.publish(self.spoken(recognized))]
        self._guess, self._redo, self.guessed = None, None, ""
        self.publish(replace(guess, final=True))
        confirmed = ev.UtteranceConfirmed(
            call=self._call,
            holder=self._holder,
            turn=guess.turn,
            attempt=guess.attempt,
            ended_by=recognized.ended_by,
            endpoint_ms=recognized.endpoint_ms,
            recognition_ms=recognized.recognition_ms,
        )
        return [confirmed]

    def _is_guessed(self, recognized: Recognized) -> bool:
        """Whether the guess had these words."""
        if self._guess is None:
            return False
        text = join(self._redo.text, recognized.text) if self._redo is not None else recognized.text
        return same_words(text, self._guess.text)

    def keep(self, recognized: Recognized) -> list[Event]:
        """Not published: the caller went on, and it becomes a part of what comes."""
        out = self.retract()
        self._redo = self.spoken(recognized)
        return out

    def withdraw(self) -> ev.UtteranceWithdrawn | None:
        """Takes back the open one."""
        if self.open is None or self.open.ended_by in _WHOLE:
            return None
        self._redo, self._open = self.open, None
        return self._withdrawn(self._redo)

    def audible(self, turn: int) -> None:
        """The agent is heard with its reply to ``turn``: nothing up to it can be taken back any more."""
        if self._open is not None and turn >= self._open.turn:
            self._open = None

    def _withdrawn(self, utterance: ev.Utterance) -> ev.UtteranceWithdrawn:
        return ev.UtteranceWithdrawn(
            call=self._call, holder=self._holder, turn=utterance.turn, attempt=utterance.attempt
        )

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
            if redo.turn >= self._state.latest_turn:
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


def _without_its_words(guess: ev.Utterance, before: ev.Utterance | None) -> ev.Utterance:
    """What a guess leaves behind: its place, for its words are being said still; and what was said ``before``."""
    text, dropped = (before.text, before.dropped_frames) if before is not None else ("", 0)
    return replace(guess, text=text, dropped_frames=dropped)

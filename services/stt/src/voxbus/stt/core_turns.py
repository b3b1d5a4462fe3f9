"""Turn taking: when the caller has spoken, and whether speech over the agent was meant.

A pure machine. Time is the media clock of the audio itself, so a replayed turn is decided as a live one.

    caller   ____######__####________________________
    agent                              ^first frame of the reply is audible
             |   |           |        |
             |   announced   |<-500ms>| utterance(turn, attempt)
             recognition starts 300 ms earlier

Speech that goes on before the reply is audible withdraws the utterance; its text comes again, joined with the rest,
as the next attempt. While the agent is audible only strong and sustained speech counts:

    3 strong windows -> speech_started(over_agent)    the gateway holds its playout
    words, or 700 ms -> barge_in                      it was meant
    neither          -> utterance(backchannel)        it was nothing; the gateway plays on
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from voxbus.common import events as ev
from voxbus.common.fold import CallState
from voxbus.stt.core_digits import Digits
from voxbus.stt.core_rules import Rules
from voxbus.stt.core_speech import MIN_VOICED_MS, Speech, StrongRun, Window
from voxbus.stt.core_words import is_backchannel, is_echo, join

#: Recognition begins this long before the first voiced window: the detector needs a moment, first consonants do not.
PRE_ROLL_MS = 300
#: After so much silence the caller may be done: time to read the words before the turn ends.
LOOK_AFTER_MS = 160
#: Speech over the agent that lasts this long was meant, whatever it said.
MEANT_AFTER_MS = 700
#: A callee who answers the phone and says nothing is greeted after this.
CALLEE_SILENT_MS = 1500
#: A reply that is not audible after this long is not waited for: silence counts as no input again.
REPLY_OVERDUE_MS = 15_000
#: The agent's voice comes back from the far end so long after it was audible; until then only strong speech counts.
ECHO_TAIL_MS = 350
#: The tone of a key may be heard so long before its message, and after it.
TONE_BEFORE_MS = 500
TONE_AFTER_MS = 250
#: So much silence after a turn that was cut for its length is a pause.
PAUSE_MS = 96


@dataclass(frozen=True)
class StartRecognition:
    """Recognize from ``from_ms`` (media clock) on."""

    from_ms: int


@dataclass(frozen=True)
class Look:
    """The caller may be done: recognize what there is so far."""


@dataclass(frozen=True)
class FinishRecognition:
    """No more audio belongs to it; ``TurnTaker.transcript`` wants its result, one for each, in order.

    ``looked``: nothing was said after the last Look.
    """

    looked: bool = False


@dataclass(frozen=True)
class CancelRecognition:
    """It was nothing."""


Output = ev.Event | StartRecognition | Look | FinishRecognition | CancelRecognition


@dataclass(frozen=True)
class _Finished:
    speech: Speech
    ended_by: ev.EndedBy
    endpoint_ms: int


class TurnTaker:
    """One caller. ``state`` is the fold of the call's log, kept up to date by the owner and only read here.

    ``holder``: the sequence of our ``attached``. Windows up to ``after_ms`` were decided by an earlier holder.
    """

    def __init__(
        self, call: str, holder: int, rules: Rules, state: CallState, *, after_ms: int = 0, now_ms: int = 0
    ) -> None:
        self._call = call
        self._holder = holder
        self._rules = rules
        self._state = state
        self._after_ms = after_ms
        self._now_ms = now_ms
        self._quiet_since_ms = now_ms
        self._audible_until_ms = -ECHO_TAIL_MS
        self._speech: Speech | None = None
        self._finished: deque[_Finished] = deque()
        self._strong = StrongRun(rules.barge_in_prob_threshold, rules.barge_in_consecutive_frames)
        self._digits = Digits(rules.dtmf)
        self._tone_until_ms = -1
        self._pausing: int | None = None  # after a forced end: ms of silence so far
        self._open: ev.Utterance | None = None  # published, and nothing of the reply was audible yet
        self._redo: ev.Utterance | None = None  # withdrawn: comes again as the next attempt
        self._last_turn = 0
        self._over_time = False
        self.dropped_frames = 0

    # -- what comes in -----------------------------------------------------------------------------------------

    def window(self, window: Window, call_s: float = 0.0) -> list[Output]:
        """One window of audio, in order. ``call_s``: how long the call has lasted."""
        self._now_ms = window.end_ms
        if window.turn:
            self._quiet_since_ms = self._audible_until_ms = window.end_ms
            if self._open is not None and window.turn >= self._open.turn:
                self._open = None
        if window.end_ms <= self._after_ms:
            return []
        out: list[Output] = []
        if digits := self._digits.tick(window.end_ms):
            out += self._utter_digits(digits)
        if self._pausing is not None:
            self._wait_for_a_pause(window)
        elif window.start_ms >= self._tone_until_ms:
            out += self._listen(window) if self._speech is None else self._go_on(self._speech, window)
        return out or self._silence_of_both(window, call_s)

    def partial(self, text: str) -> list[Output]:
        """A hypothesis of the recognition that runs."""
        speech = self._speech
        if speech is None or not speech.over_agent or speech.meant or not self._is_meant(speech, text):
            return []
        return [self._barge_in(speech, "words")]

    def end_of_turn(self, confidence: float) -> list[Output]:
        """A provider that detects ends of turns found one."""
        speech = self._speech
        if speech is None or confidence < self._rules.eot_threshold:
            return []
        return self._finish(speech, "provider")

    def transcript(self, text: str, confidence: float, recognition_ms: float) -> list[Output]:
        """The result of the oldest recognition that was finished; ``text`` is empty when there were no words."""
        finished = self._finished.popleft()
        speech = finished.speech
        out: list[Output] = []
        if speech.over_agent and not speech.meant:
            if not self._is_meant(speech, text):
                return [self._backchannel(finished, text, confidence, recognition_ms)]
            out.append(self._barge_in(speech, "words"))
        utterance = self._utterance(
            text,
            speech.start_ms,
            speech.end_ms,
            finished.ended_by,
            confidence=confidence,
            endpoint_ms=finished.endpoint_ms,
            recognition_ms=recognition_ms,
        )
        if self._speech is not None and self._speech.announced and not self._speech.over_agent:
            # The caller went on while we were still reading the words: one utterance, at the end of the rest.
            self._redo = utterance
            return out
        return [*out, self._publish(utterance)]

    def digit(self, digit: str, media_ms: int) -> list[Output]:
        """A key was pressed. Its tone is no speech, even where the line lets it through."""
        out: list[Output] = []
        self._tone_until_ms = media_ms + TONE_AFTER_MS
        self._quiet_since_ms = max(self._quiet_since_ms, media_ms)
        if self._speech is not None and self._speech.start_ms >= media_ms - TONE_BEFORE_MS:
            self._speech = None
            out.append(CancelRecognition())
        if digits := self._digits.press(digit, media_ms):
            out += self._utter_digits(digits)
        return out

    # -- speech ------------------------------------------------------------------------------------------------

    def _listen(self, window: Window) -> list[Output]:
        """Nobody is speaking: does somebody begin?"""
        if not window.turn and window.start_ms - self._audible_until_ms >= ECHO_TAIL_MS:
            self._strong.reset()
            if window.probability < self._rules.speech_start_prob:
                return []
            self._speech = Speech(window.start_ms)
            return [StartRecognition(window.start_ms - PRE_ROLL_MS), *self._go_on(self._speech, window)]
        if not self._strong.take(window):
            return []
        start_ms = self._strong.start_ms
        strong_ms = window.end_ms - start_ms
        speech = self._speech = Speech(start_ms, voiced_ms=strong_ms, end_ms=window.end_ms)
        self._strong.reset()
        out: list[Output] = [StartRecognition(start_ms - PRE_ROLL_MS)]
        if not window.turn:
            return out + self._announce(speech, window)
        speech.over_agent = speech.announced = True
        speech.voiced_over_agent_ms = strong_ms
        speech.spoken = (window.turn, window.sentence)
        return [*out, self._speech_started(speech, over_agent=True)]

    def _go_on(self, speech: Speech, window: Window) -> list[Output]:
        rules = self._rules
        speech.take(window, rules.speech_start_prob, rules.speech_end_prob)
        out: list[Output] = []
        if not speech.over_agent:
            out += self._announce(speech, window)
        if speech.over_agent and not speech.meant and speech.voiced_over_agent_ms >= MEANT_AFTER_MS:
            out.append(self._barge_in(speech, "duration"))
        if not speech.looked and speech.silence_ms(window.end_ms) >= LOOK_AFTER_MS:
            speech.looked = True
            out.append(Look())
        if (
            speech.silence_ms(window.end_ms) >= rules.ending_silence_ms
            and window.end_ms - speech.start_ms >= rules.min_speech_ms
        ):
            return out + self._finish(speech, "silence")
        if window.end_ms - speech.start_ms >= rules.max_turn_ms:
            self._pausing = 0
            return out + self._finish(speech, "max_duration")
        return out

    def _announce(self, speech: Speech, window: Window) -> list[Output]:
        """Speech that began while the agent was silent: tell the others, and take back what was too early."""
        if window.turn:
            # The agent began to speak into it: from here on it is judged as speech over the agent.
            if not self._strong.take(window):
                return []
            self._strong.reset()
            speech.over_agent = speech.announced = True
            speech.spoken = (window.turn, window.sentence)
            return [self._speech_started(speech, over_agent=True)]
        self._strong.reset()
        if speech.announced or speech.voiced_ms < MIN_VOICED_MS:
            return []
        speech.announced = True
        out: list[Output] = [self._speech_started(speech, over_agent=False)]
        if self._open is not None:
            self._redo, self._open = self._open, None
            out.append(
                ev.UtteranceWithdrawn(
                    call=self._call, holder=self._holder, turn=self._redo.turn, attempt=self._redo.attempt
                )
            )
        return out

    def _finish(self, speech: Speech, ended_by: ev.EndedBy) -> list[Output]:
        self._speech = None
        self._quiet_since_ms = max(self._quiet_since_ms, speech.end_ms)
        if speech.voiced_ms < MIN_VOICED_MS:
            return [CancelRecognition()]
        endpoint_ms = self._now_ms - speech.end_ms
        self._finished.append(_Finished(speech, ended_by, endpoint_ms))
        return [FinishRecognition(speech.looked)]

    def _wait_for_a_pause(self, window: Window) -> None:
        silent = window.probability < self._rules.speech_end_prob
        self._pausing = (self._pausing or 0) + window.end_ms - window.start_ms if silent else 0
        if self._pausing >= PAUSE_MS:
            self._pausing = None

    # -- what was meant ----------------------------------------------------------------------------------------

    def _is_meant(self, speech: Speech, text: str) -> bool:
        if not text or is_echo(text, self._spoken_text(speech)):
            return False
        # "Yes" in the middle of an explanation is listening; at the end of a question it is the answer.
        return not is_backchannel(text, self._rules.backchannels) or self._in_last_sentence(speech)

    def _spoken_text(self, speech: Speech) -> str:
        """The sentence that was audible and the one before it: an echo is up to 300 ms late."""
        turn, index = speech.spoken
        state = self._state.turns.get(turn)
        if state is None:
            return ""
        around = (state.sentences.get(i) for i in (index - 1, index))
        return " ".join(sentence.event.text for sentence in around if sentence is not None)

    def _in_last_sentence(self, speech: Speech) -> bool:
        turn, index = speech.spoken
        state = self._state.turns.get(turn)
        ended = state.reply_ended if state is not None else None
        return ended is not None and index >= ended.sentences - 1

    # -- what goes out -----------------------------------------------------------------------------------------

    def _speech_started(self, speech: Speech, *, over_agent: bool) -> ev.Event:
        media_ms = self._now_ms if speech.over_agent else speech.start_ms
        return ev.SpeechStarted(
            call=self._call, holder=self._holder, media_ms=media_ms, over_agent=over_agent
        )

    def _barge_in(self, speech: Speech, by: str) -> ev.Event:
        speech.meant = True
        return ev.BargeIn(
            call=self._call,
            holder=self._holder,
            media_ms=self._now_ms,
            by="words" if by == "words" else "duration",
        )

    def _backchannel(
        self, finished: _Finished, text: str, confidence: float, recognition_ms: float
    ) -> ev.Event:
        speech = finished.speech
        return ev.Utterance(
            call=self._call,
            holder=self._holder,
            turn=speech.spoken[0],
            text=text,
            start_media_ms=speech.start_ms,
            end_media_ms=speech.end_ms,
            ended_by=finished.ended_by,
            confidence=confidence,
            backchannel=True,
            endpoint_ms=finished.endpoint_ms,
            recognition_ms=recognition_ms,
        )

    def _utterance(
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
        """The utterance that is due, joined with the one it goes on from."""
        redo, self._redo = self._redo, None
        turn, attempt = max(self._state.next_turn(), self._last_turn + 1), 0
        if redo is not None:
            turn, attempt = redo.turn, redo.attempt + 1
            text, start_ms = join(redo.text, text), redo.start_media_ms
        dropped, self.dropped_frames = self.dropped_frames, 0
        if redo is not None:
            dropped += redo.dropped_frames
        spoken = ended_by in ("silence", "provider", "max_duration")
        return ev.Utterance(
            call=self._call,
            holder=self._holder,
            turn=turn,
            attempt=attempt,
            text=text,
            start_media_ms=start_ms,
            end_media_ms=end_ms,
            ended_by="no_words" if spoken and not text else ended_by,
            confidence=confidence,
            endpoint_ms=endpoint_ms,
            recognition_ms=recognition_ms,
            dropped_frames=dropped,
        )

    def _publish(self, utterance: ev.Utterance) -> ev.Utterance:
        self._open = utterance
        self._last_turn = max(self._last_turn, utterance.turn)
        self._quiet_since_ms = max(self._quiet_since_ms, utterance.end_media_ms)
        return utterance

    def _utter_digits(self, digits: str) -> list[Output]:
        first_ms, last_ms = self._digits.span_ms
        endpoint_ms = max(0, self._now_ms - last_ms)
        return [self._publish(self._utterance(digits, first_ms, last_ms, "dtmf", endpoint_ms=endpoint_ms))]

    # -- silence of both ---------------------------------------------------------------------------------------

    def _silence_of_both(self, window: Window, call_s: float) -> list[Output]:
        if self._speech is not None or self._finished or self._digits or window.turn:
            return []
        if self._state.hangup is not None or self._state.transfer is not None or self._state.paused:
            return []
        now_ms = window.end_ms
        if call_s >= self._rules.max_call_s and not self._over_time:
            self._over_time = True
            return [self._publish(self._utterance("", now_ms, now_ms, "time_limit"))]
        if now_ms - self._quiet_since_ms < self._patience_ms():
            return []
        return [self._publish(self._utterance("", now_ms, now_ms, "no_input"))]

    def _patience_ms(self) -> int:
        state = self._state
        if self._open is not None or (state.turn is not None and not state.turn.played):
            return max(REPLY_OVERDUE_MS, self._rules.no_input_ms)
        if state.turn is None and state.started is not None and state.started.direction == "outbound":
            return CALLEE_SILENT_MS
        return self._rules.no_input_ms

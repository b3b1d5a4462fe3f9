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
from typing import Literal

from voxbus.common import events as ev
from voxbus.common.fold import CallState
from voxbus.stt.core_digits import Digits, last_key_ms
from voxbus.stt.core_machine import MachineWatch
from voxbus.stt.core_meaning import Meaning
from voxbus.stt.core_outputs import CancelRecognition, FinishRecognition, Look, Output, StartRecognition
from voxbus.stt.core_rules import Rules
from voxbus.stt.core_silence import Silence
from voxbus.stt.core_speech import MIN_VOICED_MS, WINDOW_MS, Finished, Speech, StrongRun, Window
from voxbus.stt.core_timing import (
    ECHO_TAIL_MS,
    LOOK_AFTER_MS,
    MEANT_AFTER_MS,
    PAUSE_MS,
    PRE_ROLL_MS,
    TONE_AFTER_MS,
    TONE_BEFORE_MS,
)
from voxbus.stt.core_utterances import Recognized, Utterances, decided_until_ms


class TurnTaker:
    """One caller. ``state`` is the fold of the call's log, kept up to date by the owner and only read here.

    ``holder``: the sequence of our ``attached``. What ``state`` knows was decided by an earlier holder, and is not
    decided again when its audio is replayed.
    """

    def __init__(self, call: str, holder: int, rules: Rules, state: CallState) -> None:
        self._call = call
        self._holder = holder
        self._rules = rules
        self._state = state
        self._after_ms = self._now_ms = decided_until_ms(state)
        self._audible_until_ms = -ECHO_TAIL_MS
        self._speech: Speech | None = None
        self._finished: deque[Finished] = deque()
        self._strong = StrongRun(rules.barge_in_prob_threshold, rules.barge_in_consecutive_frames)
        self._digits = Digits(rules.dtmf, last_key_ms(state.digits, self._after_ms))
        self._tone_until_ms = -1
        self._begun = False
        self._pausing: int | None = None  # after a forced end: ms of silence so far
        self.utterances = Utterances(call, holder, state)
        self._meaning = Meaning(rules.backchannels, state, self.utterances)
        self._silence = Silence(rules, state, self.utterances, self._after_ms)
        self._machine = MachineWatch(state)
        self._missed = deque(key for key in state.digits if key.media_ms > self._after_ms)

    @property
    def idle_since_ms(self) -> int | None:
        """Nothing of the audio so far will be wanted again, up to this; None = something is under way."""
        busy = self._speech is not None or self._finished or self._digits or self._missed
        waiting = self._pausing is not None or self.utterances.unfinished or self._state.to_machine
        return None if busy or waiting else self._now_ms

    def follow(self, rules: Rules) -> None:
        """The rules change in mid-call: another provider hears it."""
        self._rules = rules

    # -- what comes in -----------------------------------------------------------------------------------------

    def window(self, window: Window, call_s: float = 0.0) -> list[Output]:
        """One window of audio, in order. ``call_s``: how long the call has lasted."""
        if not self._begun:
            # Whether the agent spoke before that is not known: its silence counts from here.
            self._begun = True
            self._silence.broken(window.start_ms)
        self._now_ms = window.end_ms
        if window.turn:
            self._audible_until_ms = window.end_ms
            self._silence.broken(window.end_ms)
            self.utterances.audible(window.turn)
        if window.end_ms <= self._after_ms:
            # Our detector may hear the last word end later than that of the holder who decided. It is no new one.
            self._pausing = 0 if window.probability >= self._rules.speech_end_prob else None
            return []
        if self._state.to_machine:
            return self._listen_to_machine(window)
        out: list[Output] = []
        while self._missed and self._missed[0].media_ms <= window.end_ms:
            # Pressed while nobody held the call. In its place, so that its tone is known as such.
            key = self._missed.popleft()
            out += self.digit(key.digit, key.media_ms)
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
        if speech is None or not speech.doubtful or not self._meaning.is_meant(speech, text, runs=True):
            return []
        return [self._barge_in(speech, "words")]

    def guess(self, text: str, confidence: float) -> list[Output]:
        """A provider that detects ends of turns takes this for one, perhaps: the others may prepare the answer."""
        speech = self._speech
        if speech is None or self._finished or speech.doubtful or not speech.announced:
            return []
        silent_ms = self._now_ms - speech.end_ms
        return [*self.utterances.guess(Recognized(speech, "provider", text, confidence, silent_ms, 0.0))]

    def resumed(self) -> list[Output]:
        """It was none."""
        return [*self.utterances.retract()]

    def end_of_turn(self, confidence: float) -> list[Output]:
        """A provider that detects ends of turns found one."""
        speech = self._speech
        if speech is None or confidence < self._rules.eot_threshold:
            return []
        return self._finish(speech, "provider")

    def transcript(self, text: str, confidence: float, recognition_ms: float) -> list[Output]:
        """The result of the oldest recognition that was finished; ``text`` is empty when there were no words."""
        finished = self._finished.popleft()
        if self._state.to_machine:
            return []
        speech = finished.speech
        text = text or self.utterances.guessed  # a recognizer that fails at the end has told the words before
        recognized = Recognized(
            speech, finished.ended_by, text, confidence, finished.endpoint_ms, recognition_ms
        )
        out: list[Output] = []
        if speech.doubtful:
            if not self._meaning.is_meant(speech, text, runs=False):
                return [*self.utterances.retract(), self.utterances.backchannel(recognized)]
            out.append(self._barge_in(speech, "words"))
        if self._meaning.is_farewell(speech, text):
            return [*self.utterances.retract(), self.utterances.backchannel(recognized)]
        audible = self._now_ms - self._audible_until_ms < WINDOW_MS
        goes_on = self._speech is not None and self._speech.announced and not self._speech.over_agent
        if not text and not speech.meant and self._meaning.is_noise(audible=audible):
            return [self.utterances.backchannel(recognized)] if speech.announced and not goes_on else []
        if goes_on:
            # The caller went on while we were still reading the words: one utterance, at the end of the rest.
            return [*out, *self.utterances.keep(recognized)]
        self._silence.broken(speech.end_ms)
        return [*out, *self.utterances.settle(recognized)]

    def digit(self, digit: str, media_ms: int) -> list[Output]:
        """A key was pressed. Its tone is no speech, even where the line lets it through."""
        out: list[Output] = []
        self._tone_until_ms = media_ms + TONE_AFTER_MS
        self._silence.broken(media_ms)
        if self._speech is not None and self._speech.start_ms >= media_ms - TONE_BEFORE_MS:
            self._speech = None
            out += [CancelRecognition(), *self.utterances.retract()]
        digits = self._digits.press(digit, media_ms)
        if digits:
            out += self._utter_digits(digits)
        elif digits is not None and not (self._speech or self._finished) and self._meaning.asks_for_answer():
            out += [*self.utterances.retract(), self._publish(self.utterances.ended(media_ms))]
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
        return [*out, self._speech_started(start_ms, over_agent=True)]

    def _go_on(self, speech: Speech, window: Window) -> list[Output]:
        rules = self._rules
        speech.take(window, rules.speech_start_prob, rules.speech_end_prob)
        out: list[Output] = []
        if not speech.over_agent:
            out += self._announce(speech, window)
        if speech.doubtful and speech.voiced_over_agent_ms >= MEANT_AFTER_MS:
            out.append(self._barge_in(speech, "duration"))
        if not speech.looked and speech.silence_ms(window.end_ms) >= LOOK_AFTER_MS:
            speech.looked = True
            out.append(Look())
        if rules.ended_by_silence(speech.silence_ms(window.end_ms), window.end_ms - speech.start_ms):
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
            start_ms = self._strong.start_ms
            self._strong.reset()
            speech.over_agent = speech.announced = True
            speech.spoken = (window.turn, window.sentence)
            return [self._speech_started(start_ms, over_agent=True)]
        self._strong.reset()
        if speech.announced or speech.voiced_ms < MIN_VOICED_MS:
            return []
        speech.announced = True
        out: list[Output] = [self._speech_started(speech.start_ms, over_agent=False)]
        if (withdrawn := self.utterances.withdraw()) is not None:
            out.append(withdrawn)
        return out

    def _finish(self, speech: Speech, ended_by: ev.EndedBy) -> list[Output]:
        self._speech = None
        self._silence.broken(speech.end_ms)
        if speech.voiced_ms < MIN_VOICED_MS:
            return [CancelRecognition(), *self.utterances.retract()]
        endpoint_ms = self._now_ms - speech.end_ms
        self._finished.append(Finished(speech, ended_by, endpoint_ms))
        return [FinishRecognition(speech.looked)]

    def _wait_for_a_pause(self, window: Window) -> None:
        silent = window.probability < self._rules.speech_end_prob
        self._pausing = (self._pausing or 0) + window.end_ms - window.start_ms if silent else 0
        if self._pausing >= PAUSE_MS:
            self._pausing = None

    def _listen_to_machine(self, window: Window) -> list[Output]:
        """It has answered: what it says is no utterance, only that it is through with it."""
        out: list[Output] = []
        if self._speech is not None:
            self._speech = None
            out += [CancelRecognition(), *self.utterances.retract()]
        if self._machine.is_through(window):
            now_ms = window.end_ms
            out.append(self._publish(self.utterances.unspoken("", now_ms, now_ms, "machine")))
        return out

    # -- what goes out -----------------------------------------------------------------------------------------

    def _speech_started(self, media_ms: int, *, over_agent: bool) -> ev.Event:
        return ev.SpeechStarted(
            call=self._call, holder=self._holder, media_ms=media_ms, over_agent=over_agent
        )

    def _barge_in(self, speech: Speech, by: Literal["words", "duration"]) -> ev.Event:
        speech.meant = True
        return ev.BargeIn(call=self._call, holder=self._holder, media_ms=self._now_ms, by=by)

    def _utter_digits(self, digits: str) -> list[Output]:
        first_ms, last_ms = self._digits.span_ms
        endpoint_ms = max(0, self._now_ms - last_ms)
        guessed = self.utterances.retract()
        return [
            *guessed,
            self._publish(self.utterances.unspoken(digits, first_ms, last_ms, "dtmf", endpoint_ms)),
        ]

    def _publish(self, utterance: ev.Utterance) -> ev.Utterance:
        self._silence.broken(utterance.end_media_ms)
        return self.utterances.publish(utterance)

    def _silence_of_both(self, window: Window, call_s: float) -> list[Output]:
        if self._speech is not None or self._finished or self._digits or self._missed or window.turn:
            return []
        utterance = self._silence.decide(window.end_ms, call_s)
        return [] if utterance is None else [self._publish(utterance)]

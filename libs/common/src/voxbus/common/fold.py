"""The state of a call: a fold over its log.

The rules, one test each in tests/common/test_fold.py:

1. Order is the stream's sequence; an event that was applied already changes nothing.
2. STT events that were not published under the latest ``attached`` are void.
3. Gateway events of another stream than the latest ``started``/``resumed`` are void.
4. Sentences of a turn that was interrupted, of an attempt that was withdrawn, or of a turn older than the latest final
   utterance are void. So is the end of such a reply. What its tools did is not: it is done.
5. When the next final utterance arrives, sentences without a verdict count as heard (assumed).
6. A caller who speaks again cancels a hangup or transfer that was requested before, or comes late.
7. After ``ended`` only ``status``, ``do_not_call_requested``, ``recording_*`` and ``report_*`` count.
8. Once a machine has answered, and the agent has ``machine_detection``, only the utterance that says so (``ended_by``
   machine) counts, with its reply. A hangup or transfer from before is cancelled.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from voxbus.common import events as ev
from voxbus.common.events import Event, Stored
from voxbus.common.turns import RecordingState, SentenceState, TurnState

#: Events that carry the ``holder`` they were published under.
_BY_HOLDER = (ev.SpeechStarted, ev.BargeIn, ev.Utterance, ev.UtteranceConfirmed, ev.UtteranceWithdrawn)
#: Events that carry the ``stream_sid`` they belong to.
_BY_STREAM = (ev.Heard, ev.Paused, ev.Continued, ev.Interrupted, ev.Dtmf, ev.Disconnected)
_REPORT = (ev.ReportDelivered, ev.ReportLost)
_AFTER_END = (ev.Status, ev.DoNotCallRequested, ev.RecordingStarted, ev.RecordingEnded, *_REPORT)


@dataclass
class CallState:
    """``answered_by``: of machines, in the carrier's words. ``notified``: the caller has heard that they are recorded.
    ``resumed_before_hangup``: what ``resumed`` was when that came. ``void`` counts the events that the rules left out.
    """

    started: ev.Started | None = None
    started_s: float = 0.0
    stream_sid: str = ""
    holder: int = 0
    attached: list[Stored] = field(default_factory=list)
    resumed: int = 0
    turns: dict[int, TurnState] = field(default_factory=dict)
    backchannels: list[ev.Utterance] = field(default_factory=list)
    paused: ev.Paused | None = None
    hangup: ev.HangupRequested | None = None
    resumed_before_hangup: int = 0
    transfer: ev.TransferRequested | None = None
    disconnected: ev.Disconnected | None = None
    digits: list[ev.Dtmf] = field(default_factory=list)
    statuses: list[ev.Status] = field(default_factory=list)
    answered_by: str = ""
    notified: bool = False
    recordings: dict[str, RecordingState] = field(default_factory=dict)
    ended: ev.Ended | None = None
    ended_s: float = 0.0
    reported: ev.ReportDelivered | ev.ReportLost | None = None
    latest_turn: int = 0
    sequence: int = 0
    void: int = 0

    @property
    def turn(self) -> TurnState | None:
        """The turn that is going on: the one of the latest utterance, or the greeting."""
        return self.turns.get(self.latest_turn)

    @property
    def by_machine(self) -> bool:
        """Whether a machine answered, as far as the carrier can tell."""
        return self.answered_by.startswith("machine") or self.answered_by == "fax"

    @property
    def to_machine(self) -> bool:
        """Whether the agent talks to a machine now, or not at all: the conversation is over."""
        return self.by_machine and self.started is not None and self.started.agent.machine_detection != "off"

    def next_turn(self) -> int:
        """The number of the caller's next utterance. An inbound call's turn 1 is the greeting, even if unsaid yet."""
        first = 2 if self.started is not None and self.started.direction == "inbound" else 1
        return max(first, *(n + 1 for n in self.turns)) if self.turns else first

    def utterances(self, *, guesses: bool = True) -> list[ev.Utterance]:
        """What the caller said, in order, as far as it counts; or may be about to count."""
        turns = [t for _, t in sorted(self.turns.items()) if not t.withdrawn and (guesses or t.confirmed)]
        return [t.utterance for t in turns if t.utterance is not None]

    def is_current(self, turn: int, attempt: int) -> bool:
        """Whether work for (turn, attempt) is still wanted."""
        cut = turn in self.turns and self.turns[turn].interrupted is not None
        return self.ended is None and self._counts(turn, attempt) and not cut

    def _counts(self, turn: int, attempt: int) -> bool:
        """The caller has not gone on. One who merely cut the agent short has not said yet what for."""
        state = self.turns.get(turn, TurnState(turn, attempt))
        return attempt == state.attempt and not state.withdrawn and not self._is_over(turn)

    def _is_over(self, turn: int) -> bool:
        """A later turn counts, or a machine has answered and this turn is not for it."""
        if turn < self.latest_turn:
            return True
        state = self.turns.get(turn)
        return self.to_machine and (state is None or not state.for_machine)

    def apply(self, stored: Stored) -> bool:
        """Takes in one event; False when it is void or was applied already."""
        if stored.sequence <= self.sequence:
            return False
        self.sequence = stored.sequence
        if self._is_void(stored.event) or not self._take(stored):
            self.void += 1
            return False
        return True

    def _is_void(self, event: Event) -> bool:
        if self.ended is not None and not isinstance(event, _AFTER_END):
            return True
        if isinstance(event, _BY_HOLDER) and event.holder != self.holder:
            return True
        return isinstance(event, _BY_STREAM) and event.stream_sid != self.stream_sid

    def _take(self, stored: Stored) -> bool:
        match event := stored.event:
            case ev.Started():
                self.started, self.started_s, self.stream_sid = event, stored.time_s, event.stream_sid
            case ev.Resumed():
                self.stream_sid, self.disconnected, self.paused = event.stream_sid, None, None
                self.resumed += 1
            case ev.Attached():
                self.holder = stored.sequence
                self.attached.append(stored)
            case ev.Utterance():
                return self._take_utterance(event, stored.time_s)
            case ev.UtteranceConfirmed():
                return self._confirm(event, stored.time_s)
            case ev.UtteranceWithdrawn():
                return self._withdraw(event)
            case ev.Sentence():
                return self._take_sentence(event, stored.time_s)
            case ev.ReplyEnded():
                return self._take_reply_end(event)
            case ev.ToolCalled() | ev.ToolReturned():
                state = self.turns.get(event.turn)
                return state is not None and state.take_tool(event)
            case ev.Heard():
                return self._take_heard(event)
            case ev.Interrupted():
                return self._take_interrupted(event)
            case ev.Paused():
                self.paused = event
            case ev.Continued():
                self.paused = None
            case ev.Dtmf():
                self.digits.append(event)
            case ev.Status():
                self._take_status(event)
            case ev.HangupRequested() | ev.TransferRequested() if not self._counts(event.turn, event.attempt):
                return False
            case ev.HangupRequested():
                self.hangup, self.resumed_before_hangup = event, self.resumed
            case ev.TransferRequested():
                self.transfer = event
            case ev.Disconnected():
                self.disconnected = event
            case ev.RecordingStarted() | ev.RecordingEnded():
                self.recordings.setdefault(event.stream_sid, RecordingState()).take(stored)
            case ev.Ended():
                self.ended, self.ended_s = event, stored.time_s
            case ev.ReportDelivered() | ev.ReportLost():
                self.reported = event
            # speech_started and barge_in tell the gateway something and leave no state
        return True

    def _take_status(self, event: ev.Status) -> None:
        self.statuses.append(event)
        if event.answered_by:
            self.answered_by = event.answered_by
            if self.to_machine:
                self.hangup = self.transfer = None

    def _take_utterance(self, event: ev.Utterance, time_s: float) -> bool:
        if self.to_machine and event.ended_by != "machine":
            return False
        if event.backchannel:
            self.backchannels.append(event)
            return True
        if event.turn < self.latest_turn:
            return False
        state = self.turns.get(event.turn)
        if state is None or event.attempt > state.attempt:
            self.turns[event.turn] = state = _next_attempt(event.turn, state)
        elif state.utterance is not None:
            return False
        state.attempt, state.utterance, state.time_s = event.attempt, event, time_s
        state.confirmed = event.final
        if event.final:
            self._settle(event.turn)
        return True

    def _confirm(self, event: ev.UtteranceConfirmed, time_s: float) -> bool:
        state = self.turns.get(event.turn)
        if state is None or state.attempt != event.attempt or state.withdrawn:
            return False
        state.confirmed, state.confirmation, state.confirmed_s = True, event, time_s
        self._settle(event.turn)
        return True

    def _settle(self, turn: int) -> None:
        """A final utterance: it is the caller's turn that counts now; what was said before it has been heard."""
        self.latest_turn = max(self.latest_turn, turn)
        self.paused = None
        self._go_on(range(turn))
        for number, state in self.turns.items():
            if number < turn:
                for sentence in state.unplayed():
                    sentence.verdict, sentence.heard_text = "assumed", sentence.event.text

    def _withdraw(self, event: ev.UtteranceWithdrawn) -> bool:
        state = self.turns.get(event.turn)
        if state is None or state.attempt != event.attempt:
            return False
        state.withdrawn = True
        self._go_on(range(event.turn, event.turn + 1))
        return True

    def _go_on(self, turns: range) -> None:
        """A hangup or transfer that one of ``turns`` asked for is cancelled."""
        if self.hangup is not None and self.hangup.turn in turns:
            self.hangup = None
        if self.transfer is not None and self.transfer.turn in turns:
            self.transfer = None

    def _take_sentence(self, event: ev.Sentence, time_s: float) -> bool:
        if not self.is_current(event.turn, event.attempt):
            return False
        state = self.turns.get(event.turn)
        if state is None:
            state = self.turns[event.turn] = TurnState(event.turn, event.attempt, time_s)
            if event.turn == 1:  # the greeting: a turn without an utterance
                self.latest_turn = max(self.latest_turn, 1)
        state.sentences[event.index] = SentenceState(event, time_s)
        return True

    def _take_reply_end(self, event: ev.ReplyEnded) -> bool:
        state = self.turns.get(event.turn)
        if state is None or not self.is_current(event.turn, event.attempt):
            return False
        state.reply_ended = event
        return True

    def _take_heard(self, event: ev.Heard) -> bool:
        sentence = self._sentence(event.turn, event.attempt, event.sentence)
        if sentence is None:
            return False
        sentence.verdict = "heard" if event.complete else ("cut" if event.text else "unheard")
        sentence.heard_text = sentence.event.text if event.complete else event.text
        sentence.heard = event
        self.notified |= self.turns[event.turn].notified
        return True

    def _take_interrupted(self, event: ev.Interrupted) -> bool:
        state = self.turns.get(event.turn)
        if state is None or state.attempt != event.attempt:
            return False
        state.interrupted = event
        self.paused = None
        for index, sentence in state.sentences.items():
            if sentence.verdict in ("heard", "cut"):
                continue
            if index < event.sentence:
                sentence.verdict, sentence.heard_text = "assumed", sentence.event.text
            elif index == event.sentence and event.text:
                sentence.verdict, sentence.heard_text = "cut", event.text
            else:
                sentence.verdict, sentence.heard_text = "unheard", ""
        return True

    def _sentence(self, turn: int, attempt: int, index: int) -> SentenceState | None:
        state = self.turns.get(turn)
        if state is None or state.attempt != attempt:
            return None
        return state.sentences.get(index)


def _next_attempt(turn: int, last: TurnState | None) -> TurnState:
    """What is known of a turn that the caller begins to take, or goes on with."""
    if last is None:
        return TurnState(turn)
    before = last.utterance if last.confirmed else last.before
    return TurnState(turn, before=before, earlier=last.uses())


def fold(log: Iterable[Stored]) -> CallState:
    """The state after ``log``, which must be in the order of the stream."""
    state = CallState()
    for stored in log:
        state.apply(stored)
    return state

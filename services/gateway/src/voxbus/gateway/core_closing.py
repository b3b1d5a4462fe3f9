"""When our side closes a call's socket, and why.

Twilio then runs the next verb of the TwiML, ``<Redirect>`` to /twilio/next, whose answer is decided from the log.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from voxbus.common import events as ev
from voxbus.common.events import Event
from voxbus.common.fold import CallState

#: agent_done: what the agent wanted to say before a hangup or a transfer was heard.
#: unheard: it was not, and a hangup waits no longer.
#: superseded: the call is on another stream. ended: somebody else ended it.
Reason = Literal["agent_done", "unheard", "no_capacity", "time_limit", "superseded", "ended"]

#: The service of which no worker took the call, the turn or the sentence.
Lacking = Literal["stt", "llm", "tts"]


@dataclass(frozen=True)
class Limits:
    """ms. ``unheard``: silence after which a hangup waits no longer for what was to be said before it.

    ``farewell``: how long after the goodbye was heard the caller may still say something; what they begin to say then
    is waited for, ``speech`` at most: STT ends turns sooner, this is for one that nobody decides. ``breath``: so long
    nobody answers after the agent has stopped.
    ``prompt`` and ``reply``: so long the agent may owe the caller what needs no thought (its greeting, the audio of a
    sentence), and an answer, before nobody seems to be there who has it. An LLM worker that waits for a slow model says
    nothing either, so ``reply`` must be longer than it waits. ``filler``: so long they hear nothing at all meanwhile.
    """

    attach: float = 3_000
    prompt: float = 7_000
    reply: float = 15_000
    filler: float = 900
    unheard: float = 5_000
    farewell: float = 1_000
    speech: float = 15_000
    over_time: float = 30_000
    breath: float = 400


class Closing:
    """``state`` is the call's fold; it is looked at, never changed."""

    def __init__(
        self, state: CallState, stream_sid: str, now_ms: float, limits: Limits | None = None
    ) -> None:
        self._state = state
        self._stream_sid = stream_sid
        self._limits = limits or Limits()
        self._attach_by_ms = now_ms + self._limits.attach
        self._time_limit_ms: float | None = None
        self._hand_over_from_ms = 0.0
        self._hand_over_by_ms: float | None = None
        self._held_line = False  # our stream has been the call's
        self._moved_ms = now_ms
        self._speech_ms: float | None = None  # the caller has been speaking since then
        self._owing_ms: float | None = None  # since then the agent owes something, and is not heard

    def on_event(self, event: Event, now_ms: float) -> None:
        match event:
            case ev.Started() | ev.Resumed() if event.stream_sid == self._stream_sid:
                self._held_line = True
                if self._owes_something(event):
                    self._owing_ms = now_ms
            case ev.SpeechStarted():
                self._speech_ms = now_ms
            case ev.Utterance(final=False):
                pass  # they may be speaking still
            case ev.Utterance():
                self._speech_ms = None
                if event.ended_by == "time_limit":
                    self._time_limit_ms = now_ms + self._limits.over_time
                if not event.backchannel and self._owing_ms is None:
                    # As long as nothing is heard, asking again changes nothing.
                    self._owing_ms = now_ms
            case ev.UtteranceConfirmed():
                self._speech_ms = None
                if self._owing_ms is None:
                    self._owing_ms = now_ms
            case ev.Sentence() if self._owing_ms is not None and self._is_first_of_turn():
                self._owing_ms = now_ms  # now TTS owes it
            case ev.ToolCalled() | ev.ToolReturned() if self._owing_ms is not None:
                self._owing_ms = now_ms  # somebody is at it
            case ev.UtteranceWithdrawn():
                self._owing_ms = None
            case (
                ev.HangupRequested()
                | ev.TransferRequested()
                | ev.ReplyEnded()
                | ev.Heard()
                | ev.Interrupted()
            ):
                self._moved_ms = now_ms
                if self._state.turn is None or self._state.turn.played:
                    self._owing_ms = None  # perhaps there was nothing to say
                if isinstance(event, ev.Heard) and event.played_ms > 0:
                    self.heard()
            case ev.Status() if self._state.to_machine:
                self._owing_ms = None  # it is waited until the machine has spoken
            case _:
                pass

    def heard(self) -> None:
        """The agent is audible, in words that a worker made."""
        self._owing_ms = None

    def wait(self, now_ms: float) -> None:
        """The bus is away: no worker can take the call, and what is owed cannot come."""
        self._attach_by_ms = now_ms + self._limits.attach
        if self._owing_ms is not None:
            self._owing_ms = now_ms

    @property
    def lacking(self) -> Lacking:
        """Which worker is missing when ``no_capacity`` is due."""
        if not self._state.holder:
            return "stt"
        return "tts" if self._state.turn is not None and self._state.turn.sentences else "llm"

    def due(self, now_ms: float, silent_since_ms: float | None) -> Reason | None:
        """``silent_since_ms``: when the agent fell silent; None while it speaks."""
        state = self._state
        if self._held_line and state.stream_sid != self._stream_sid:
            return "superseded"
        if state.ended is not None:
            return "ended"
        if self._time_limit_ms is not None and now_ms >= self._time_limit_ms:
            return "time_limit"
        if not state.holder and now_ms >= self._attach_by_ms:
            return "no_capacity"
        if done := self._agent_done(now_ms, silent_since_ms):
            return done
        return "no_capacity" if self._nobody_answers(now_ms) else None

    def hand_over(self, now_ms: float, by_ms: float) -> None:
        """The call is to go on elsewhere: in a good moment, or at ``by_ms``."""
        self._hand_over_from_ms, self._hand_over_by_ms = now_ms, by_ms

    def hands_over(self, now_ms: float, silent_since_ms: float | None) -> bool:
        """Whether now is the moment. What a caller says while there is no stream reaches nobody, so the best one is
        when the agent has just stopped: people need longer to answer than the carrier to come back. Where none comes,
        any moment will do in which nobody speaks."""
        by_ms = self._hand_over_by_ms
        if by_ms is None or now_ms >= by_ms:
            return by_ms is not None
        if silent_since_ms is None or self._caller_speaks(now_ms):
            return False
        just_stopped = now_ms - silent_since_ms <= self._limits.breath
        return just_stopped or now_ms >= (self._hand_over_from_ms + by_ms) / 2

    def _agent_done(self, now_ms: float, silent_since_ms: float | None) -> Reason | None:
        state = self._state
        request = state.hangup or state.transfer
        if request is None or self._caller_speaks(now_ms):
            return None
        turn = state.turns.get(request.turn)
        waited_ms = now_ms - max(self._moved_ms, silent_since_ms if silent_since_ms is not None else now_ms)
        if turn is not None and turn.interrupted is None and turn.played:
            # Neither whoever takes the call over nor a machine has anything to add.
            at_once = state.hangup is None or state.to_machine
            return "agent_done" if at_once or waited_ms >= self._limits.farewell else None
        # Cut by the caller, whose utterance may cancel it; or its audio does not come.
        if waited_ms < self._limits.unheard:
            return None
        return "agent_done" if state.hangup is None else "unheard"

    def _nobody_answers(self, now_ms: float) -> bool:
        if self._owing_ms is None or self._caller_speaks(now_ms):
            return False
        ends = self._state.hangup or self._state.transfer or self._time_limit_ms
        if ends is not None:
            return False  # the call is over anyway, and that has patience of its own
        turn = self._state.turn
        thinks = turn is not None and turn.utterance is not None and not turn.sentences
        return now_ms - self._owing_ms >= (self._limits.reply if thinks else self._limits.prompt)

    def _is_first_of_turn(self) -> bool:
        return self._state.turn is not None and len(self._state.turn.sentences) == 1

    def _owes_something(self, event: ev.Started | ev.Resumed) -> bool:
        turn = self._state.turn
        if turn is not None:
            return not turn.played and self._state.is_current(turn.number, turn.attempt)
        started = self._state.started
        return started is not None and started.direction == "inbound"

    def _caller_speaks(self, now_ms: float) -> bool:
        return self._speech_ms is not None and now_ms - self._speech_ms < self._limits.speech

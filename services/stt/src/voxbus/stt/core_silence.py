"""When silence itself ends the caller's turn: nobody speaks, or nobody speaks on."""

from __future__ import annotations

from voxbus.common import events as ev
from voxbus.common.fold import CallState
from voxbus.stt.core_rules import Rules
from voxbus.stt.core_utterances import Utterances

#: A callee who answers the phone and says nothing is greeted after this.
CALLEE_SILENT_MS = 1500
#: Words that a holder before us took back for speech that we cannot find: they stand after this.
TAKEN_BACK_MS = 3000
#: A reply that is not audible after this long is not waited for: silence counts as no input again.
REPLY_OVERDUE_MS = 15_000


class Silence:
    """``state`` is only read. ``since_ms``: the last sound of either, on the media clock."""

    def __init__(self, rules: Rules, state: CallState, utterances: Utterances, since_ms: int) -> None:
        self._rules = rules
        self._state = state
        self._utterances = utterances
        self._since_ms = since_ms
        self._over_time = False

    def broken(self, media_ms: int) -> None:
        """Somebody was heard until then."""
        self._since_ms = max(self._since_ms, media_ms)

    def decide(self, now_ms: int, call_s: float) -> ev.Utterance | None:
        """The utterance that the silence makes, asked for while both are silent. ``call_s``: age of the call."""
        if self._state.hangup is not None or self._state.transfer is not None or self._state.paused:
            return None
        if call_s >= self._rules.max_call_s and not self._over_time:
            self._over_time = True
            return self._utter(now_ms, "time_limit")
        quiet_ms = now_ms - self._since_ms
        if self._utterances.unfinished and quiet_ms >= TAKEN_BACK_MS:
            return self._utterances.ended(now_ms)
        return self._utter(now_ms, "no_input") if quiet_ms >= self._patience_ms() else None

    def _utter(self, now_ms: int, ended_by: ev.EndedBy) -> ev.Utterance:
        return self._utterances.unspoken("", now_ms, now_ms, ended_by)

    def _patience_ms(self) -> int:
        state = self._state
        if self._utterances.open is not None or (state.turn is not None and not state.turn.played):
            return max(REPLY_OVERDUE_MS, self._rules.no_input_ms)
        if state.turn is None and state.started is not None and state.started.direction == "outbound":
            return CALLEE_SILENT_MS
        return self._rules.no_input_ms

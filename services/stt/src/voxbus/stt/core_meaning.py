"""What a stretch of speech was: meant for the agent, a last "okay" after its goodbye, or a noise."""

from __future__ import annotations

from voxbus.common.fold import CallState
from voxbus.stt.core_speech import Speech
from voxbus.stt.core_timing import MEANT_AFTER_MS
from voxbus.stt.core_utterances import Utterances
from voxbus.stt.core_words import is_backchannel, is_meant


class Meaning:
    """``state`` and ``utterances`` are only read."""

    def __init__(self, backchannels: tuple[str, ...], state: CallState, utterances: Utterances) -> None:
        self._backchannels = backchannels
        self._state = state
        self._utterances = utterances

    def is_meant(self, speech: Speech, text: str, *, runs: bool) -> bool:
        """Whether words over the agent are to interrupt it. ``runs``: more of them may come."""
        more = runs and not speech.looked
        return is_meant(text, self._backchannels, self._state, *speech.spoken, more=more)

    def is_farewell(self, speech: Speech, text: str) -> bool:
        """Said after the agent's goodbye, and no reason to go on: an "okay", or a short word without meaning."""
        if self._state.hangup is None or speech.meant or self._utterances.unfinished:
            return False
        return is_backchannel(text, self._backchannels) if text else speech.voiced_ms < MEANT_AFTER_MS

    def asks_for_answer(self) -> bool:
        """Whether a terminator alone does, while nobody speaks: the agent is not about to say anything."""
        state, said = self._state, self._utterances.open
        if state.hangup is not None or state.transfer is not None or state.to_machine:
            return False
        if said is not None:
            turn = state.turns.get(said.turn)
            return turn is not None and turn.interrupted is not None
        return state.turn is not None or state.next_turn() == 1

    def is_noise(self, *, audible: bool) -> bool:
        """Whether what had no words may be left unanswered: the caller has not heard yet what to answer."""
        return not self._utterances.unfinished and (audible or self._utterances.unheard)

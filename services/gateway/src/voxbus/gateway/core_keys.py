"""The keys of a call: their numbers, and which of them cut the agent."""

from __future__ import annotations

from voxbus.common.agents import Dtmf
from voxbus.common.fold import CallState


class Keys:
    """``state`` is only read. ``count``: how many were pressed on this stream."""

    def __init__(self, state: CallState) -> None:
        self._state = state
        self._at_ms = max((key.media_ms for key in state.digits), default=None)
        self.count = 0

    def cuts(self, digit: str, media_ms: int, *, speaks: bool) -> bool:
        """Whether this key ends what is being said, or about to be; asked once for each. ``speaks``: it has begun.

        A digit does. A terminator after a code does not, or it would cut the answer to that; nor does one alone before
        the answer is heard: it ends what the caller said.
        """
        before_ms, self._at_ms = self._at_ms, media_ms
        self.count += 1
        started = self._state.started
        rules = started.agent.dtmf if started is not None else Dtmf()
        if rules.ends_code(digit, media_ms, before_ms):
            return False
        return speaks or digit != rules.terminator

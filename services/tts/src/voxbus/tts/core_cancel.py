"""Which work is no longer wanted, from the live events of all calls.

Work is numbered (turn, attempt). What settles a turn voids everything before it, so one number a call says it all: its
floor. A withdrawal voids its own turn only: the reply before it may still be playing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

from voxbus.common.events import Ended, Event, Interrupted, Utterance, UtteranceConfirmed, UtteranceWithdrawn

#: What to follow on the bus.
KINDS: Final = tuple(
    event.kind for event in (Interrupted, UtteranceWithdrawn, Utterance, UtteranceConfirmed, Ended)
)

#: Calls remembered. An event matters for as long as sentences of its call may be on their way, which is seconds.
MAX_CALLS: Final = 10_000

Work = tuple[float, int]


@dataclass(frozen=True)
class _Wanted:
    """``floor``: the first work still wanted. ``withdrawn``: this, and earlier attempts of its turn, are not."""

    floor: Work = (0, 0)
    withdrawn: Work = (0, 0)

    def after(self, event: Event) -> _Wanted:
        match event:
            case Interrupted():
                return self._above((event.turn, event.attempt + 1))
            case Utterance() if event.final and not event.backchannel:
                return self._above((event.turn, event.attempt))
            case UtteranceConfirmed():
                return self._above((event.turn, event.attempt))
            case UtteranceWithdrawn():
                return replace(self, withdrawn=max(self.withdrawn, (event.turn, event.attempt)))
            case Ended():
                return self._above((math.inf, 0))
        return self

    def _above(self, floor: Work) -> _Wanted:
        return replace(self, floor=max(self.floor, floor))

    def includes(self, turn: int, attempt: int) -> bool:
        withdrawn = turn == self.withdrawn[0] and attempt <= self.withdrawn[1]
        return (turn, attempt) >= self.floor and not withdrawn


_EVERYTHING: Final = _Wanted()


class Cancellations:
    """What is known of each call, those that were heard of longest ago forgotten first."""

    def __init__(self, max_calls: int = MAX_CALLS) -> None:
        self._calls: dict[str, _Wanted] = {}
        self._max_calls = max_calls

    def __len__(self) -> int:
        return len(self._calls)

    def apply(self, event: Event) -> bool:
        """Takes in one event; whether it cancelled anything that was wanted before."""
        before = self._calls.pop(event.call, _EVERYTHING)
        after = before.after(event)
        self._calls[event.call] = after
        if len(self._calls) > self._max_calls:
            del self._calls[next(iter(self._calls))]
        return after != before

    def covers(self, call: str, turn: int, attempt: int) -> bool:
        """Whether this work is cancelled, as far as is known."""
        return not self._calls.get(call, _EVERYTHING).includes(turn, attempt)

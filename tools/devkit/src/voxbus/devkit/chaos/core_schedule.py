"""Who dies next, and when. Chance is a parameter: with the same seed a run can be told again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

#: How far the time between two deaths may be off, so that they fall into every part of a turn.
_JITTER = 0.2


class Schedule:
    """``services``: each dies equally often, in an order that nobody can guess."""

    def __init__(self, services: Sequence[str], every_s: float, random: Random) -> None:
        self._services = tuple(services)
        self._every_s = every_s
        self._random = random
        self._bag: list[str] = []

    def pause_s(self) -> float:
        """Until the next death."""
        return self._every_s * self._random.uniform(1 - _JITTER, 1 + _JITTER)

    def service(self) -> str:
        if not self._bag:
            self._bag = list(self._services)
            self._random.shuffle(self._bag)
        return self._bag.pop()

    def one_of(self, names: Sequence[str]) -> str:
        return self._random.choice(names)

"""Kills the worker that has a turn in its hands, at a chosen moment of the reply."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping

from voxbus.common.events import Sentence, Stored, Utterance
from voxbus.devkit.demo.facts import Moment

#: How far into the model's work the moment ``first_word`` is: a few tokens.
_UNDER_WAY_S = 0.06


class TurnHolders:
    """Which worker works on which turn, by what the workers log. ``notice`` takes every line of every log."""

    def __init__(self) -> None:
        self._by_turn: dict[int, str] = {}

    def notice(self, name: str, line: str) -> None:
        if not name.startswith("llm") or '"turn' not in line:
            return
        try:
            fields = json.loads(line)
        except ValueError:
            return
        if fields.get("message") == "turn taken" and isinstance(fields.get("turn"), int):
            self._by_turn[fields["turn"]] = name

    def of(self, turn: int) -> str | None:
        return self._by_turn.get(turn)


class Killer:
    """``plan``: the moment by turn. ``notice`` is called with each event of the call as it is stored."""

    def __init__(self, plan: Mapping[int, Moment], kill: Callable[[int, Moment], None]) -> None:
        self._plan = dict(plan)
        self._kill = kill

    def notice(self, stored: Stored) -> None:
        match stored.event:
            case Utterance(backchannel=False, final=True, turn=turn) if self._plan.get(turn) == "first_word":
                asyncio.get_running_loop().call_later(_UNDER_WAY_S, self._strike, turn)
            case Sentence(index=0, turn=turn) if self._plan.get(turn) == "mid_reply":
                self._strike(turn)
            case _:
                pass

    def _strike(self, turn: int) -> None:
        moment = self._plan.pop(turn, None)
        if moment is not None:
            self._kill(turn, moment)

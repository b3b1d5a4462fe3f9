"""The turns that a worker is answering now, and what happens to them meanwhile: one follower for all calls."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

from voxbus.common.events import (
    Ended,
    Interrupted,
    Stored,
    Utterance,
    UtteranceConfirmed,
    UtteranceWithdrawn,
)

#: The kinds that can end or confirm a turn.
KINDS: Final = ("interrupted", "utterance", "utterance_confirmed", "utterance_withdrawn", "ended")


class Stopped(Exception):
    """The work on a turn was stopped by news of its call."""


class LiveTurn:
    """One turn in work. ``news``: the sequence of the last event that made its work doubtful; 0 = none.

    ``decided`` is set when the utterance was confirmed or something else came of it, or the call ended.
    """

    def __init__(self, call: str, turn: int, attempt: int) -> None:
        self.call = call
        self.turn = turn
        self.attempt = attempt
        self.news = 0
        self.confirmed = asyncio.Event()
        self.decided = asyncio.Event()
        self.ended = False
        self._work: asyncio.Task[None] | None = None

    async def run(self, work: Coroutine[Any, Any, None]) -> bool:
        """Does ``work``; False when it was stopped by news of the call, which the log then explains."""
        if self.news:
            work.close()
            return False
        self._work = asyncio.create_task(work, name=f"turn {self.turn}.{self.attempt}")
        try:
            await self._work
        except Stopped:
            return False
        except asyncio.CancelledError:
            if self._work.cancelled() and self.news:
                return False
            self._work.cancel()  # it is the job itself that is being cancelled
            raise
        finally:
            self._work = None
        return True

    async def through(self) -> bool:
        """Whether the caller is through, once that is known: they said no more, or hung up."""
        await self.decided.wait()
        return self.confirmed.is_set() or self.ended

    def check(self) -> None:
        """Raises Stopped. To be called after waiting for the bus: ``asyncio.wait_for`` of Python 3.11, which the NATS
        client uses, loses a cancellation that comes together with the answer.
        """
        if self.news:
            raise Stopped

    def hear(self, stored: Stored) -> None:
        event = stored.event
        if isinstance(event, UtteranceConfirmed) and (event.turn, event.attempt) == (self.turn, self.attempt):
            self.confirmed.set()
            self.decided.set()
        elif self._is_doubted_by(stored):
            self.news = stored.sequence
            self.ended |= isinstance(event, Ended)
            self.decided.set()
            if self._work is not None:
                self._work.cancel()

    def _is_doubted_by(self, stored: Stored) -> bool:
        match stored.event:
            case Ended():
                return True
            case Interrupted(turn=turn, attempt=attempt) | UtteranceWithdrawn(turn=turn, attempt=attempt):
                return (turn, attempt) == (self.turn, self.attempt)
            case UtteranceConfirmed(turn=turn, attempt=attempt):
                return (turn, attempt) > (self.turn, self.attempt)
            case Utterance(turn=turn, attempt=attempt, final=True, backchannel=False):
                return (turn, attempt) > (self.turn, self.attempt)
        return False


class LiveTurns:
    def __init__(self) -> None:
        self._turns: dict[str, list[LiveTurn]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._turns.values()))

    def enter(self, call: str, turn: int, attempt: int) -> LiveTurn:
        """To be entered before the log is read: what is stored after the reading is then heard."""
        live = LiveTurn(call, turn, attempt)
        self._turns.setdefault(call, []).append(live)
        return live

    def leave(self, live: LiveTurn) -> None:
        turns = self._turns[live.call]
        turns.remove(live)
        if not turns:
            del self._turns[live.call]

    def hear(self, stored: Stored) -> None:
        """The follower's callback: nearly all events are of calls that others answer."""
        for live in tuple(self._turns.get(stored.event.call, ())):
            live.hear(stored)

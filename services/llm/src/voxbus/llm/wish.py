"""That somebody wants no more calls: from being known to being in the log, whatever becomes of reply and call.

    the script's intent, or the tool's name --> note --> (a guess: once the caller is through) --> the log

The reply may be cut, the stream may break, the caller may hang up: none of it stops this. The job is not done before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from types import TracebackType
from typing import Final

from voxbus.common.bus import Bus
from voxbus.common.errors import Conflict
from voxbus.common.events import DoNotCallRequested, Stored, Utterance
from voxbus.llm import metrics
from voxbus.llm.live import LiveTurn

#: For the event, when the job itself has failed or is being cancelled.
_LAST_S: Final = 2.0


class Wish:
    """Of one job. ``noted``: by these words. ``listed``: in this call, by whatever words."""

    def __init__(self, bus: Bus, live: LiveTurn, said: Utterance | None) -> None:
        self._bus = bus
        self._live = live
        self._said = said
        self._keeping: asyncio.Task[None] | None = None
        self._certain = False
        self.noted = False
        self.listed = False

    async def __aenter__(self) -> Wish:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._keeping is None:
            return
        if not self._live.decided.is_set() and not self._certain:
            self._keeping.cancel()  # nobody has decided what was guessed: it is said again
        elif error is None:
            await self.kept()
        else:
            await asyncio.wait((self._keeping,), timeout=_LAST_S)

    def read(self, log: Iterable[Stored]) -> None:
        for stored in log:
            if isinstance(event := stored.event, DoNotCallRequested):
                self.listed = True
                self.noted |= (event.turn, event.attempt) == (self._live.turn, self._live.attempt)

    def note(self, *, certain: bool) -> None:
        """They said so. ``certain``: False while the words are a guess."""
        if self.noted or self._said is None:
            return
        self.noted = self.listed = True
        self._certain = certain
        self._keeping = asyncio.create_task(self._keep(self._said), name="wish")

    async def kept(self) -> None:
        """Returns once it is in the log. Raises what kept it from getting there."""
        if self._keeping is not None:
            await asyncio.shield(self._keeping)

    async def _keep(self, said: Utterance) -> None:
        if not self._certain and not await self._live.through():
            return
        wanted = DoNotCallRequested(
            call=said.call, trace=said.trace, turn=said.turn, attempt=said.attempt, text=said.text
        )
        try:
            await self._bus.append(wanted)
        except Conflict:
            metrics.WRITTEN_BEFORE.inc()

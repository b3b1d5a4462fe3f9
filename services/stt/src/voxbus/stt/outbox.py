"""The events of one call to its log, one after another, while the call is ours."""

from __future__ import annotations

import asyncio
from typing import Final

from voxbus.common import events as ev
from voxbus.common.bus import Bus, not_ended, under
from voxbus.common.errors import BusClosed, BusUnavailable, ConditionFailed, Conflict
from voxbus.common.events import Event
from voxbus.common.fold import CallState
from voxbus.common.logs import get_logger
from voxbus.common.telemetry import counter, histogram_ms

log = get_logger(__name__)

#: The bus may refuse at once, without a moment in which anything else could run.
RETRY_S: Final = 0.5

TURNS = counter("stt_turns", "Turns of callers that ended, by why.", "ended_by")
GUESSES = counter("stt_guesses", "Turns that were answered ahead, before it was sure that they were over.")
ENDPOINTING = histogram_ms(
    "stt_endpointing",
    "The caller's last speech, or key, to the end of the turn, by why it ended.",
    "ended_by",
)


class Outbox:
    """``put`` never waits. The order in the log is the order in which the events were decided."""

    def __init__(self, bus: Bus, sid: str) -> None:
        self._bus = bus
        self._sid = sid
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._unstored = 0

    @property
    def empty(self) -> bool:
        """Everything that was decided is in the log."""
        return self._unstored == 0

    def put(self, event: Event) -> None:
        self._unstored += 1
        self._events.put_nowait(event)

    async def run(self, holder: int) -> None:
        """Stores what is put, under ``holder``; returns once somebody else holds the call. Raises BusClosed."""
        while True:
            event = await self._events.get()
            try:
                stored = await self._store(event, holder)
            except ConditionFailed:
                return
            self._unstored -= 1
            if stored:
                self._count(event)

    @staticmethod
    def _count(event: Event) -> None:
        match event:
            case ev.Utterance(final=True, backchannel=False) | ev.UtteranceConfirmed():
                TURNS.labels(event.ended_by).inc()
                if event.endpoint_ms:
                    ENDPOINTING.labels(event.ended_by).observe(event.endpoint_ms)
            case ev.Utterance(final=False):
                GUESSES.inc()
            case _:
                pass

    async def _store(self, event: Event, holder: int) -> bool:
        while True:
            try:
                await self._bus.append(event, only_if=under(holder, self._sid))
            except Conflict:
                # An earlier holder decided the same and died before it knew; its event is in the log, ours is void.
                log.info("decided already", call_sid=self._sid, kind=event.kind)
                return False
            except BusClosed:
                raise
            except BusUnavailable as error:
                # The decision stands, and those after it must not overtake it. The call waits with the bus.
                log.warning("the bus takes no events", call_sid=self._sid, error=error)
                await asyncio.sleep(RETRY_S)
            else:
                return True


async def end_lost(bus: Bus, sid: str, state: CallState) -> bool:
    """Ends a call that no audio comes from any more; False when it has ended already."""
    reason: ev.EndReason = "connection_lost"
    if state.transfer is not None:
        reason = "transferred"
    elif state.hangup is not None:
        reason = "agent_hung_up"
    log.info("no audio comes any more", call_sid=sid, reason=reason)
    try:
        await bus.append(ev.Ended(call=sid, reason=reason), only_if=not_ended(sid))
    except (Conflict, ConditionFailed):
        return False
    return True

"""What became of each call: from its log first, from the carrier's records where the log is silent.

Every way leads to the same question, ``settle``, and asking it twice changes nothing: events may come late, twice or
in any order, and a scheduler may have been away while they came.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from voxbus.common import logs, telemetry
from voxbus.common.bus import Bus, Job
from voxbus.common.errors import CodecError, LogIncomplete, VoxbusError
from voxbus.common.events import DoNotCallRequested, Started, Stored
from voxbus.common.fold import CallState, fold
from voxbus.scheduler import core_carrier
from voxbus.scheduler.core_numbers import kept_as
from voxbus.scheduler.core_states import OUTCOMES, from_carrier, from_log, reason_of
from voxbus.scheduler.providers import Carrier, CarrierUnavailable
from voxbus.scheduler.settings import SchedulerSettings
from voxbus.scheduler.store import Refusal, Stores
from voxbus.scheduler.tables import Call

_RETRY_S: Final = 2.0
_MARGIN_S: Final = 5.0
#: How often the sweeper looks; also how long a request may be without answer beyond the carrier's own time.
SWEEP_S: Final = 2.0
#: A live call of which nothing was heard for so long is asked about.
SILENT_S: Final = 120.0
_FORGET_EVERY_S: Final = 3600.0

log = logs.get_logger(__name__)

_OUTCOMES = telemetry.counter(
    "scheduler_outcomes", "Calls that were placed, by how they came out.", "outcome"
)


class Settler:
    def __init__(
        self, settings: SchedulerSettings, bus: Bus, stores: Stores, carrier: Carrier | None
    ) -> None:
        self._settings = settings
        self._bus = bus
        self._queue = stores.queue
        self._tracks = stores.tracks
        self._refusals = stores.refusals
        self._erasure = stores.erasure
        self._forget_at_s = 0.0
        self._carrier = carrier

    async def handle(self, job: Job) -> None:
        """A job of the consumer ``scheduler``: started, status or ended of any call, or a wish not to be called."""
        event = job.event
        if isinstance(event, Started) and event.direction == "inbound":
            return
        job.progress(_MARGIN_S)
        try:
            if isinstance(event, DoNotCallRequested):
                await self._refuse(job.stored, event)
            else:
                await self.settle(event.call, through=job.stored.sequence)
        except VoxbusError as error:
            log.warning("an event comes back", call_sid=event.call, kind=event.kind, error=error)
            await job.hand_over(_RETRY_S)
        except Exception:  # the database, most likely; handed over at once it would come back at once
            log.exception("an event comes back", call_sid=event.call, kind=event.kind)
            await job.hand_over(_RETRY_S)

    async def settle(self, call_sid: str, *, through: int = 0) -> bool:
        """Brings the row of this call in line with its log. False when there is no log, or no row of ours.

        Raises LogIncomplete when the log does not show the event ``through`` yet.
        """
        events = await self._read(call_sid, through)
        if not events:
            return False
        state = fold(events)
        session = _session(state)
        call = await self._tracks.find(call_sid, session)
        if call is None:
            return False
        now_s = time.time()
        if call.call_sid != call_sid and not await self._tracks.bind(call.id, call_sid, "callback", now_s):
            log.error("a second call has the session of another", call_sid=call_sid, session=session)
            return False
        new = from_log(state)
        if await self._tracks.tell(
            call.id,
            new,
            now_s,
            sequence=events[-1].sequence,
            answered_by=state.answered_by,
            detail=reason_of(state),
        ):
            _count(new)
        return True

    async def _refuse(self, stored: Stored, event: DoNotCallRequested) -> None:
        """The person at the other end is never called again, by whatever number we know them."""
        started = fold(await self._read(event.call, stored.sequence)).started
        if started is None:  # it came so late that the rest is in the archive alone
            started = fold(await self._bus.read_archive(event.call)).started
        number = ""
        if started is not None:
            number = started.to_number if started.direction == "outbound" else started.from_number
        try:
            refusal = Refusal(kept_as(number), "call", event.text, stored.time_s, event.call)
        except ValueError:
            log.warning("nobody knows whose wish it is not to be called", call_sid=event.call)
            return
        await self._refusals.add([refusal])
        log.info("onto the do-not-call list", call_sid=event.call)

    async def _read(self, call_sid: str, through: int) -> list[Stored]:
        events = await self._bus.read_log(call_sid)
        if through and not any(stored.sequence >= through for stored in events):
            # Purged after it was archived, or a replica that lags.
            events = await self._bus.read_archive(call_sid)
            if not any(stored.sequence >= through for stored in events):
                raise LogIncomplete("the log does not show the event yet")
        return events or await self._bus.read_archive(call_sid)

    async def placed(self, _call_id: str, call_sid: str) -> None:
        """Its events may have come before anybody knew whose they were."""
        try:
            await self.settle(call_sid)
        except VoxbusError as error:
            log.warning(
                "the log of a new call cannot be read; the sweeper will", call_sid=call_sid, error=error
            )

    async def sweep(self) -> None:
        """For ever: finds what was left by the dead and what nobody told. No duty waits for another."""
        async with asyncio.TaskGroup() as duties:
            for duty in (self._recover, self._confirm, self._listen, self._end, self._forget):
                duties.create_task(self._often(duty))

    async def _often(self, duty: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await duty()
            except (SQLAlchemyError, OSError) as error:
                # Its text repeats the statement with its values.
                log.error("the database does not answer", kind=type(error).__name__)
            await asyncio.sleep(SWEEP_S)

    async def _confirm(self) -> None:
        await self._each(self._find_out, await self._tracks.unconfirmed())

    async def _listen(self) -> None:
        await self._each(self._ask_about, await self._tracks.silent(time.time() - SILENT_S))

    async def _end(self) -> None:
        await self._each(self.hang_up, await self._tracks.to_hang_up())

    async def _each(self, look: Callable[[Call], Awaitable[None]], calls: list[Call]) -> None:
        """One that cannot be looked after now stands in nobody's way."""
        for call in calls:
            try:
                await look(call)
            except (VoxbusError, CarrierUnavailable) as error:
                log.warning("sweeping goes on later", session=call.id, error=error)

    async def _forget(self) -> None:
        """Once an hour, what has been kept for long enough."""
        if not self._settings.keep_days or time.monotonic() < self._forget_at_s:
            return
        self._forget_at_s = time.monotonic() + _FORGET_EVERY_S
        calls = await self._erasure.expire(time.time() - self._settings.keep_days * 86_400)
        if calls:
            log.info("removed what was kept for long enough", calls=calls)

    async def _recover(self) -> None:
        now_s = time.time()
        back, open_ = await self._queue.recover(now_s, now_s - self._settings.carrier_timeout_s - _MARGIN_S)
        if back or open_:
            log.warning("found calls of a scheduler that is gone", back_in_the_queue=back, unconfirmed=open_)

    async def _find_out(self, call: Call) -> None:
        """A request without an answer: is there a call that nobody else has made?"""
        found = await self._look_for(call)
        now_s = time.time()
        if found is not None and await self._tracks.bind(call.id, found.call_sid, "list", now_s):
            log.info("found in the carrier's list", session=call.id, call_sid=found.call_sid)
            await self.placed(call.id, found.call_sid)
        elif now_s - call.dialled_at_s > self._settings.reconcile_s:
            why = "the carrier shows no call that is surely this one; it will not be dialled again"
            if await self._tracks.unknown(call.id, now_s, why):
                log.error("nobody knows whether it was dialled, and it will not be again", session=call.id)

    async def _look_for(self, call: Call) -> core_carrier.Listed | None:
        if self._carrier is None:
            return None
        try:
            listed = await self._carrier.calls(call.to_number, call.from_number)
        except CarrierUnavailable as error:
            log.warning("the carrier's list cannot be read", session=call.id, error=error)
            return None
        taken = await self._tracks.taken(call.to_number)
        return core_carrier.match(listed, taken, call.dialled_at_s, await self._tracks.rivals(call))

    async def hang_up(self, call: Call) -> None:
        """Somebody asked for its end. Once the carrier was told, the log tells the rest."""
        if self._carrier is None or call.call_sid is None:
            return
        if await self._carrier.hang_up(call.call_sid):
            log.info("hung up", session=call.id, call_sid=call.call_sid)
        await self._tracks.hung_up(call.id)

    async def _ask_about(self, call: Call) -> None:
        """A live call that is silent: its events may have passed while nobody listened, or never been sent."""
        assert call.call_sid is not None
        # Before anything can fail: else it would be the first one to be asked about the next time, and every time.
        await self._tracks.checked(call.id, time.time())
        try:
            told = await self.settle(call.call_sid)
        except CodecError as error:
            log.error("a log cannot be read; the carrier is asked", call_sid=call.call_sid, error=error)
            told = False
        if told:
            current = await self._tracks.find(call.call_sid)
            if current is not None and current.state in OUTCOMES:
                return
        if self._carrier is None:
            return
        listed = await self._carrier.call(call.call_sid)
        now_s = time.time()
        if listed is None:
            await self._not_known(call, now_s)
            return
        new = from_carrier(listed.status)
        if await self._tracks.tell_by_carrier(call.id, new, now_s):
            log.info("settled by the carrier's records", call_sid=call.call_sid, state=new)
            _count(new)

    async def _not_known(self, call: Call, now_s: float) -> None:
        """Its records may be late, but no later than the longest call is."""
        longest_s = self._settings.ring_timeout_s + self._settings.call_limit_s
        if call.dialled_at_s < now_s - longest_s - SILENT_S and await self._tracks.lost(
            call.id, now_s, "the carrier knows no such call, which is longer ago than a call can last"
        ):
            log.error("the carrier knows no such call", session=call.id, call_sid=call.call_sid)


def _session(state: CallState) -> str:
    if state.started is not None:
        return state.started.session
    return next((status.session for status in state.statuses if status.session), "")


def _count(state: str) -> None:
    if state in OUTCOMES:
        _OUTCOMES.labels(state).inc()

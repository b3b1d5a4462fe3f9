"""Jobs in (one a call), calls run, jobs done."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from voxbus.common import events as ev
from voxbus.common import subjects
from voxbus.common.bus import Bus, Job, JobRunner, Peers, not_ended
from voxbus.common.errors import AgentError, ConditionFailed, Conflict
from voxbus.common.events import Stored
from voxbus.common.fold import CallState, fold
from voxbus.common.logs import get_logger
from voxbus.common.providers.breaker import Breakers
from voxbus.common.run import background
from voxbus.common.telemetry import counter, gauge, histogram_ms
from voxbus.stt.call import Call
from voxbus.stt.core_poison import is_poison
from voxbus.stt.core_rules import rules_for
from voxbus.stt.providers.chain import Chain
from voxbus.stt.recognizer import Recognizer
from voxbus.stt.settings import SttSettings
from voxbus.stt.ticker import Ticker
from voxbus.stt.vad import VoiceActivity

log = get_logger(__name__)

CALLS = gauge("stt_calls", "Calls that this worker holds.")
TAKEN = counter("stt_calls_taken", "Calls that this worker took, by how they left it.", "outcome")
HANDOVER = histogram_ms("stt_handover", "A call given away to its next holder having it.")

_WATCH_S = 0.25
#: Until a call is in our hands: its log and its frames are read, by many at once after another worker's death.
_ATTACH_S = 5.0
#: A holder that does not answer within this does not hold.
_HELD_S = 0.3
#: After a restart of NATS, workers are back within this.
_SETTLE_S = 0.5

#: Calls that are asked for at a time, and that are being taken at a time. Those that come first are through first, and
#: the windows of many that catch up together are one batch.
_AT_ONCE = 16
_TAKING = 16
#: The next one is not taken before an earlier one has caught up with its caller, or is too slow in that.
_CATCH_UP_S = 0.5
#: Calls that are given away at a time, and how long one of them waits for its taker before the next may go.
_LEAVING = 2
_TAKEN_S = 0.5
#: Of the time that a drain may take: the rest is for what comes after the calls.
_DRAIN_SHARE = 0.6


@dataclass(frozen=True)
class _Refusal(Exception):
    """``detail`` goes into the log of the call: no user data."""

    detail: str


class SttService:
    def __init__(self, settings: SttSettings, bus: Bus, recognizers: Mapping[str, Recognizer]) -> None:
        """``recognizers`` by name, best first."""
        self._settings = settings
        self._bus = bus
        self._recognizers = recognizers
        self._breakers = Breakers()
        # A call that is handed over is closed a moment after the next one may be taken.
        self._vad = VoiceActivity(settings.stt_calls + 8)
        self._ticker = Ticker(self._vad)
        self._calls: dict[Call, Job] = {}
        self._leaving = asyncio.Semaphore(_LEAVING)
        self._taking = asyncio.Semaphore(_TAKING)
        self._peers = Peers(bus, "stt", self._leases)
        self._runner = JobRunner(
            bus,
            "stt",
            self._handle,
            capacity=settings.stt_calls,
            on_failure=self._on_failure,
            at_once=_AT_ONCE,
            settle_s=_SETTLE_S,
        )

    async def start(self) -> None:
        for recognizer in self._recognizers.values():
            await recognizer.start()
        await self._peers.start()
        await self._runner.start()
        self._watcher = background(self._watch(), name="watch calls")

    async def drain(self) -> None:
        await self._peers.leave()
        await self._runner.drain(self._settings.drain_seconds)
        self._watcher.cancel()
        self._ticker.stop()
        for recognizer in self._recognizers.values():
            await recognizer.close()

    def _on_failure(self, job: Job, error: Exception) -> None:
        log.exception("a call failed here", error, call_sid=job.event.call)
        TAKEN.labels("failed").inc()

    def _leases(self) -> list[str]:
        """Should we die: callers who are in the middle of something are taken first, for they wait."""
        idle = {job for call, job in self._calls.items() if call.idle}
        jobs = [job for job in self._runner.jobs.values() if not job.lapsed]
        return [job.lease for job in sorted(jobs, key=idle.__contains__)]

    async def _handle(self, job: Job) -> None:
        job.progress(_ATTACH_S)
        async with AsyncExitStack() as ours:
            async with self._taking:
                call = await self._take(job, ours)
                if call is not None:
                    await _within(call.caught_up.wait(), _CATCH_UP_S)
            if call is not None:
                await self._hold(job, call)

    async def _take(self, job: Job, ours: AsyncExitStack) -> Call | None:
        """The call of the job, attached; None when it is not for us. ``ours`` gets what is to be closed after it."""
        sid = job.event.call
        early: list[Stored] = []
        on_event = early.append
        asking = asyncio.create_task(
            self._bus.ask(subjects.holder(sid), b"", _HELD_S), name="who holds the call"
        )
        ours.callback(asking.cancel)
        opened = await self._bus.open_log(sid, lambda stored: on_event(stored))
        ours.push_async_callback(opened.close)
        state = fold(opened.snapshot)
        if state.ended is not None or state.started is None:
            return None
        # A restart of NATS gives jobs to others although their holders live. Of a dead one NATS itself says at once
        # that nobody answers; one that is frozen is not waited for.
        if state.holder and await asking == b"%d" % state.holder:
            job.lapsed = True  # the holder goes on with it: nothing is said about it from here
            TAKEN.labels("left").inc()
            return None
        try:
            call = self._prepare(state)
        except _Refusal as refusal:
            log.error("the call cannot be taken", call_sid=sid, why=refusal.detail)
            await self._end(sid, refusal.detail)
            await job.refuse(refusal.detail)
            TAKEN.labels("refused").inc()
            return None
        on_event = call.on_event
        for stored in early:
            call.on_event(stored)
        CALLS.inc()
        ours.push_async_callback(self._let_go, call)
        call.on_kept = job.reclaim
        job.progress(_ATTACH_S)
        await call.attach(self._settings.worker_id, secrets.token_hex(4))
        return call

    async def _let_go(self, call: Call) -> None:
        self._calls.pop(call, None)
        try:
            await call.close()
        finally:
            self._vad.close(call.row)
            CALLS.dec()

    def _prepare(self, state: CallState) -> Call:
        assert state.started is not None
        agent = state.started.agent
        if is_poison([stored.time_s for stored in state.attached], time.time()):
            raise _Refusal("three holders in a row lost the call at once")
        recognizer = self._recognizer(agent.stt)
        try:
            recognizer.check(agent)
        except AgentError as error:
            raise _Refusal(str(error)) from error
        rules = rules_for(self._settings.model_dump(), agent, provider_ends_turns=recognizer.ends_turns)
        return Call(self._bus, self._ticker, recognizer, rules, self._vad.open(), state)

    def _recognizer(self, asked: str) -> Recognizer:
        """The one that an agent asks for, or the best; where there are others, they stand behind it."""
        if asked and asked not in self._recognizers:
            raise _Refusal(f"no recognizer is called {asked}; there are: {', '.join(self._recognizers)}")
        names = dict.fromkeys(filter(None, (asked, *self._recognizers)))
        ordered = {name: self._recognizers[name] for name in names}
        return Chain(ordered, self._breakers) if len(ordered) > 1 else next(iter(ordered.values()))

    async def _hold(self, job: Job, call: Call) -> None:
        """Until the call is over, or another worker has it."""
        self._calls[call] = job
        over = asyncio.ensure_future(call.over.wait())
        draining = asyncio.ensure_future(job.draining.wait())
        try:
            await asyncio.wait((over, draining), return_when=asyncio.FIRST_COMPLETED)
        finally:
            over.cancel()
            draining.cancel()
        leaving = not call.over.is_set()
        if leaving:
            await self._give_away(job, call)
        superseded = call.superseded
        if call.error is not None:
            raise call.error
        # Held by somebody else, the job is theirs: our acknowledgement would end it under their hands.
        job.lapsed = job.lapsed or superseded
        TAKEN.labels("handed_over" if leaving else "superseded" if superseded else "over").inc()

    async def _give_away(self, job: Job, call: Call) -> None:
        """The call is ours until another worker has it: nothing that the caller says falls between the two.

        Mid-turn is as good a moment as any, for the next holder hears the whole turn again from the gateway. A few at a
        time: whoever takes a call has to catch up with it first, and twenty at once would all be late.
        """
        patience_s = self._settings.drain_seconds * _DRAIN_SHARE
        async with self._leaving:
            call.leave()
            given_s = time.monotonic()
            await job.hand_over()
            if await _within(call.over.wait(), min(_TAKEN_S, patience_s)):
                HANDOVER.observe((time.monotonic() - given_s) * 1000)
                return
        await _within(call.over.wait(), patience_s)  # nobody takes it yet

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_WATCH_S)
            for call, job in tuple(self._calls.items()):
                job.progress()
                call.watch()  # waits for nothing: the leases of all calls hang on this loop

    async def _end(self, sid: str, detail: str) -> None:
        try:
            await self._bus.append(ev.Ended(call=sid, reason="error", detail=detail), only_if=not_ended(sid))
        except (Conflict, ConditionFailed):
            return  # it has ended anyway


async def _within(work: Coroutine[Any, Any, object], seconds: float) -> bool:
    """Whether ``work`` came to its end in that time."""
    try:
        async with asyncio.timeout(seconds):
            await work
    except TimeoutError:
        return False
    return True

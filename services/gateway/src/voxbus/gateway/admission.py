"""From a stream's ``start`` to a call that is in its log."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

from voxbus.common import events as ev
from voxbus.common import subjects
from voxbus.common.bus import Bus, OpenLog, Subscription, not_ended
from voxbus.common.codec import pack_replay
from voxbus.common.context import CallContext, decode_context
from voxbus.common.errors import CodecError, ConditionFailed, Conflict
from voxbus.common.events import Stored
from voxbus.common.fold import fold
from voxbus.common.logs import Log
from voxbus.gateway import metrics, tokens
from voxbus.gateway.agents import Catalog
from voxbus.gateway.call import Call, Leaving
from voxbus.gateway.core_caller import CallerAudio, resume_at_ms
from voxbus.gateway.core_closing import Limits
from voxbus.gateway.core_media import StartBody
from voxbus.gateway.errors import Refused, TooLate
from voxbus.gateway.outlet import Outlet
from voxbus.gateway.publisher import Publisher
from voxbus.gateway.recording import Recordings
from voxbus.gateway.tokens import Leg

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")

#: An STT worker that does not answer within this is frozen: the call comes back without it.
_REACHED_S: Final = 0.3


@dataclass(frozen=True)
class Asking:
    """A stream that wants to become a call's. ``minted``: its URL is one that we made, so it has a token."""

    start: StartBody
    minted: bool
    outlet: Outlet
    now_ms: Callable[[], float]
    left: Callable[[Leaving], None]
    log: Log
    limits: Limits
    recordings: Recordings


class Admitted:
    """A call and what it holds on the bus. Made by ``admit``, ended by ``close``: all but its ``publisher``, which may
    have something left to store.
    """

    def __init__(self, bus: Bus, asking: Asking) -> None:
        self._bus = bus
        self._asking = asking
        self._call: Call | None = None
        self._early: list[Stored] = []
        self._open_log: OpenLog | None = None
        self._subscriptions: list[Subscription] = []
        self.publisher = Publisher(bus, asking.log)

    async def open(self) -> None:
        """Listens to everything that concerns the call. Raises TooLate when it has ended, or BusUnavailable."""
        asking = self._asking
        sid = asking.start.call_sid
        log, *_ = await _together(
            self._read_log(sid),
            self._hold(self._bus.audio.subscribe(subjects.audio_out(sid), self._on_audio)),
            self._serve(sid),
        )
        snapshot = log.snapshot
        state = fold(snapshot)
        if state.ended is not None:
            raise TooLate("the call has ended")
        reached = await self._reached(sid) if state.started is not None else 0
        caller = CallerAudio(asking.now_ms(), resume_at_ms(snapshot, time.time(), reached))
        call = self._call = Call(
            self._bus,
            asking.outlet,
            self.publisher,
            state,
            caller,
            asking.recordings,
            sid=sid,
            stream_sid=asking.start.stream_sid,
            now_ms=asking.now_ms,
            left=asking.left,
            log=asking.log,
            limits=asking.limits,
        )
        for stored in self._early:
            call.on_event(stored)

    async def _read_log(self, sid: str) -> OpenLog:
        self._open_log = await self._bus.open_log(sid, self._on_event)
        return self._open_log

    async def _reached(self, sid: str) -> int:
        """The number of the frame that STT expects next; 0 = nobody has heard any, or says so."""
        said = await self._bus.audio.ask(subjects.audio_reached(sid), b"", _REACHED_S)
        return int(said) if said is not None and said.isdigit() else 0

    async def _hold(self, subscribing: Awaitable[Subscription]) -> None:
        self._subscriptions.append(await subscribing)

    async def _serve(self, sid: str) -> None:
        await self._hold(self._bus.audio.serve(subjects.audio_replay(sid), self._replay))
        await self._hold(self._bus.audio.answer(subjects.audio_wanted(sid), self._wanted))
        await self._hold(self._bus.audio.subscribe(subjects.audio_heard(sid), self._on_heard))

    def _on_audio(self, data: bytes) -> None:
        if self._call is not None:  # before that nobody has been asked to speak
            self._call.on_audio(data)

    def _on_heard(self, data: bytes) -> None:
        """The STT worker has heard nothing up to this media time (ms) that is not in the log."""
        if self._call is not None and data.isdigit():
            self._call.ring.turn_ended(int(data))

    def _wanted(self, question: bytes) -> bytes | None:
        return self._call.wanted(question) if self._call is not None else None

    def _replay(self, request: bytes) -> list[bytes]:
        """``request``: the sequence number to begin with; empty = all that is kept."""
        from_sequence = int(request) if request.isdigit() else 0
        return pack_replay(self._call.ring.messages(from_sequence)) if self._call is not None else []

    def _on_event(self, stored: Stored) -> None:
        if self._call is None:  # the log is still being read
            self._early.append(stored)
        else:
            self._call.on_event(stored)

    @property
    def call(self) -> Call:
        assert self._call is not None, "open has not returned"
        return self._call

    async def close(self) -> None:
        for subscription in self._subscriptions:
            await subscription.close()
        if self._open_log is not None:
            await self._open_log.close()


async def admit(bus: Bus, catalog: Catalog, asking: Asking) -> Admitted:
    """The call, with ``started`` or ``resumed`` in its log.

    Raises BadToken, TooLate, Refused (its agent cannot be used), or BusUnavailable.
    """
    start = asking.start
    admitted = Admitted(bus, asking)
    try:
        # All at once: the caller waits for it.
        leg, context, _ = await _together(
            _leg_of(bus, asking), context_of(bus, start.call_sid, _session_of(start)), admitted.open()
        )
        began = await _log_it(bus, catalog, admitted.call, leg, context)
    except BaseException:
        await admitted.close()
        await admitted.publisher.close()
        raise
    metrics.STREAMS.labels(began).inc()
    return admitted


async def _leg_of(bus: Bus, asking: Asking) -> Leg:
    start = asking.start
    if not asking.minted:
        return Leg(start.call_sid, 0, session=_session_of(start))
    token = start.custom_parameters.get("token", "")
    return await tokens.take(bus.tokens, token, start.call_sid, time.time())


async def _log_it(bus: Bus, catalog: Catalog, call: Call, leg: Leg, context: CallContext) -> str:
    condition = not_ended(leg.sid)
    try:
        if call.state.started is None:
            try:
                await bus.append(_started(catalog, call.stream_sid, leg, context), only_if=condition)
                return "started"
            except Conflict:
                pass  # another stream of the call was a moment faster
        await bus.append(ev.Resumed(call=leg.sid, stream_sid=call.stream_sid), only_if=condition)
    except Conflict:
        raise TooLate("this stream was in the call before") from None
    except ConditionFailed:
        raise TooLate("the call has ended") from None
    return "resumed"


def _started(catalog: Catalog, stream_sid: str, leg: Leg, context: CallContext) -> ev.Started:
    agent = catalog.resolve(context.agent or leg.agent, context.variables)
    return ev.Started(
        call=leg.sid,
        trace=f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01",
        stream_sid=stream_sid,
        session=context.session or leg.session,
        direction=context.direction or leg.direction,
        from_number=leg.from_number,
        to_number=leg.to_number,
        context=agent.variables,
        agent=agent,
    )


async def context_of(bus: Bus, sid: str, session: str) -> CallContext:
    """What was stored for the call, else for its session, else an empty one. Raises Refused, BusUnavailable."""
    stored = await bus.contexts.get(subjects.context_of_call(sid))
    if stored is None and session:
        stored = await bus.contexts.get(subjects.context_of_session(session))
    if stored is None:
        return CallContext(session=session)
    try:
        return decode_context(stored)
    except CodecError as error:
        raise Refused(422, "bad_context", str(error)) from None


async def _together(
    one: Coroutine[Any, Any, A], two: Coroutine[Any, Any, B], three: Coroutine[Any, Any, C]
) -> tuple[A, B, C]:
    """All three at the same time, each to its end; then the first error among them, in this order."""
    results = await asyncio.gather(one, two, three, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return cast(tuple[A, B, C], tuple(results))


def _session_of(start: StartBody) -> str:
    session = start.custom_parameters.get("session", "")
    return session if subjects.is_session(session) else ""

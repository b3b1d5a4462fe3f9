"""Takes calls from the queue and dials them, at the account's pace.

The order of the steps is what keeps a number from being dialled twice: claim, context into the bus, ``dialling`` into
the database, and only then the one request. Whoever dies in between leaves a row that says how far it came.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Final, assert_never

from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from voxbus.common import logs, subjects, telemetry
from voxbus.common.agents import Agent
from voxbus.common.bus import Bus
from voxbus.common.context import CallContext, encode_context
from voxbus.common.errors import BusUnavailable
from voxbus.scheduler import core_carrier as carrier
from voxbus.scheduler.capacity import Capacity
from voxbus.scheduler.core_orders import missing
from voxbus.scheduler.providers import Carrier, Detection, Dial
from voxbus.scheduler.settings import SchedulerSettings
from voxbus.scheduler.store import Paused, Stores
from voxbus.scheduler.tables import Call

#: Longer than everything before ``dialling`` takes; a dead scheduler's call waits so long for another.
CLAIM_S: Final = 10.0
#: How often the queue is looked at without being told: another scheduler's API may have filled it.
_LOOK_S: Final = 1.0

#: Who leaves a message needs to know when the greeting of the machine is over; who hangs up does so at once.
_DETECTION: Final[dict[str, Detection]] = {"off": "", "hang_up": "answer", "leave_message": "greeting_end"}

log = logs.get_logger(__name__)

_DIALS = telemetry.counter("scheduler_dials", "Requests to the carrier for a call, by its answer.", "answer")
_DIAL_MS = telemetry.histogram_ms("scheduler_dial", "How long the carrier took to answer such a request.")
_HELD = telemetry.counter(
    "scheduler_held", "How often nobody could be dialled although somebody waits, by why.", "why"
)
_QUEUED = telemetry.gauge(
    "scheduler_queued", "Calls that wait to be dialled, of all schedulers of the database."
)

#: Called with (call id, CallSid) as soon as the carrier said which call it is.
OnPlaced = Callable[[str, str], Awaitable[object]]


class Dialler:
    def __init__(
        self,
        settings: SchedulerSettings,
        bus: Bus,
        stores: Stores,
        capacity: Capacity,
        provider: Carrier,
        on_placed: OnPlaced,
    ) -> None:
        self._settings = settings
        self._bus = bus
        self._stores = stores
        self._capacity = capacity
        self._carrier = provider
        self._on_placed = on_placed
        self._news = asyncio.Event()
        self._dialling: set[asyncio.Task[None]] = set()

    def notify(self) -> None:
        """Something was queued."""
        self._news.set()

    async def run(self) -> None:
        """For ever."""
        room = asyncio.Semaphore(self._settings.dials_at_once)
        while True:
            await room.acquire()
            call = await self._next_call()
            task = asyncio.create_task(self._dial(call), name="dial")
            self._dialling.add(task)
            task.add_done_callback(self._dialling.discard)
            task.add_done_callback(lambda _: room.release())

    async def drain(self) -> None:
        """Until every request that left has its answer."""
        await asyncio.gather(*self._dialling, return_exceptions=True)

    async def _next_call(self) -> Call:
        while True:
            try:
                return await self._head()
            except (SQLAlchemyError, OSError) as error:
                # Its text repeats the statement with its values.
                log.error("the database does not answer", kind=type(error).__name__)
                await asyncio.sleep(_LOOK_S)

    async def _head(self) -> Call:
        """Whoever is next, claimed, once a telephone may ring."""
        stores, settings = self._stores, self._settings
        while True:
            self._news.clear()
            now_s = time.time()
            await stores.queue.expire(now_s - settings.queue_max_s, now_s)
            for paused in await stores.contacts.settle(now_s):
                _say(paused)
            _QUEUED.set(await stores.queue.waiting())
            if await stores.dispatch.due(now_s):
                free = await self._capacity.free()
                now_s = time.time()
                taken = await stores.dispatch.take(secrets.token_hex(16), now_s, now_s + CLAIM_S, free)
                if isinstance(taken, Call):
                    return taken
                if isinstance(taken, Paused):
                    _say(taken)
                    continue
                _HELD.labels(taken.why).inc()
                # Told that there is more to do, we would still have to wait for our turn.
                await asyncio.sleep(taken.seconds)
                continue
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), _LOOK_S)

    async def _dial(self, call: Call) -> None:
        try:
            await self._place(call)
        except BusUnavailable as error:
            log.warning("not dialled: the bus does not answer", session=call.id, error=error)
            now_s = time.time()
            await self._stores.dispatch.rest(now_s + _LOOK_S)
            await self._stores.queue.release(call.id, call.claim, now_s, "the bus did not answer")
        except Exception:  # the row says how far it came, and the sweeper goes on from there
            log.exception("dialling failed", session=call.id)

    async def _place(self, call: Call) -> None:
        agent = await self._agent_of(call)
        if isinstance(agent, carrier.Refused):
            await self._stores.queue.fail(call.id, call.claim, time.time(), agent)
            return
        # Before the dialling: the webhook may come before the answer to our request does.
        context = CallContext(
            session=call.id, agent=call.agent, direction="outbound", variables=call.variables
        )
        await self._bus.contexts.put(subjects.context_of_session(call.id), encode_context(context))
        may = await self._stores.dispatch.dialling(call.id, call.claim, time.time())
        if isinstance(may, carrier.Refused):
            log.info("not dialled", session=call.id, code=may.code)
            await self._stores.queue.fail(call.id, call.claim, time.time(), may)
            return
        if not may:
            log.warning("not dialled: the claim ran out, or the call was canceled", session=call.id)
            return
        start = time.perf_counter()
        answer = await self._carrier.create(self._order(call, agent))
        _DIAL_MS.observe((time.perf_counter() - start) * 1000)
        _DIALS.labels(type(answer).__name__).inc()
        await self._answered(call, answer)

    async def _agent_of(self, call: Call) -> Agent | carrier.Refused:
        """Or why it must not be dialled any more: its agent may have gone or changed since it was ordered."""
        definition = await self._bus.agents.get(call.agent)
        if definition is None:
            return carrier.Refused("unknown_agent", f"There is no agent called {call.agent!r} any more.")
        try:
            agent = Agent.model_validate_json(definition)
        except ValidationError:
            return carrier.Refused("agent", f"The agent {call.agent!r} cannot be read.")
        words = missing(agent, call.variables)
        return carrier.Refused("agent", words) if words else agent

    def _order(self, call: Call, agent: Agent) -> Dial:
        def url(path: str) -> str:
            return f"{self._settings.public_url.rstrip('/')}{path}?session={call.id}"

        return Dial(
            to=call.to_number,
            from_number=call.from_number,
            url=url("/twilio/voice"),
            status_url=url("/twilio/status"),
            ring_s=self._settings.ring_timeout_s,
            limit_s=self._settings.call_limit_s,
            detection=_DETECTION[agent.machine_detection],
            detection_url=url("/twilio/amd"),
        )

    async def _answered(self, call: Call, answer: carrier.Answer) -> None:
        now_s = time.time()
        match answer:
            case carrier.Placed(call_sid):
                log.info("placed", session=call.id, call_sid=call_sid)
                if await self._stores.tracks.bind(call.id, call_sid, "create", now_s):
                    await self._on_placed(call.id, call_sid)
                else:
                    log.error("the session belongs to another call", session=call.id, call_sid=call_sid)
            case carrier.Refused():
                log.warning("refused by the carrier", session=call.id, code=answer.code)
                await self._stores.queue.fail(call.id, call.claim, now_s, answer)
            case carrier.TooMany():
                tries = call.tries + 1
                rest_s = carrier.backoff_s(tries, random.random())
                log.warning("too many requests", session=call.id, tries=tries, rest_s=rest_s)
                if rest_s is None:
                    await self._stores.queue.fail(call.id, call.claim, now_s, carrier.TOO_MANY)
                else:
                    await self._once_more(call, rest_s, "the carrier said: too many requests")
            case carrier.NotSent(why):
                rest_s = carrier.rest_s(call.tries + 1, random.random())
                log.error("the carrier cannot be reached", session=call.id, why=why, rest_s=rest_s)
                await self._once_more(call, rest_s, f"the carrier could not be reached: {why}")
            case carrier.Unclear(why):
                log.error("nobody knows whether it was dialled", session=call.id, why=why)
                await self._stores.queue.unconfirmed(call.id, now_s, why)
            case _:
                assert_never(answer)

    async def _once_more(self, call: Call, rest_s: float, why: str) -> None:
        # The rest first: else another scheduler would take the call in between.
        now_s = time.time()
        await self._stores.dispatch.rest(now_s + rest_s)
        await self._stores.queue.again(call.id, call.claim, now_s, why)


def _say(paused: Paused) -> None:
    log.error("campaign paused", campaign=paused.campaign, reason=paused.reason)

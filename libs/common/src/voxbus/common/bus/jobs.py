"""Jobs: events that a worker takes, holds with a lease, and finishes.

JetStream hands a job to one worker. The worker's in-progress acks are its lease; when they stop for ``ACK_WAIT_S``
another worker gets the job. A lease is kept only while the handler reports progress, so that a handler that hangs
loses its job although its process lives.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import nats.errors
from nats.aio.msg import Msg

from voxbus.common import subjects, telemetry
from voxbus.common.bus.job import PUT_BACK, Job, put_off
from voxbus.common.bus.setup import ACK_WAIT_S
from voxbus.common.codec import decode
from voxbus.common.errors import CodecError, UnknownEvent
from voxbus.common.events import Stored

if TYPE_CHECKING:
    from nats.aio.subscription import Subscription as NatsSubscription

    from voxbus.common.bus.client import Bus

_HEARTBEAT_S = ACK_WAIT_S / 4
#: A pull waits this long at the server; a lost connection is noticed no later.
_PULL_S = 1.0
#: Jobs of a future version come back after this long, for a worker that knows them.
_UNKNOWN_DELAY_S = 5.0
#: A job whose handler failed comes back at once, for that may have been an accident; then ever later.
_FAILED_AGAIN_S = 0.25
_FAILED_AGAIN_MAX_S = 2.0

_CAPACITY = telemetry.gauge("jobs_capacity", "How many jobs this worker takes at once.")
_IN_HAND = telemetry.gauge("jobs_in_hand", "Jobs that this worker holds.")
_WAITING = telemetry.gauge(
    "jobs_waiting", "Jobs that waited for a free worker, of all of them, when this one last asked for a job."
)
_WAIT = telemetry.histogram_ms(
    "job_wait", "An event stored to its job received, first deliveries only, by the clocks of two machines."
)
_DELIVERED = telemetry.counter(
    "jobs_delivered",
    "Jobs received. again: whoever had it died, let go of it or put it off. own: it came back to us, who hold it.",
    "delivery",
)
_FIRST, _AGAIN, _OWN = (_DELIVERED.labels(delivery) for delivery in ("first", "again", "own"))


Handle = Callable[[Job], Awaitable[None]]
OnFailure = Callable[[Job, Exception], None]


class JobRunner:
    """Pulls jobs of one consumer, at most ``capacity`` at a time, and runs ``handle(job)`` for each as a task.

    The handler ends its job with done(), hand_over() or refuse(). One that returns without is counted as done; one
    that raises hands its job over, ever later, and ``on_failure(job, error)`` hears of it.

    ``at_once``: how many jobs are asked for at a time. One is fairest; where the holder of many dies they come back
    together, and each would cost a way to the server and back.

    ``settle_s``: after a lost connection is back, no job is asked for so long. A server that restarts gives jobs that
    are held to whoever asks first; where that costs something, the holders should be back before.
    """

    def __init__(
        self,
        bus: Bus,
        consumer: str,
        handle: Handle,
        *,
        capacity: int,
        on_failure: OnFailure,
        at_once: int = 1,
        settle_s: float = 0.0,
    ) -> None:
        self._client = bus.control
        self._bus = bus
        self._consumer = consumer
        self._handle = handle
        self._on_failure = on_failure
        self.capacity = capacity
        self.at_once = at_once
        self.settle_s = settle_s
        self.draining = asyncio.Event()
        self.jobs: dict[int, Job] = {}
        self.adopted = 0
        self._standing_by = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()  # a slot became free, a message came, or the drain began
        self._pull_until_s = 0.0
        self._coming = 0  # jobs that the pull in the air may still bring
        self._asked_over = 0  # which of our connections, one after another, the pull was sent over
        self._settled_s = 0.0
        self._inbox = ""
        self._subscription: NatsSubscription | None = None
        self._loops: list[asyncio.Task[None]] = []

    def leases(self) -> list[str]:
        """Of the jobs that we hold: what ``Peers`` puts back when we die."""
        return [job.lease for job in self.jobs.values() if not job.lapsed]

    async def start(self) -> None:
        _CAPACITY.set(self.capacity)
        self._inbox = self._client.new_inbox()
        self._subscription = await self._client.subscribe(self._inbox, cb=self._receive)
        self._bus.on_reconnected(self._pull_again)
        if self._consumer in subjects.WORKERS:
            await self._bus.answer(subjects.capacity(self._consumer), self._room)
        self._loops = [
            asyncio.create_task(self._pull(), name=f"pull {self._consumer}"),
            asyncio.create_task(self._heartbeat(), name=f"heartbeat {self._consumer}"),
        ]

    def _room(self, _request: bytes) -> bytes | None:
        if self.draining.is_set():
            return None
        return b"%d" % max(0, self._free)

    @property
    def _free(self) -> int:
        return self.capacity - len(self.jobs) + self._standing_by

    def make_room(self, jobs: int) -> None:
        self._standing_by += jobs
        self._wake.set()

    async def run(self) -> None:
        """Starts, and returns once drain() is through."""
        await self.start()
        await asyncio.gather(*self._loops)

    @property
    def _connection(self) -> int:
        return self._client.stats["reconnects"]

    def _pull_again(self) -> None:
        self._pull_until_s = self._settled_s = time.monotonic() + self.settle_s
        self._wake.set()

    async def _pull(self) -> None:
        request = subjects.next_job(subjects.streams()[0], self._consumer)
        query = {"expires": int(_PULL_S * 1e9)}
        while not self.draining.is_set():
            self._wake.clear()
            now = time.monotonic()
            self._pull_until_s = max(self._pull_until_s, self._settled_s)
            free = self._free
            if free > 0 and now >= self._pull_until_s and self._client.is_connected:
                # One pull in the air, for no more than there is room for: nothing is queued here.
                self._coming, self._asked_over = min(free, self.at_once), self._connection
                asked = json.dumps(query | {"batch": self._coming}).encode()
                await self._client.publish(request, asked, reply=self._inbox)
                self._pull_until_s = now + _PULL_S + 0.1
            try:
                await asyncio.wait_for(self._wake.wait(), max(0.01, self._pull_until_s - time.monotonic()))
            except TimeoutError:
                continue

    async def _receive(self, message: Msg) -> None:
        self._coming -= 1
        if not message.reply or self._coming <= 0:
            self._pull_until_s = 0.0
        self._wake.set()
        if not message.reply:
            # A status instead of a job: the pull expired (408), or was dropped (409, 503: no consumer just now).
            status = (message.headers or {}).get("Status")
            if status in ("408", "404"):
                _WAITING.set(0)  # for as long as we asked, there was none
            else:
                self._pull_until_s = time.monotonic() + 0.1
            return
        if self.draining.is_set():
            await self.say(message, PUT_BACK)
            return
        metadata = message.metadata
        sequence = metadata.sequence.stream
        _WAITING.set(metadata.num_pending)
        running = self.jobs.get(sequence)
        if running is not None:
            running.adopt(message)
            self.adopted += 1
            _OWN.inc()
            return
        if self.settle_s and self._asked_over != self._connection:
            # Asked for before we knew that the server was gone, and sent when it was back: its holder comes first.
            await self.say(message, put_off(self.settle_s))
            return
        try:
            _, kind, _ = subjects.parse_event(message.subject)
            event = decode(kind, message.data)
        except UnknownEvent:
            await self.say(message, put_off(_UNKNOWN_DELAY_S))
            return
        except CodecError:
            await self.say(message, b"+TERM undecodable")
            return
        job = Job(self, message, Stored(sequence, metadata.timestamp.timestamp(), event))
        self.jobs[sequence] = job
        _IN_HAND.inc()
        if job.redelivered:
            _AGAIN.inc()
        else:
            _FIRST.inc()
            _WAIT.observe(max(0.0, job.received_ms - job.stored.time_s * 1000))
        task = asyncio.create_task(self._work(job), name=f"{self._consumer} job")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, job: Job) -> None:
        try:
            await self._handle(job)
            await job.done()
        except asyncio.CancelledError:  # the drain ran out of time
            await job.hand_over()
            raise
        except Exception as error:  # noqa: BLE001 - the job goes to somebody else, visibly
            self._on_failure(job, error)
            await job.hand_over(_failed_delay_s(job.deliveries))
        finally:
            self.jobs.pop(job.stored.sequence, None)
            _IN_HAND.dec()
            self._wake.set()

    async def _heartbeat(self) -> None:
        while not self.draining.is_set() or self.jobs:
            for job in tuple(self.jobs.values()):
                await job.beat()
            await asyncio.sleep(_HEARTBEAT_S)

    async def say(self, message: Msg, verdict: bytes) -> None:
        """An ack of any kind. Lost ones are harmless: the job comes back and the log says what was done."""
        try:
            await self._client.publish(message.reply, verdict)
        except nats.errors.Error:
            return

    async def drain(self, timeout_s: float = 30.0) -> None:
        """Takes no more jobs, lets the handlers finish or hand over, and tells the server."""
        self.draining.set()
        self._wake.set()
        if self._subscription is not None:
            # Draining the subscription (never the client) unsubscribes first and delivers what was on its way to
            # _receive, which hands it back: no job waits for its lease to run out.
            with contextlib.suppress(nats.errors.Error, TimeoutError):
                await self._subscription.drain()  # type: ignore[no-untyped-call]
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_s)
        for task in tuple(self._tasks):
            task.cancel()
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, *self._tasks, return_exceptions=True)
        with contextlib.suppress(nats.errors.Error, TimeoutError):
            await self._client.flush(1)


def _failed_delay_s(deliveries: int) -> float:
    return min(_FAILED_AGAIN_MAX_S, _FAILED_AGAIN_S * 2 ** min(deliveries - 2, 9)) if deliveries > 1 else 0.0

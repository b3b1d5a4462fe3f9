"""One job, in the hands of a worker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from nats.aio.msg import Msg

from voxbus.common.bus.setup import ACK_WAIT_S
from voxbus.common.events import Event, Stored

#: Says that another worker may have the job.
PUT_BACK: Final = b"-NAK"


def put_off(delay_s: float) -> bytes:
    """Says that it may have it, and not before ``delay_s`` have passed."""
    return b'-NAK {"delay": %d}' % int(delay_s * 1e9)


class Runner(Protocol):
    """Whose job it is."""

    draining: asyncio.Event

    def say(self, message: Msg, verdict: bytes) -> Awaitable[None]:
        """Tells the server."""

    def make_room(self, jobs: int) -> None:
        """So many more may be taken than before; negative: fewer."""


class Job:
    """One job in this worker's hands.

    ``received_ms`` is the Unix time of its delivery, ``deliveries`` how many it has had that the server remembers.
    ``draining`` is set when the worker should let go of it soon. ``lapsed`` is true once the lease may have been lost:
    then neither done() nor hand_over() says anything to the server, because somebody else may hold the job, and the
    handler must go by the log.
    """

    def __init__(self, runner: Runner, message: Msg, stored: Stored) -> None:
        self._runner = runner
        self._message = message
        self.stored = stored
        self.received_ms = time.time_ns() // 1_000_000
        self.deliveries = message.metadata.num_delivered
        self.draining = runner.draining
        self.lapsed = False
        self._finished = False
        self._beaten_s = time.monotonic()
        self._progress_until_s = self._beaten_s + ACK_WAIT_S

    @property
    def redelivered(self) -> bool:
        return self.deliveries > 1

    @property
    def event(self) -> Event:
        return self.stored.event

    @property
    def lease(self) -> str:
        """The subject by which the server knows this delivery. Whoever has it may put the job back."""
        return self._message.reply

    def progress(self, for_s: float = ACK_WAIT_S) -> None:
        """Real progress was made: the lease is worth keeping for ``for_s`` from now."""
        self._progress_until_s = max(self._progress_until_s, time.monotonic() + for_s)

    @contextmanager
    def standing_by(self) -> Iterator[None]:
        """While this job waits for somebody else, the worker may take another one. The lease is kept as ever."""
        self._runner.make_room(1)
        try:
            yield
        finally:
            self._runner.make_room(-1)

    async def done(self) -> None:
        await self._finish(b"+ACK")

    async def hand_over(self, delay_s: float = 0.0) -> None:
        """Gives the job to whichever worker is free, at once or not before ``delay_s`` have passed.

        The server keeps that time over restarts of ours; one of its own may bring the job back early.
        """
        await self._finish(put_off(delay_s) if delay_s > 0 else PUT_BACK)

    async def refuse(self, reason: str) -> None:
        """Ends a job that nobody can do. ``reason`` goes to the server's advisory: no user data."""
        await self._finish(b"+TERM " + reason.encode())

    async def _finish(self, verdict: bytes) -> None:
        self._check_lease()
        if not self._finished and not self.lapsed:
            await self._runner.say(self._message, verdict)
        self._finished = True

    def _check_lease(self) -> None:
        # Monotonic time goes on while a process is stopped: one that is woken sees here how long it was away.
        if time.monotonic() - self._beaten_s > ACK_WAIT_S:
            self.lapsed = True

    def reclaim(self) -> None:
        """Somebody to whom the job was given leaves it to us: the lease is ours again."""
        self.lapsed = False
        self._beaten_s = time.monotonic()

    async def beat(self) -> None:
        """Keeps the lease, while there is progress."""
        self._check_lease()
        now = time.monotonic()
        if self._finished or self.lapsed or now > self._progress_until_s:
            return
        await self._runner.say(self._message, b"+WPI")
        self._beaten_s = now

    def adopt(self, message: Msg) -> None:
        """The job came back to us, who work on it still: go on under the new delivery."""
        self._message = message
        self.reclaim()

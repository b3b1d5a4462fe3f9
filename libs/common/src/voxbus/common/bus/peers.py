"""Workers of one consumer that look after each other: what a dead one held is put back at once.

A lease runs out a second after its holder's last sign of life. That a process is dead the server knows at once: its
connections are closed, and nobody answers on its subjects any more. So each worker has a name, and asks the one whose
name comes after its own what it holds.

    b --what do you hold?--> c    these leases         kept, for when c dies
                             c    (no answer)          it is slow, or frozen: its leases run out, or do not
    b --what do you hold?--> c    nobody is there      asked once more, then every lease that it named is put back

Who loses only its connection is taken for dead as well. That costs a takeover and nothing else, for the fence of a call
is in its log.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import msgpack
import nats.errors
from nats.aio.msg import Msg

from voxbus.common import subjects, telemetry
from voxbus.common.bus.job import PUT_BACK
from voxbus.common.bus.requests import AnswerLost
from voxbus.common.bus.subscription import Subscription

if TYPE_CHECKING:
    from voxbus.common.bus.client import Bus

_LOOK_S: Final = 0.15
#: Between two answers that nobody is there: a connection that comes back takes no longer, as a rule.
_SURE_S: Final = 0.1
#: Who dies with a question in hand answers nothing, and nobody says so: it is asked again soon.
_ANSWER_S: Final = 0.15
#: How often everybody says that it is there, in looks.
_HELLO_LOOKS: Final = 4

_PUT_BACK = telemetry.counter(
    "jobs_put_back", "Jobs of workers that died, put back by this one before their time."
)


class Peers:
    """``leases()``: of the jobs that we hold (``Job.lease``), those first that should be taken first.

    ``start`` before the first job, ``leave`` before a drain: from then on nobody puts back what we hold.
    """

    def __init__(self, bus: Bus, consumer: str, leases: Callable[[], Sequence[str]]) -> None:
        self.name = secrets.token_hex(8)
        self._bus = bus
        self._client = bus.control
        self._consumer = consumer
        self._leases = leases
        self._others: set[str] = set()
        self._neighbour = ""
        self._held: list[str] = []  # by the neighbour, when it last answered
        self._subscriptions: list[Subscription] = []
        self._looking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        own = subjects.peer(self._consumer, self.name)
        self._subscriptions = [
            await self._bus.answer(own, lambda _: msgpack.packb(list(self._leases()))),
            Subscription(await self._client.subscribe(subjects.peers(self._consumer), cb=self._on_said)),
        ]
        self._bus.on_reconnected(self._forget)
        self._looking = asyncio.create_task(self._look(), name=f"look after other {self._consumer} workers")

    async def leave(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        with contextlib.suppress(nats.errors.Error):
            await self._say(self.name, there=False)
        for subscription in self._subscriptions:
            await subscription.close()

    async def _say(self, name: str, *, there: bool) -> None:
        await self._client.publish(subjects.peers(self._consumer), msgpack.packb((name, there)))

    def _forget(self) -> None:
        """The server was away: of who does not answer now nobody knows why."""
        self._others.clear()
        self._neighbour, self._held = "", []

    async def _on_said(self, message: Msg) -> None:
        name, there = msgpack.unpackb(message.data)
        if there and name != self.name:
            self._others.add(name)
        elif not there:
            self._others.discard(name)
            if name == self._neighbour:
                self._neighbour, self._held = "", []

    async def _look(self) -> None:
        looks = 0
        while True:
            try:
                if looks % _HELLO_LOOKS == 0:
                    await self._say(self.name, there=True)
                await self._look_at_neighbour()
            except nats.errors.Error:  # no connection just now
                self._forget()
            looks += 1
            await asyncio.sleep(_LOOK_S)

    async def _look_at_neighbour(self) -> None:
        names = sorted(self._others)
        if not names:
            return
        neighbour = next((name for name in names if name > self.name), names[0])
        if neighbour != self._neighbour:
            self._neighbour, self._held = neighbour, []
        try:
            held = await self._ask(neighbour)
            if held is None:
                await asyncio.sleep(_SURE_S)
                held = await self._ask(neighbour)
        except (AnswerLost, TimeoutError, ValueError, msgpack.UnpackException):
            return  # slow, frozen, or of a version that says it otherwise
        if neighbour != self._neighbour:
            return  # the server was away meanwhile
        if held is not None:
            self._held = held
            return
        self._others.discard(neighbour)
        await self._say(neighbour, there=False)
        for lease in self._held:
            await self._client.publish(lease, PUT_BACK)
        _PUT_BACK.inc(len(self._held))
        self._neighbour, self._held = "", []

    async def _ask(self, name: str) -> list[str] | None:
        """What it holds; None when there is nobody of that name. Raises AnswerLost, TimeoutError."""
        subject = subjects.peer(self._consumer, name)
        try:
            message = await self._bus.requests.ask(subject, b"", _ANSWER_S)
        except TimeoutError:
            message = await self._bus.requests.ask(subject, b"", _ANSWER_S)
        if (message.headers or {}).get("Status") == "503":
            return None
        held = msgpack.unpackb(message.data)
        if not isinstance(held, list):
            raise ValueError("no list of leases")
        return held

"""Live readers: of one call, whole and in order, and of all calls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from nats.aio.msg import Msg

from voxbus.common import subjects
from voxbus.common.bus.subscription import Subscription, known, reaching
from voxbus.common.codec import decode
from voxbus.common.errors import BusUnavailable, CodecError
from voxbus.common.events import Stored

if TYPE_CHECKING:
    from nats.aio.client import Client

    from voxbus.common.bus.log import Log

OnEvent = Callable[[Stored], None]


def stored_of(subject: str, headers: dict[str, str], data: bytes) -> Stored:
    """The event in a message of the stream, or of its republished copy. Raises CodecError."""
    _, kind, _ = subjects.parse_event(subject)
    when = datetime.fromisoformat(headers["Nats-Time-Stamp"]).timestamp()
    return Stored(int(headers["Nats-Sequence"]), when, decode(kind, data))


class Follower:
    """A live reader of every call. ``undecodable`` counts events of the future, which are skipped."""

    def __init__(self, client: Client, on_event: OnEvent) -> None:
        self._client = client
        self._on_event = on_event
        self._subscriptions: list[Subscription] = []
        self.undecodable = 0

    async def start(self, filters: list[str]) -> None:
        for one in filters:
            with reaching("subscribing"):
                subscription = await self._client.subscribe(one, cb=self._receive)
            self._subscriptions.append(await known(self._client, subscription))

    async def _receive(self, message: Msg) -> None:
        try:
            stored = stored_of(message.subject, message.headers or {}, message.data)
        except CodecError:
            self.undecodable += 1
        else:
            self._on_event(stored)

    async def close(self) -> None:
        for subscription in self._subscriptions:
            await subscription.close()


class OpenLog:
    """The live log of one call. ``snapshot`` is what was there when it was opened."""

    def __init__(
        self,
        log: Log,
        client: Client,
        sid: str,
        on_event: OnEvent,
        reconnected: list[Callable[[], None]],
    ) -> None:
        self._log = log
        self._client = client
        self._sid = sid
        self._on_event = on_event
        self._reconnected = reconnected
        self._last = 0
        self._early: list[Stored] | None = []  # live events that arrive while the log is being read
        self._subscription: Subscription | None = None
        self._catching_up: asyncio.Task[None] | None = None
        self.snapshot: list[Stored] = []
        self.undecodable = 0

    async def start(self) -> None:
        # Subscribed first and read second: an event is in one of the two, or in both and then dropped once. Both go
        # over one connection, so the server knows of the first when it has the second: no need to wait for that.
        with reaching("subscribing"):
            subscription = await self._client.subscribe(subjects.log_of(self._sid), cb=self._receive)
        self._subscription = Subscription(subscription)
        try:
            self.snapshot = await self._log.read(self._sid)
        except BaseException:
            await self._subscription.close()
            raise
        if self.snapshot:
            self._last = self.snapshot[-1].sequence
        self._deliver_early()
        self._reconnected.append(self._on_reconnected)

    async def _receive(self, message: Msg) -> None:
        try:
            stored = stored_of(message.subject, message.headers or {}, message.data)
        except CodecError:
            self.undecodable += 1
            return
        if self._early is not None:
            self._early.append(stored)
        else:
            self._deliver(stored)

    def _deliver(self, stored: Stored) -> None:
        if stored.sequence > self._last:
            self._last = stored.sequence
            self._on_event(stored)

    def _deliver_early(self) -> None:
        early, self._early = self._early or [], None
        for stored in early:
            self._deliver(stored)

    def _on_reconnected(self) -> None:
        if self._catching_up is None or self._catching_up.done():
            self._early = []
            self._catching_up = asyncio.create_task(self._catch_up(), name="catch up with the log")

    async def _catch_up(self) -> None:
        """Reads what was stored while nobody told us."""
        while True:
            try:
                missed = await self._log.read(self._sid)
            except BusUnavailable:
                await asyncio.sleep(0.1)
                continue
            for stored in missed:
                self._deliver(stored)
            self._deliver_early()
            return

    async def close(self) -> None:
        if self._on_reconnected in self._reconnected:
            self._reconnected.remove(self._on_reconnected)
        if self._catching_up is not None:
            self._catching_up.cancel()
        if self._subscription is not None:
            await self._subscription.close()

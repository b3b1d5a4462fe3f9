"""Live readers: of one call, whole and in order, and of all calls. Nobody who reads stops at an event of the future."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from nats.aio.msg import Msg

from voxbus.common import subjects, telemetry
from voxbus.common.bus.subscription import Subscription, known, reaching
from voxbus.common.codec import decode
from voxbus.common.errors import BusClosed, BusUnavailable, CodecError
from voxbus.common.events import Stored

if TYPE_CHECKING:
    from nats.aio.client import Client

    from voxbus.common.bus.log import Log

OnEvent = Callable[[Stored], None]

_CATCH_UP_AGAIN_S = 0.1

_SKIPPED = telemetry.counter(
    "bus_events_skipped", "Events that were skipped where a log was read: this build cannot read them."
)


def stored_of(subject: str, headers: dict[str, str], data: bytes) -> Stored | None:
    """The event in a message of the stream, or of its republished copy. None, and counted, when we cannot read it.

    As a rule it is of a newer build that is being rolled out: its call goes on without it here.
    """
    _, kind, _ = subjects.parse_event(subject)
    try:
        event = decode(kind, data)
    except CodecError:
        _SKIPPED.inc()
        return None
    when = datetime.fromisoformat(headers["Nats-Time-Stamp"]).timestamp()
    return Stored(int(headers["Nats-Sequence"]), when, event)


class Follower:
    """A live reader of every call."""

    def __init__(self, client: Client, on_event: OnEvent) -> None:
        self._client = client
        self._on_event = on_event
        self._subscriptions: list[Subscription] = []

    async def start(self, filters: list[str]) -> None:
        for one in filters:
            with reaching("subscribing"):
                subscription = await self._client.subscribe(one, cb=self._receive)
            self._subscriptions.append(await known(self._client, subscription))

    async def _receive(self, message: Msg) -> None:
        stored = stored_of(message.subject, message.headers or {}, message.data)
        if stored is not None:
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
        stored = stored_of(message.subject, message.headers or {}, message.data)
        if stored is None:
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
        """Reads what was stored while nobody told us. Until that is done, what comes later is kept back."""
        while True:
            try:
                for stored in await self._log.read(self._sid):
                    self._deliver(stored)
                self._deliver_early()
            except BusClosed:
                return
            except BusUnavailable:
                await asyncio.sleep(_CATCH_UP_AGAIN_S)
            except Exception:  # whatever it is, it may not make the call deaf to its log
                logging.getLogger(__name__).exception("a log was not caught up with yet")
                self._early = self._early or []
                await asyncio.sleep(_CATCH_UP_AGAIN_S)
            else:
                return

    async def close(self) -> None:
        if self._on_reconnected in self._reconnected:
            self._reconnected.remove(self._on_reconnected)
        if self._catching_up is not None:
            self._catching_up.cancel()
        if self._subscription is not None:
            await self._subscription.close()

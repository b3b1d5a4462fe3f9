"""Audio over core NATS: dropped rather than queued.

This is the hot path: 50 messages a second each way in each call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from nats import errors
from nats.aio.msg import Msg

from voxbus.common.bus.requests import answer
from voxbus.common.bus.subscription import Subscription, known, reaching
from voxbus.common.errors import BusUnavailable

if TYPE_CHECKING:
    from nats.aio.client import Client

#: What may wait for a slow server before frames are dropped: 4 s of 100 calls both ways.
MAX_UNSENT_BYTES = 1_600_000
#: What may wait for a slow reader: 20 s of frames of one call.
MAX_UNREAD_MESSAGES = 1_000


class AudioLink:
    """Whatever listens or asks raises BusUnavailable when the server is not there."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.dropped = 0

    def publish(self, subject: str, data: bytes) -> bool:
        """Sends now or not at all. False, and ``dropped`` counted, when the message could not be sent."""
        client = self._client
        if not client.is_connected or client.pending_data_size > MAX_UNSENT_BYTES:
            self.dropped += 1
            return False
        # On a connection without a pending buffer the client's publish appends to its write buffer and never
        # suspends, so it can be run to its end here, without a task or an await for each frame.
        sending = client.publish(subject, data)
        try:
            sending.send(None)
        except StopIteration:
            return True
        except errors.Error:
            self.dropped += 1
            return False
        sending.close()
        self.dropped += 1
        return False

    async def subscribe(self, subject: str, on_message: Callable[[bytes], None]) -> Subscription:
        """``on_message(data)`` is called on the loop, one after another, and must not block."""

        async def deliver(message: Msg) -> None:
            on_message(message.data)

        with reaching("subscribing"):
            subscription = await self._client.subscribe(
                subject, cb=deliver, pending_msgs_limit=MAX_UNREAD_MESSAGES
            )
        return await known(self._client, subscription)

    async def serve(self, subject: str, handler: Callable[[bytes], Iterable[bytes]]) -> Subscription:
        """Answers each request on ``subject`` with the messages of ``handler(request)`` and an empty one at the end."""

        async def answer(message: Msg) -> None:
            if message.reply:
                for data in handler(message.data):
                    await self._client.publish(message.reply, data)
                await self._client.publish(message.reply, b"")

        with reaching("subscribing"):
            subscription = await self._client.subscribe(subject, cb=answer)
        return await known(self._client, subscription)

    async def answer(self, subject: str, handler: Callable[[bytes], bytes | None]) -> Subscription:
        """Answers each request on ``subject`` with ``handler(request)``; None = no answer."""
        return await answer(self._client, subject, handler)

    async def ask(self, subject: str, request: bytes, timeout_s: float = 0.5) -> bytes | None:
        """The answer of whoever answers on ``subject``; None when nobody does, or not in time."""
        try:
            message = await self._client.request(subject, request, timeout=timeout_s)
        except errors.Error:
            return None
        return bytes(message.data)

    async def request_many(
        self,
        subject: str,
        on_message: Callable[[bytes], None],
        *,
        request: bytes = b"",
        timeout_s: float = 0.5,
    ) -> int:
        """Sends ``request`` to ``subject`` and passes each answer on; returns their number.

        Raises BusUnavailable when nobody serves the subject, or the answers stop for ``timeout_s`` before the end.
        """
        inbox = self._client.new_inbox()
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        count = 0
        seen = 0

        async def receive(message: Msg) -> None:
            nonlocal count, seen
            seen += 1
            if done.done():
                return
            if message.headers and message.headers.get("Status") == "503":
                done.set_result(False)
            elif not message.data:
                done.set_result(True)
            else:
                count += 1
                on_message(message.data)

        with reaching("asking"):
            subscription = await self._client.subscribe(inbox, cb=receive, pending_msgs_limit=0)
        try:
            with reaching("asking"):
                await self._client.publish(subject, request, reply=inbox)
            while True:
                before = seen
                try:
                    served = await asyncio.wait_for(asyncio.shield(done), timeout_s)
                except TimeoutError:
                    if seen == before:
                        raise BusUnavailable(f"the answers on {subject} stopped after {count}") from None
                else:
                    break
        finally:
            await Subscription(subscription).close()
        if not served:
            raise BusUnavailable(f"nobody serves {subject}")
        return count

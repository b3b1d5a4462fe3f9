"""Key-value buckets with reads from the stream leader, so that a read sees every write before it.

A bucket is laid out as clients of NATS lay it out, but nothing here makes a consumer: whoever may make one, with a
place of delivery to choose, may do more than read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import nats.errors
import nats.js.errors as js_errors
from nats.aio.msg import Msg

from voxbus.common import subjects
from voxbus.common.bus.subscription import Subscription, known, reaching
from voxbus.common.bus.wire import EXPECTED, WRONG_LAST_SEQUENCE
from voxbus.common.errors import BusUnavailable

if TYPE_CHECKING:
    from nats.aio.client import Client

OnChange = Callable[[str, bytes | None], None]

#: Marks a key that was deleted: the message stays, as the last one of its subject.
_OPERATION = "KV-Operation"
#: In JetStream's words: there is no such key.
_NO_MESSAGE = 10037


class Bucket:
    """Bytes by key. Keys: ``[-/_=.A-Za-z0-9]+``. Every method raises BusUnavailable when no answer comes."""

    def __init__(self, client: Client, name: str, reconnected: list[Callable[[], None]]) -> None:
        self._client = client
        self.name = name
        self._stream = subjects.stream_of_bucket(name)
        self._reconnected = reconnected

    async def get(self, key: str) -> bytes | None:
        return (await self._entry(key))[1]

    async def put(self, key: str, value: bytes) -> None:
        await self._write(key, value, {})

    async def create(self, key: str, value: bytes) -> bool:
        """False when the key exists; of several that try at once one gets True."""
        revision, existing = await self._entry(key)
        return existing is None and await self._write(key, value, {EXPECTED: str(revision)})

    async def delete(self, key: str) -> None:
        await self._write(key, b"", {_OPERATION: "DEL"})

    async def take(self, key: str) -> bytes | None:
        """The value, and the key is gone; of several that take it at once one gets it, the others None."""
        revision, value = await self._entry(key)
        if value is None:
            return None
        return value if await self._write(key, b"", {_OPERATION: "DEL", EXPECTED: str(revision)}) else None

    async def keys(self) -> list[str]:
        return [key for key, _, value in await self.entries() if value is not None]

    async def entries(self) -> list[tuple[str, int, bytes | None]]:
        """(key, revision, value) of every key; None = deleted."""
        try:
            js = self._client.jetstream(timeout=2)
            info = await js.stream_info(self._stream, subjects_filter=">")
        except (js_errors.Error, nats.errors.Error, TimeoutError) as error:
            raise self._unavailable(error) from error
        keys = [subjects.key_of(subject) for subject in info.state.subjects or {}]
        return [(key, *await self._entry(key)) for key in keys]

    async def watch(self, on_change: OnChange) -> Watch:
        """``on_change(key, value)`` for every key now and for every change later; None = deleted.

        Only a bucket that tells its changes can be watched (``subjects.WATCHED``).
        """
        watch = Watch(self, self._client, on_change, self._reconnected)
        await watch.start()
        return watch

    async def _entry(self, key: str) -> tuple[int, bytes | None]:
        """(revision, value) of a key now; None = deleted, revision 0 = never there."""
        if not subjects.is_key(key):
            return 0, None
        try:
            js = self._client.jetstream(timeout=2)
            message = await js.get_last_msg(self._stream, subjects.value_of(self.name, key))
        except js_errors.NotFoundError as error:
            if error.err_code != _NO_MESSAGE:  # the bucket itself is not there
                raise self._unavailable(error) from error
            return 0, None
        except (js_errors.Error, nats.errors.Error, TimeoutError) as error:
            raise self._unavailable(error) from error
        return message.seq or 0, None if _OPERATION in (message.headers or {}) else message.data or b""

    async def _write(self, key: str, value: bytes, headers: dict[str, str]) -> bool:
        """False when the key is not as ``headers`` expect it to be. Raises ValueError for what is no key."""
        if not subjects.is_key(key):
            raise ValueError(f"not a key of the bucket {self.name}")
        try:
            js = self._client.jetstream(timeout=2)
            await js.publish(subjects.value_of(self.name, key), value, headers=headers)
        except js_errors.APIError as error:
            if error.err_code in WRONG_LAST_SEQUENCE:
                return False
            raise self._unavailable(error) from error
        except (js_errors.Error, nats.errors.Error, TimeoutError) as error:
            raise self._unavailable(error) from error
        return True

    def _unavailable(self, error: Exception) -> BusUnavailable:
        return BusUnavailable(f"the bucket {self.name} did not answer: {type(error).__name__}")


class Watch:
    """Subscribed first and read second, also after each reconnect: nothing is missed, nothing is told twice."""

    def __init__(
        self, bucket: Bucket, client: Client, on_change: OnChange, reconnected: list[Callable[[], None]]
    ) -> None:
        self._bucket = bucket
        self._client = client
        self._on_change = on_change
        self._reconnected = reconnected
        self._revisions: dict[str, int] = {}
        self._subscription: Subscription | None = None
        self._reading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        filter_ = subjects.changes_of(self._bucket.name)
        with reaching("subscribing"):
            subscription = await self._client.subscribe(filter_, cb=self._receive)
        self._subscription = await known(self._client, subscription)
        try:
            await self._read()
        except BaseException:
            await self._subscription.close()
            raise
        self._reconnected.append(self._on_reconnected)

    async def _receive(self, message: Msg) -> None:
        headers = message.headers or {}
        value = None if _OPERATION in headers else message.data
        self._tell(subjects.key_of(message.subject), int(headers["Nats-Sequence"]), value)

    async def _read(self) -> None:
        for entry in await self._bucket.entries():
            self._tell(*entry)

    def _tell(self, key: str, revision: int, value: bytes | None) -> None:
        if revision <= self._revisions.get(key, 0):
            return
        told = key in self._revisions
        self._revisions[key] = revision
        if told or value is not None:
            self._on_change(key, value)

    def _on_reconnected(self) -> None:
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read_again(), name=f"watch {self._bucket.name}")

    async def _read_again(self) -> None:
        while True:
            try:
                return await self._read()
            except BusUnavailable:
                await asyncio.sleep(0.1)

    async def close(self) -> None:
        if self._on_reconnected in self._reconnected:
            self._reconnected.remove(self._on_reconnected)
        if self._reading is not None:
            self._reading.cancel()
        if self._subscription is not None:
            await self._subscription.close()

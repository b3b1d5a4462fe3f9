"""Key-value buckets with reads from the stream leader, so that a read sees every write before it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import nats.errors
import nats.js.errors as js_errors
from nats.js.kv import KeyValue

from voxbus.common.errors import BusUnavailable

if TYPE_CHECKING:
    from nats.aio.client import Client


class Watch:
    def __init__(self, task: asyncio.Task[None]) -> None:
        self._task = task

    async def close(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


class Bucket:
    """Bytes by key. Keys: ``[-/_=.A-Za-z0-9]+``. Every method raises BusUnavailable when no answer comes."""

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self.name = name
        self._bound: KeyValue | None = None

    async def _bucket(self) -> KeyValue:
        if self._bound is None:
            try:
                self._bound = await self._client.jetstream(timeout=2).key_value(self.name)
            except (js_errors.Error, nats.errors.Error, TimeoutError) as error:
                raise BusUnavailable(f"the bucket {self.name} cannot be opened: {error}") from error
        return self._bound

    async def get(self, key: str) -> bytes | None:
        entry = await self._entry(key)
        return None if entry is None else entry.value

    async def _entry(self, key: str) -> KeyValue.Entry | None:
        bucket = await self._bucket()
        try:
            return await bucket.get(key)
        except js_errors.KeyNotFoundError:  # also a deleted key
            return None
        except (js_errors.Error, nats.errors.Error, TimeoutError) as error:
            raise self._unavailable(error) from error

    async def put(self, key: str, value: bytes) -> None:
        bucket = await self._bucket()
        try:
            await bucket.put(key, value)
        except (js_errors.Error, nats.errors.Error, TimeoutError) as error:
            raise self._unavailable(error) from error

    async def create(self, key: str, value: bytes) -> bool:
        """False when the key exists; of several that try at once one gets True."""
        bucket = await self._bucket()
        try:
            await bucket.create(key, value)
        except js_errors.KeyWrongLastSequenceError:
            return False
        except (js_errors.Error, nats.errors.Error, TimeoutError) as error:
            raise self._unavailable(error) from error
        return True

    async def delete(self, key: str) -> None:
        bucket = await self._bucket()
        try:
            await bucket.delete(key)
        except (js_errors.Error, nats.errors.Error, TimeoutError) as error:
            raise self._unavailable(error) from error

    async def keys(self) -> list[str]:
        bucket = await self._bucket()
        try:
            return await bucket.keys()
        except js_errors.NoKeysError:
            return []
        except (js_errors.Error, nats.errors.Error, TimeoutError) as error:
            raise self._unavailable(error) from error

    async def take(self, key: str) -> bytes | None:
        """The value, and the key is gone; of several that take it at once one gets it, the others None."""
        entry = await self._entry(key)
        if entry is None:
            return None
        bucket = await self._bucket()
        try:
            await bucket.delete(key, last=entry.revision)
        except js_errors.APIError as error:
            if error.err_code in (10071, 10164):  # wrong last sequence: somebody else was first
                return None
            raise self._unavailable(error) from error
        except (nats.errors.Error, TimeoutError) as error:
            raise self._unavailable(error) from error
        return entry.value

    async def watch(self, on_change: Callable[[str, bytes | None], None]) -> Watch:
        """``on_change(key, value)`` for every key now and for every change later; None = deleted."""
        bucket = await self._bucket()
        watcher = await bucket.watchall()

        async def run() -> None:
            try:
                async for entry in watcher:
                    if entry is not None:  # None marks the end of what was there at first
                        on_change(entry.key, entry.value if entry.operation is None else None)
            finally:
                with contextlib.suppress(nats.errors.Error, js_errors.Error):
                    await watcher.stop()  # type: ignore[no-untyped-call]

        return Watch(asyncio.create_task(run(), name=f"watch {self.name}"))

    def _unavailable(self, error: Exception) -> BusUnavailable:
        return BusUnavailable(f"the bucket {self.name} did not answer: {type(error).__name__}")

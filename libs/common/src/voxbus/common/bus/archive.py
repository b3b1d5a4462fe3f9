"""Ended calls, one message each, kept long after their log is gone from the stream of the running ones."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgpack
import nats.errors
import nats.js.errors as js_errors

from voxbus.common import subjects
from voxbus.common.codec import decode, encode
from voxbus.common.errors import BusError, BusUnavailable, CodecError
from voxbus.common.events import Stored

if TYPE_CHECKING:
    from nats.aio.client import Client


class Archive:
    def __init__(self, client: Client) -> None:
        self._client = client

    async def put(self, sid: str, log: Sequence[Stored]) -> None:
        """Keeps ``log`` in place of what was kept of the call before.

        Raises BusUnavailable when no answer comes, BusError when the log is too long for a message.
        """
        data = zlib.compress(
            msgpack.packb([(s.sequence, s.time_s, s.event.kind, encode(s.event)) for s in log])
        )
        try:
            await self._client.jetstream(timeout=2).publish(subjects.archive(sid), data)
        except nats.errors.MaxPayloadError:
            raise BusError(f"a log of {len(log)} events is too long for one message") from None
        except (js_errors.Error, nats.errors.Error, TimeoutError) as error:
            raise BusUnavailable(f"the archive does not answer: {type(error).__name__}") from error

    async def purge(self, sid: str) -> None:
        """Removes what was kept of the call. Raises BusUnavailable."""
        try:
            await self._client.jsm(timeout=2).purge_stream(
                subjects.ARCHIVE_STREAM, subject=subjects.archive(sid)
            )
        except (js_errors.Error, nats.errors.Error, TimeoutError) as error:
            raise BusUnavailable(f"the archive was not purged: {type(error).__name__}") from error

    async def get(self, sid: str) -> list[Stored]:
        """The log as it was when it was archived last; empty when it never was, or too long ago."""
        js = self._client.jetstream(timeout=2)
        try:
            message = await js.get_last_msg(subjects.ARCHIVE_STREAM, subjects.archive(sid))
        except js_errors.NotFoundError:
            return []
        except (js_errors.Error, nats.errors.Error, TimeoutError) as error:
            raise BusUnavailable(f"the archive does not answer: {type(error).__name__}") from error
        try:
            entries = msgpack.unpackb(zlib.decompress(message.data or b""))
        except (zlib.error, ValueError, msgpack.UnpackException) as error:
            raise CodecError("the archived log cannot be read") from error
        return [Stored(sequence, time_s, decode(kind, data)) for sequence, time_s, kind, data in entries]

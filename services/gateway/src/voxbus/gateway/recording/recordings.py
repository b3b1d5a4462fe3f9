"""What all recordings of a gateway share: their directory, the thread, and how they go again."""

from __future__ import annotations

import asyncio
import contextlib
import time
from functools import partial
from pathlib import Path
from typing import Final

from voxbus.common.errors import CodecError, InvalidCallSid
from voxbus.common.logs import get_logger
from voxbus.common.recordings import Removal, Removed, decode, encode
from voxbus.gateway import metrics
from voxbus.gateway.recording.shelf import Shelf
from voxbus.gateway.recording.writer import Writer

_DAY_S: Final = 86_400.0
_EXPIRE_EVERY_S: Final = 3600.0

log = get_logger(__name__)


class Recordings:
    def __init__(self, directory: Path, keep_days: float) -> None:
        self.shelf = Shelf(directory)
        self.writer = Writer()
        self._keep_s = keep_days * _DAY_S
        self._expiring: asyncio.Task[None] | None = None
        metrics.RECORDING_WAITING.set_function(lambda: self.writer.waiting_bytes)

    def start(self) -> None:
        self._expiring = asyncio.create_task(self._expire(), name="remove old recordings")

    async def stop(self) -> None:
        if self._expiring is not None:
            self._expiring.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._expiring

    async def remove(self, request: bytes) -> bytes | None:
        """Answers a ``Removal``. Whoever does not understand it, or has a disk that does not answer, says nothing."""
        try:
            asked = decode(Removal, request)
        except CodecError as error:
            log.error("recordings were not removed", error=error)
            return None
        try:
            removed = await self.writer.ask(partial(self._remove, asked.calls))
        except OSError as error:
            log.error("recordings were not removed", kind=type(error).__name__)
            return None
        log.info("removed recordings on request", files=removed.files, left=len(removed.left))
        return encode(removed)

    def _remove(self, calls: tuple[str, ...]) -> Removed:
        files, left = 0, []
        store = self.shelf.known()  # first: what is not there now has had nothing removed from it
        for sid in calls:
            try:
                files += len(self.shelf.remove(sid))
            except (OSError, InvalidCallSid):
                left.append(sid)
        return Removed(store, files, tuple(left))

    async def _expire(self) -> None:
        while True:
            try:
                calls, left = await self.writer.ask(partial(self.shelf.expire, time.time() - self._keep_s))
            except OSError as error:
                log.error("old recordings cannot be removed", kind=type(error).__name__)
            else:
                if calls:
                    log.info("removed recordings that were kept for long enough", calls=calls)
                if left:
                    log.error("old recordings cannot be removed", calls=left)
            await asyncio.sleep(_EXPIRE_EVERY_S)

"""The live view of one call as lines of JSON, for as long as the call lasts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

import msgspec

from voxbus.common import subjects
from voxbus.common.bus import Bus, OpenLog
from voxbus.common.events import Stored
from voxbus.gateway.phone.core_view import Line, Partial, View

#: An empty line so often: what stands between us and the page closes connections on which nothing happens.
BEAT_S: Final = 10.0


class Feeds:
    """``stop`` ends all of them, so that the web server need not wait for calls to end."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._queues: set[asyncio.Queue[Stored | str | None]] = set()

    def stop(self) -> None:
        for queue in self._queues:
            queue.put_nowait(None)

    async def follow(self, sid: str) -> AsyncGenerator[bytes]:
        """What was, then what comes, until the call has ended. Raises BusUnavailable before the first line."""
        queue: asyncio.Queue[Stored | str | None] = asyncio.Queue()
        words = await self._bus.audio.subscribe(
            subjects.partial(sid), lambda text: queue.put_nowait(text.decode(errors="replace"))
        )
        log: OpenLog | None = None
        self._queues.add(queue)
        view = View()
        try:
            log = await self._bus.open_log(sid, queue.put_nowait)
            yield _lines([line for stored in log.snapshot for line in view.apply(stored)])
            while not view.ended:
                try:
                    async with asyncio.timeout(BEAT_S):
                        news = await queue.get()
                except TimeoutError:
                    yield b"\n"
                    continue
                if news is None:
                    return
                lines: list[Line] = [Partial(news)] if isinstance(news, str) else view.apply(news)
                if lines:
                    yield _lines(lines)
        finally:
            self._queues.discard(queue)
            await words.close()
            if log is not None:
                await log.close()


def _lines(lines: list[Line]) -> bytes:
    return b"".join(msgspec.json.encode(line) + b"\n" for line in lines) or b"\n"

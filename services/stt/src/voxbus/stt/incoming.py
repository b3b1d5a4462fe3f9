"""The frames of one call, from the bus: in order, and those that were lost on the way asked for again.

live    0 1 2 3 . . . 7 8 9        the bus was away, or we were
ask                   ^ replay from 4
passed  0 1 2 3         4 5 6 7 8 9
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

import msgpack

from voxbus.common import subjects
from voxbus.common.bus import Bus, Subscription
from voxbus.common.codec import AudioIn, unpack_audio_in, unpack_replay
from voxbus.common.errors import BusUnavailable
from voxbus.common.logs import get_logger
from voxbus.common.telemetry import counter

T = TypeVar("T")

log = get_logger(__name__)

#: A gateway that has frames and does not answer is busy; one that died has none any more.
_TRIES: Final = 3

DROPPED: Final = counter("stt_frames_dropped", "Caller frames that were not heard, by why.", "why")


class Incoming:
    """``put`` gets each frame, some of them twice; ``next_wanted`` says which sequence number should come next.

    A hole is asked for until it was answered: what the gateway does not have any more is nowhere.
    """

    def __init__(
        self, bus: Bus, sid: str, put: Callable[[AudioIn], object], next_wanted: Callable[[], int]
    ) -> None:
        self._bus = bus
        self._sid = sid
        self._put = put
        self._next_wanted = next_wanted
        self._waiting: list[AudioIn] | None = []  # live frames that come while older ones are replayed
        self._subscriptions: list[Subscription] = []
        self._asking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns when everything that the gateway kept was put."""
        self._waiting = []
        subscribing = self._bus.audio.subscribe(subjects.audio_in(self._sid), self._on_frame)
        # The question is written behind the subscription, into the same connection: no frame falls between the two.
        answering = self._bus.audio.answer(subjects.audio_reached(self._sid), self._reached)
        *self._subscriptions, _ = await asyncio.gather(subscribing, answering, self._ask())

    async def close(self) -> None:
        for subscription in self._subscriptions:
            await subscription.close()
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    def _reached(self, _question: bytes) -> bytes:
        """To a gateway that takes the call: frames with lower numbers would be repetitions to us."""
        waiting = self._waiting[-1].sequence + 1 if self._waiting else 0
        return b"%d" % max(self._next_wanted(), waiting)

    def _on_frame(self, data: bytes) -> None:
        frame = _unpacked(unpack_audio_in, data)
        if frame is None:
            return
        if self._waiting is not None:
            self._waiting.append(frame)
        elif frame.sequence > self._next_wanted():
            self._waiting = [frame]
            self._asking = asyncio.create_task(self._ask(), name="ask for lost frames")
        else:
            self._put(frame)

    def _on_replayed(self, data: bytes) -> None:
        for frame in _unpacked(unpack_replay, data) or ():
            self._put(frame)

    async def _ask(self) -> None:
        try:
            for _ in range(_TRIES):
                if await self._replay() or not self._waiting:
                    break  # without live frames no gateway has the call just now; the first one shows what is missing
        finally:
            waiting, self._waiting = self._waiting or [], None
        for frame in waiting:
            self._put(frame)

    async def _replay(self) -> bool:
        subject, wanted = subjects.audio_replay(self._sid), self._next_wanted()
        try:
            await self._bus.audio.request_many(subject, self._on_replayed, request=b"%d" % wanted)
        except BusUnavailable as error:
            log.info("no replay", call_sid=self._sid, error=error)
            return False
        return True


def _unpacked(unpack: Callable[[bytes], T], data: bytes) -> T | None:
    try:
        return unpack(data)
    except (ValueError, TypeError, msgpack.UnpackException):
        DROPPED.labels("malformed").inc()
        return None

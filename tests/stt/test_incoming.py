"""The frames of a call, from a gateway that answers late."""

from __future__ import annotations

import asyncio

from voxbus.common import subjects
from voxbus.common.bus import Bus
from voxbus.common.codec import AudioIn, pack, pack_replay
from voxbus.stt.core_frames import FrameLine
from voxbus.stt.incoming import Incoming


def _frame(number: int) -> bytes:
    packed: bytes = pack(AudioIn(number, number * 20, 0, 0, b"\xff" * 160))
    return packed


async def test_a_gateway_that_is_too_busy_to_answer_is_asked_again(bus: Bus, sid: str) -> None:
    line = FrameLine()
    incoming = Incoming(bus, sid, line.put, line.next_wanted)
    asked = asyncio.Event()

    def busy(_: bytes) -> None:
        asked.set()

    deaf = await bus.audio.answer(subjects.audio_replay(sid), busy)
    starting = asyncio.create_task(incoming.start())
    async with asyncio.timeout(30):
        await asked.wait()
        await deaf.close()
        await bus.audio.serve(
            subjects.audio_replay(sid), lambda _: pack_replay([_frame(number) for number in range(100)])
        )
        bus.audio.publish(subjects.audio_in(sid), _frame(100))
        await starting
    await incoming.close()
    assert line.next_wanted() == 101
    assert line.missing_frames == 0


async def test_who_has_no_gateway_does_not_wait_for_one(bus: Bus, sid: str) -> None:
    line = FrameLine()
    incoming = Incoming(bus, sid, line.put, line.next_wanted)
    async with asyncio.timeout(30):
        await incoming.start()
    await incoming.close()
    assert line.next_wanted() == 0


async def test_a_gateway_that_takes_the_call_is_told_how_far_it_has_been_heard(bus: Bus, sid: str) -> None:
    line = FrameLine()
    incoming = Incoming(bus, sid, line.put, line.next_wanted)
    await incoming.start()
    reached = subjects.audio_reached(sid)
    assert await bus.audio.ask(reached, b"") == b"0"
    for number in (0, 1, 5):  # of 2 to 4 nobody knows, and nobody answers for them: 5 waits
        bus.audio.publish(subjects.audio_in(sid), _frame(number))
    async with asyncio.timeout(30):
        while await bus.audio.ask(reached, b"") != b"6":
            await asyncio.sleep(0.01)
    await incoming.close()
    assert await bus.audio.ask(reached, b"") is None

"""A call's recording beside that of the carrier, and what a gateway that is killed leaves of one."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from voxbus.common.audio import (
    FRAME_BYTES,
    FRAME_MS,
    HZ,
    Pcm,
    active_level_dbfs,
    bytes_of,
    mulaw_decode,
    mulaw_encode,
)
from voxbus.common.events import RecordingEnded, RecordingStarted, Utterance
from voxbus.common.fold import fold
from voxbus.devkit.caller import Caller
from voxbus.devkit.speech import speak

from .conftest import PAUSE_MS, Held, agree

if TYPE_CHECKING:
    from .conftest import Phone
    from .deaths import Supervisor, Watch

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

HEADER_BYTES = 58
#: The agent's side is early by the line's round trip; this is a long one, on a machine that may be busy. What is sent
#: ahead of its time, and was recorded as it was sent, would be 1500.
APART_MS = 500.0


async def interrupting(caller: Caller) -> None:
    await caller.listen(quiet_ms=PAUSE_MS)
    await caller.say(speak("tell me a story"))
    await caller.interrupt(speak("please stop that"), after_ms=1500)
    await caller.listen(quiet_ms=PAUSE_MS)
    await caller.hang_up()


async def closed(phone: Phone, held: Held) -> list[RecordingEnded]:
    """What the log says of the call's recordings once that of the latest stream is closed."""
    async with asyncio.timeout(30):
        while True:
            log = await phone.bus.read_log(held.state.ended.call)  # type: ignore[union-attr]
            ended = [stored.event for stored in log if isinstance(stored.event, RecordingEnded)]
            if any(one.stream_sid == fold(log).stream_sid for one in ended):
                return ended
            await asyncio.sleep(0.05)


def sides(file: Path) -> tuple[Pcm, Pcm]:
    """The caller's and the agent's. The header must say how much there is."""
    data = file.read_bytes()
    size = int.from_bytes(data[HEADER_BYTES - 4 : HEADER_BYTES], "little")
    samples = data[HEADER_BYTES : HEADER_BYTES + size]
    assert len(samples) == size
    return mulaw_decode(samples[::2]), mulaw_decode(samples[1::2])


def as_sent(samples: Pcm) -> Pcm:
    """What mu-law makes of them."""
    return mulaw_decode(mulaw_encode(samples))


def shift(of: Pcm, within: Pcm) -> int:
    """How many samples into ``within`` ``of`` fits best, by cross-correlation."""
    size = 1 << (len(of) + len(within)).bit_length()
    spectrum = np.fft.rfft(within.astype(float), size) * np.conj(np.fft.rfft(of.astype(float), size))
    at = int(np.argmax(np.fft.irfft(spectrum, size)))
    return at if at < size // 2 else at - size


async def test_the_recording_is_what_crossed_the_line(phone: Phone) -> None:
    held = await phone.call(interrupting, "recorder")
    (ended,) = await closed(phone, held)
    file = phone.recordings / ended.place
    assert ended.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (ended.lost_ms, ended.cause) == (0, "")
    caller, agent = sides(file)
    assert len(caller) == len(agent) == bytes_of(ended.length_ms)
    carrier = held.result.recording
    begin = shift(caller, carrier.caller)
    # The notice was over by then, and nothing of it is there.
    assert begin > 0
    assert begin % FRAME_BYTES == 0
    assert np.array_equal(caller, as_sent(carrier.caller[begin : begin + len(caller)]))
    apart = shift(agent, carrier.agent) - begin
    assert 0 <= apart <= bytes_of(APART_MS + carrier.late_ms)
    # What was cut is on neither, so both are as loud.
    heard = carrier.agent[begin : begin + len(agent)]
    assert active_level_dbfs(agent, HZ) == pytest.approx(active_level_dbfs(heard, HZ), abs=1.0)
    sounds = [np.count_nonzero(np.abs(side.astype(int)) > 300) for side in (agent, heard)]
    assert sounds[0] == pytest.approx(sounds[1], rel=0.1)


async def test_a_gateway_that_is_killed_leaves_its_part_and_the_next_one_goes_on(
    phone: Phone, watch: Watch, supervisor: Supervisor
) -> None:
    call = phone.carrier.prepare(phone.plan("recorder"))

    async def kill() -> None:
        await watch.first(Utterance, call, turn=2)
        await supervisor.end("gateway-0")

    held, _ = await asyncio.gather(phone.hold(call, agree), kill())
    (ended,) = await closed(phone, held)
    first, second = held.events(RecordingStarted)
    assert (first.store, second.place) == (second.store, ended.place)
    assert first.stream_sid != ended.stream_sid
    caller, agent = sides(phone.recordings / first.place)
    assert len(caller) == len(agent)
    assert len(caller) >= bytes_of(FRAME_MS)
    sent = held.result.recording.caller
    begin = shift(caller, sent)
    assert np.array_equal(caller, as_sent(sent[begin : begin + len(caller)]))
    assert ended.length_ms == len(sides(phone.recordings / second.place)[0]) * 1000 // HZ

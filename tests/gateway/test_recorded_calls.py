"""Calls of an agent that records, over real sockets: what lies in the file, and what the log says of it."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from voxbus.common import events as ev
from voxbus.common.audio import FRAME_BYTES, SILENCE
from voxbus.gateway.recording import recorder
from voxbus.gateway.recording.core_wav import HEADER_BYTES

from .conftest import Start
from .twilio import Running, Twilio, Workers

pytestmark = pytest.mark.asyncio(loop_scope="session")

AGENT_FILE = """
name: recorded
prompt: You are recorded.
lines: {greeting: Hello., recording_notice: This call is recorded., voicemail: Call back.}
machine_detection: leave_message
recording: true
"""
NOTICE = bytes([1]) * 1600  # 200 ms
ANSWER = bytes([2]) * 1600
QUIET = bytes([SILENCE])


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    return tmp_path / "recordings"


@pytest_asyncio.fixture(loop_scope="session")
async def recording_gateway(agents_dir: Path, recordings: Path, new_gateway: Start) -> AsyncIterator[Running]:
    (agents_dir / "recorded.yaml").write_text(AGENT_FILE)
    async with new_gateway(recordings_dir=recordings, persona="recorded") as running:
        yield running


async def say(call: Twilio, size: int) -> None:
    """So many frames of the caller, each with its number in it."""
    for _ in range(size):
        await call.media(bytes([3 + call.sent_ms // 20]) * FRAME_BYTES)


async def hear_notice(gateway: Running, call: Twilio, workers: Workers) -> None:
    """The notice is said while the caller says 10 frames, and its mark comes back."""
    await gateway.log(call.sid, ev.Started)
    await workers.say("This call is recorded.", NOTICE, notice="end", interruptible=False)
    (mark,) = await call.wait_for("mark")
    await say(call, 10)
    await call.mark(mark["mark"]["name"])
    await gateway.log(call.sid, ev.RecordingStarted)


def is_missing(directory: Path) -> bool:
    return not directory.exists()


def sides(file: Path) -> tuple[bytes, bytes]:
    data = file.read_bytes()[HEADER_BYTES:]
    return data[::2], data[1::2]


async def test_both_sides_are_recorded_once_the_notice_was_heard(
    recording_gateway: Running, workers: Callable[[str], Workers], recordings: Path
) -> None:
    call = recording_gateway.call()
    await call.begin()
    agent = workers(call.sid)
    await hear_notice(recording_gateway, call, agent)
    await say(call, 2)
    await agent.say("Hello.", ANSWER, turn=2)
    await call.wait_for("media", 20)
    await say(call, 12)
    await call.stop()
    (ended,) = await recording_gateway.log(call.sid, ev.RecordingEnded)
    (started,) = await recording_gateway.log(call.sid, ev.RecordingStarted)
    assert started.place == ended.place == f"{call.sid}/{call.stream_sid}.wav"
    assert started.store == ended.store == (recordings / ".store").read_text()
    file = recordings / ended.place
    caller, agents = sides(file)
    assert caller == b"".join(bytes([3 + n]) * FRAME_BYTES for n in range(10, 24))
    assert agents.index(ANSWER) <= 320  # it may have left before the two frames came in
    assert agents.replace(ANSWER, b"") == QUIET * 640
    assert (ended.length_ms, ended.lost_ms, ended.cause) == (280, 0, "")
    assert ended.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert ended.size_bytes == file.stat().st_size


async def test_nothing_is_recorded_of_a_call_that_ends_before_its_notice_was_heard(
    recording_gateway: Running, workers: Callable[[str], Workers], recordings: Path
) -> None:
    call = recording_gateway.call()
    await call.begin()
    await recording_gateway.log(call.sid, ev.Started)
    await workers(call.sid).say("This call is recorded.", NOTICE, notice="end", interruptible=False)
    await call.wait_for("mark")
    await say(call, 20)
    await call.stop()
    await recording_gateway.log(call.sid, ev.Ended)
    await call.closed()
    assert is_missing(recordings)


async def test_nothing_is_recorded_where_the_agent_does_not_say_so(
    recording_gateway: Running, workers: Callable[[str], Workers], recordings: Path
) -> None:
    call = recording_gateway.call()
    await call.begin(agent="test_agent")
    await recording_gateway.log(call.sid, ev.Started)
    await workers(call.sid).say("Hello.", NOTICE, notice="end")
    (mark,) = await call.wait_for("mark")
    await call.mark(mark["mark"]["name"])
    await recording_gateway.log(call.sid, ev.Heard)
    await say(call, 60)
    await call.stop()
    await call.closed()
    assert is_missing(recordings)


async def test_a_machine_is_not_recorded(
    recording_gateway: Running, workers: Callable[[str], Workers], recordings: Path
) -> None:
    call = recording_gateway.call()
    await call.begin()
    agent = workers(call.sid)
    await hear_notice(recording_gateway, call, agent)
    await say(call, 3)
    await agent.put(ev.Status(call=call.sid, sequence=1, answered_by="machine_start"))
    (ended,) = await recording_gateway.log(call.sid, ev.RecordingEnded)
    await say(call, 3)
    assert ended.length_ms <= 60
    assert ended.cause == ""


async def test_a_call_that_comes_back_has_a_second_file(
    recording_gateway: Running, workers: Callable[[str], Workers], recordings: Path
) -> None:
    call = recording_gateway.call()
    await call.begin()
    await hear_notice(recording_gateway, call, workers(call.sid))
    await say(call, 5)
    await call.close()
    await recording_gateway.log(call.sid, ev.RecordingEnded)
    back = recording_gateway.call(call.sid)
    await back.begin()
    await recording_gateway.log(call.sid, ev.RecordingStarted, 2)
    await say(back, 4)
    await back.stop()
    ended = await recording_gateway.log(call.sid, ev.RecordingEnded, 2)
    assert {one.place for one in ended} == {
        f"{call.sid}/{stream}.wav" for stream in (call.stream_sid, back.stream_sid)
    }
    assert sorted(one.length_ms for one in ended) == [80, 100]


async def test_a_directory_that_cannot_be_used_costs_the_recording_alone(
    agents_dir: Path, new_gateway: Start, workers: Callable[[str], Workers], tmp_path: Path
) -> None:
    (agents_dir / "recorded.yaml").write_text(AGENT_FILE)
    (tmp_path / "file").touch()
    async with new_gateway(recordings_dir=tmp_path / "file" / "recordings", persona="recorded") as gateway:
        call = gateway.call()
        await call.begin()
        agent = workers(call.sid)
        await gateway.log(call.sid, ev.Started)
        await agent.say("This call is recorded.", NOTICE, notice="end", interruptible=False)
        (mark,) = await call.wait_for("mark")
        await call.mark(mark["mark"]["name"])
        await gateway.log(call.sid, ev.Heard)
        await say(call, 60)
        await agent.say("Hello.", ANSWER, turn=2)
        await call.wait_for("media", 20)
        await call.stop()
        (ended,) = await gateway.log(call.sid, ev.RecordingEnded)
        assert (ended.place, ended.sha256, ended.cause) == ("", "", "ENOTDIR")
        assert await gateway.log(call.sid, ev.Ended)


async def test_a_disk_that_does_not_answer_keeps_no_call_waiting(
    recording_gateway: Running, workers: Callable[[str], Workers], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "CLOSE_S", 0.2)
    call = recording_gateway.call()
    await call.begin()
    await hear_notice(recording_gateway, call, workers(call.sid))
    goes_on = threading.Event()
    recording_gateway.gateway._recordings.writer.post(goes_on.wait)
    try:
        await say(call, 60)
        await call.stop()
        (ended,) = await recording_gateway.log(call.sid, ev.RecordingEnded)
    finally:
        goes_on.set()
    assert (ended.sha256, ended.lost_ms, ended.cause) == ("", 0, "not_closed")
    await asyncio.wait_for(call.closed(), 10)

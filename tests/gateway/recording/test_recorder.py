"""One recording with a disk that does not answer in time: what is told of it, and what becomes of its file."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from voxbus.common.agents import Agent
from voxbus.common.audio import FRAME_BYTES
from voxbus.common.events import Event, RecordingEnded, RecordingStarted, Started
from voxbus.common.fold import CallState
from voxbus.gateway.recording import Recorder, Recordings, recorder
from voxbus.gateway.recording.core_wav import HEADER_BYTES

SID, STREAM = "CA" + "0" * 32, "MZ1"
FRAMES = 20


class Call:
    """Whose notice was heard."""

    def __init__(self, directory: Path, agent: Agent) -> None:
        self.directory = directory
        self.recordings = Recordings(directory, 30.0)
        self.told: list[Event] = []
        self.recorder = Recorder(self.recordings, SID, STREAM, self.told.append, self._now_ms)
        self.state = CallState()
        self.state.started = Started(
            call=SID,
            stream_sid=STREAM,
            session="s",
            direction="inbound",
            agent=agent.model_copy(update={"recording": True}),
        )
        self.state.stream_sid, self.state.notified = STREAM, True
        self.disk = threading.Event()

    def _now_ms(self) -> float:
        return time.monotonic() * 1000

    def disk_hangs(self) -> None:
        self.recordings.writer.post(self.disk.wait)

    async def disk_goes_on(self) -> None:
        self.disk.set()
        await self.recordings.writer.ask(lambda: None)

    def says(self) -> None:
        for number in range(FRAMES):
            self.recorder.caller(number * 20, bytes([number]) * FRAME_BYTES, self._now_ms())

    @property
    def files(self) -> list[Path]:
        return sorted(self.directory.rglob("*.wav"))

    def open_files(self) -> list[str]:
        found = []
        for name in os.listdir("/proc/self/fd"):
            try:
                found.append(os.readlink(f"/proc/self/fd/{name}"))
            except FileNotFoundError:  # that of the listing
                continue
        return [name for name in found if name.startswith(str(self.directory))]


@pytest.fixture
def call(tmp_path: Path, agent: Agent, monkeypatch: pytest.MonkeyPatch) -> Iterator[Call]:
    monkeypatch.setattr(recorder, "CLOSE_S", 0.1)
    call = Call(tmp_path / "recordings", agent)
    yield call
    call.disk.set()


async def test_a_file_that_was_not_begun_in_time_is_never_made(call: Call) -> None:
    call.disk_hangs()
    call.recorder.follow(call.state)
    call.says()
    await call.recorder.close()
    await call.disk_goes_on()
    (ended,) = call.told
    assert isinstance(ended, RecordingEnded)
    assert (ended.place, ended.lost_ms, ended.cause) == ("", FRAMES * 20, "too_slow")
    assert (call.files, call.open_files()) == ([], [])


async def test_a_file_that_is_closed_too_late_is_whole_and_nothing_of_it_is_called_lost(call: Call) -> None:
    call.recorder.follow(call.state)
    assert call.recorder._opening is not None
    await call.recorder._opening
    call.disk_hangs()
    call.says()
    await call.recorder.close()
    started, ended = call.told
    assert isinstance(started, RecordingStarted)
    assert isinstance(ended, RecordingEnded)
    assert ended.place == started.place
    assert (ended.length_ms, ended.sha256, ended.lost_ms, ended.cause) == (0, "", 0, "not_closed")
    await call.disk_goes_on()
    (file,) = call.files
    assert file.stat().st_size == HEADER_BYTES + 2 * FRAMES * FRAME_BYTES
    assert call.open_files() == []


async def test_a_call_that_ends_at_once_has_its_file_told_of_in_order(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "CLOSE_S", 30.0)
    call.recorder.follow(call.state)
    await call.recorder.close()
    assert [type(event) for event in call.told] == [RecordingStarted, RecordingEnded]
    assert call.open_files() == []

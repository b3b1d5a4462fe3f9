"""The worker as a process: ``python -m voxbus.tts``."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from voxbus.common.agents import Voice
from voxbus.common.bus import Bus
from voxbus.common.codec import AudioOut, unpack_audio_out
from voxbus.common.events import Sentence
from voxbus.common.subjects import audio_out


async def start(nats_url: str, **variables: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "voxbus.tts"),
        env={**os.environ, "NATS_URL": nats_url, "TTS_PROCESSES": "2", **variables},
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )


async def line(worker: asyncio.subprocess.Process, message: str) -> dict[str, object]:
    """The first log line with that message."""
    assert worker.stderr is not None
    async with asyncio.timeout(30):
        while text := await worker.stderr.readline():
            fields: dict[str, object] = json.loads(text)
            if fields["message"] == message:
                return fields
    raise AssertionError(f"it ended without saying {message!r}")


def exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def until_gone(pids: list[int]) -> None:
    async with asyncio.timeout(30):
        while any(exists(pid) for pid in pids):
            await asyncio.sleep(0.01)


proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads /proc")


@proc
async def test_a_stop_of_the_whole_group_drains(nats_url: str, bus: Bus, sid: str) -> None:
    worker = await start(nats_url)
    await line(worker, "ready")
    synthesis = children(worker.pid)
    assert len(synthesis) == 2
    messages: list[AudioOut] = []
    begun, ended = asyncio.Event(), asyncio.Event()

    def on_audio(data: bytes) -> None:
        messages.append(unpack_audio_out(data))
        begun.set()
        if messages[-1].last:
            ended.set()

    await bus.audio.subscribe(audio_out(sid), on_audio)
    text = "and on and on it goes, word after word after word, " * 100
    await bus.append(Sentence(call=sid, turn=1, index=0, text=text, voice=Voice()))
    await asyncio.wait_for(begun.wait(), 30)
    assert not ended.is_set()
    os.killpg(worker.pid, signal.SIGTERM)
    assert await asyncio.wait_for(worker.wait(), 30) == 0
    await asyncio.wait_for(ended.wait(), 30)
    await until_gone(synthesis)


@proc
async def test_a_worker_that_is_killed_takes_its_processes_with_it(nats_url: str) -> None:
    worker = await start(nats_url)
    await line(worker, "ready")
    synthesis = children(worker.pid)
    assert len(synthesis) == 2
    worker.kill()
    await until_gone(synthesis)
    await worker.wait()


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        (
            "TTS_PROVIDERS",
            "nobody",
            "TTS_PROVIDERS: there is no provider 'nobody'; there are: cartesia, cloudflare-aura, ",
        ),
        (
            "TTS_PROVIDERS",
            "deepgram-aura",
            "DEEPGRAM_API_KEY is not set: the provider deepgram-aura needs it",
        ),
        (
            "TTS_PROVIDERS",
            " , ",
            "TTS_PROVIDERS names no provider; there are: cartesia, cloudflare-aura, ",
        ),
        ("TTS_VOICE", "nobody", "TTS_VOICE: espeak has no voice 'nobody'; there are: af, am, an"),
    ],
)
async def test_a_name_that_does_not_exist_stops_the_start_with_those_that_do(
    nats_url: str, variable: str, value: str, says: str
) -> None:
    worker = await start(nats_url, **{variable: value})
    assert says in str((await line(worker, "stopped by an error"))["error"])
    assert await asyncio.wait_for(worker.wait(), 30) != 0

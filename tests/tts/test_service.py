"""A TTS worker with eSpeak NG on a real bus."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest
from prometheus_client import REGISTRY

from voxbus.common import subjects
from voxbus.common.agents import Agent, Lines, Voice
from voxbus.common.audio import HZ, active_level_dbfs, ms_of, mulaw_decode
from voxbus.common.bus import Bus, BusConfig, Job, JobRunner
from voxbus.common.clips import clip_key
from voxbus.common.codec import AudioOut, pack, unpack_audio_out, unpack_audio_wanted
from voxbus.common.events import Attached, Heard, Interrupted, Resumed, Sentence, Started, Utterance
from voxbus.common.speech import spoken
from voxbus.tts import delivery
from voxbus.tts.core_pieces import FIRST_BYTES
from voxbus.tts.providers import make_providers
from voxbus.tts.providers.espeak.provider import EspeakProvider
from voxbus.tts.service import TtsService
from voxbus.tts.settings import TtsSettings

TEXT = "Your appointment with Doctor Green is on Tuesday the fourth at half past three."
LONG = "and on and on it goes, word after word after word, " * 200
#: Says nothing in any English voice of eSpeak.
UNSPEAKABLE = "\N{ARABIC-INDIC DIGIT THREE}"


class Worker:
    def __init__(self, nats_url: str, **settings: object) -> None:
        self._url = nats_url
        self.settings = TtsSettings.model_validate({"tts_processes": 1, "tts_sentences": 4} | settings)
        self.providers = make_providers(self.settings)

    async def start(self) -> None:
        self.bus = await Bus.connect(BusConfig(url=self._url, name="tts"))
        self.service = TtsService(self.settings, self.bus, self.providers)
        await self.service.start()

    async def stop(self) -> None:
        await self.service.drain()
        await self.bus.close()

    @property
    def espeak(self) -> EspeakProvider:
        provider = self.providers["espeak"]
        assert isinstance(provider, EspeakProvider)
        return provider


@pytest.fixture
async def worker(nats_url: str) -> AsyncIterator[Worker]:
    worker = Worker(nats_url)
    await worker.start()
    yield worker
    await worker.stop()


class Listener:
    """What a gateway hears of one call. ``misses``: so many messages are lost on the way."""

    def __init__(self) -> None:
        self.messages: list[AudioOut] = []
        self.misses = 0

    async def start(self, bus: Bus, sid: str) -> None:
        await bus.audio.subscribe(subjects.audio_out(sid), self._on_message)
        await bus.audio.answer(subjects.audio_wanted(sid), self._on_question)

    def _on_message(self, data: bytes) -> None:
        if self.misses:
            self.misses -= 1
        else:
            self.messages.append(unpack_audio_out(data))

    def _on_question(self, data: bytes) -> bytes:
        asked = unpack_audio_wanted(data)
        at, ended = 0, False
        for message in sorted(self.of(asked.sentence, asked.turn), key=lambda m: m.offset):
            if message.token == asked.token and message.offset <= at:
                at, ended = max(at, message.offset + len(message.audio)), ended or message.last
        return pack(None if ended else at)  # type: ignore[no-any-return]

    async def until(self, condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not condition():
                await asyncio.sleep(0.002)

    def of(self, sentence: int, turn: int = 1) -> list[AudioOut]:
        return [m for m in self.messages if (m.turn, m.sentence) == (turn, sentence)]

    async def whole(self, sentence: int, turn: int = 1) -> bytes:
        """The audio of a sentence, once it is all there; checks that its messages are in order and have no gaps."""
        await self.until(lambda: any(m.last for m in self.of(sentence, turn)))
        messages = self.of(sentence, turn)
        at = 0
        for message in messages:
            assert message.offset == at
            at += len(message.audio)
        assert [m.last for m in messages] == [False] * (len(messages) - 1) + [True]
        assert len({m.token for m in messages}) == 1
        return b"".join(m.audio for m in messages)


@pytest.fixture
async def listener(bus: Bus, sid: str) -> Listener:
    listener = Listener()
    await listener.start(bus, sid)
    return listener


def sentence(
    sid: str, index: int = 0, text: str = TEXT, turn: int = 1, voice: Voice | None = None
) -> Sentence:
    return Sentence(call=sid, turn=turn, index=index, text=text, voice=voice or Voice())


def started(sid: str, agent: Agent) -> Started:
    return Started(call=sid, stream_sid="MZ1", session="s", direction="inbound", agent=agent)


def heard(sid: str, index: int) -> Heard:
    return Heard(
        call=sid,
        stream_sid="MZ1",
        turn=1,
        sentence=index,
        complete=True,
        played_ms=900,
        text="",
        known_by="mark",
    )


def count(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"voxbus_{name}_total", labels) or 0.0


async def idle(worker: Worker, jobs: int = 0) -> None:
    async with asyncio.timeout(30):
        while len(worker.service.jobs.jobs) > jobs:
            await asyncio.sleep(0.002)


async def test_a_sentence_becomes_audio(worker: Worker, bus: Bus, sid: str, listener: Listener) -> None:
    await bus.append(sentence(sid))
    audio = await listener.whole(0)
    assert 3500 < ms_of(len(audio)) < 6000
    assert active_level_dbfs(mulaw_decode(audio), HZ) == pytest.approx(-20, abs=2)
    first, second, *_ = listener.messages
    assert len(first.audio) == FIRST_BYTES
    assert len(second.audio) <= FIRST_BYTES
    assert 0 < first.synthesis_ms <= listener.messages[-1].synthesis_ms < 2000


async def test_audio_that_was_lost_on_the_way_is_sent_again(
    worker: Worker, bus: Bus, sid: str, listener: Listener
) -> None:
    before = count("tts_sent_again")
    listener.misses = 3
    await bus.append(sentence(sid))
    await idle(worker, jobs=1)
    await listener.until(lambda: any(m.last for m in listener.of(0)) and listener.of(0)[-1].last)
    await idle(worker)
    by_offset = {m.offset: m for m in listener.of(0)}
    assert len({m.token for m in listener.of(0)}) == 1
    at = 0
    for offset, message in sorted(by_offset.items()):
        assert offset == at
        at += len(message.audio)
    assert 3500 < ms_of(at) < 6000
    assert count("tts_sent_again") == before + 1


async def test_a_sentence_that_no_gateway_takes_is_given_up(worker: Worker, bus: Bus, sid: str) -> None:
    before = count("tts_undelivered")
    await bus.append(sentence(sid))
    async with asyncio.timeout(30):
        while count("tts_undelivered") == before:
            await asyncio.sleep(0.01)
    await idle(worker)


async def test_who_waits_for_a_gateway_keeps_nobody_waiting(
    nats_url: str, bus: Bus, new_sid: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway that dies leaves many sentences without one, and then its calls need their audio from the next."""
    monkeypatch.setattr(delivery, "_NOBODY_S", 60.0)
    worker, here, gone = Worker(nats_url, tts_sentences=1), new_sid(), new_sid()
    listener = Listener()
    await listener.start(bus, here)
    await worker.start()
    try:
        await bus.append(sentence(gone))
        await bus.append(sentence(here))
        await listener.until(lambda: any(m.last for m in listener.of(0)), 30)
        assert {job.event.call for job in worker.service.jobs.jobs.values()} >= {gone}
        await Listener().start(bus, gone)  # the next gateway
        await idle(worker)
    finally:
        await worker.stop()


async def test_sentences_are_said_in_parallel_and_each_is_whole(
    worker: Worker, bus: Bus, sid: str, listener: Listener
) -> None:
    for index in range(6):
        await bus.append(sentence(sid, index, f"This is sentence {index}."))
    for index in range(6):
        assert ms_of(len(await listener.whole(index))) > 500


async def test_what_was_said_before_costs_no_synthesis(
    worker: Worker, bus: Bus, sid: str, listener: Listener
) -> None:
    await bus.append(sentence(sid, 0))
    before = count("tts_sentences", source="clip")
    first = await listener.whole(0)
    await bus.append(sentence(sid, 1))
    assert await listener.whole(1) == first
    await idle(worker)
    assert count("tts_sentences", source="clip") == before + 1


async def test_an_interruption_stops_the_audio(
    worker: Worker, bus: Bus, sid: str, listener: Listener
) -> None:
    await bus.append(sentence(sid, 0, LONG))
    await bus.append(sentence(sid, 1, "This one was not meant any more either."))
    await listener.until(lambda: bool(listener.of(0)))
    await bus.append(Interrupted(call=sid, stream_sid="MZ1", turn=1, sentence=0, played_ms=100, text="and"))
    await idle(worker)  # LONG would take much longer
    assert not any(message.last for message in listener.of(0))
    await bus.append(sentence(sid, 2, "Too late."))
    await bus.append(sentence(sid, 0, "Here I am.", turn=2))
    assert await listener.whole(0, turn=2)
    await idle(worker)
    assert listener.of(2) == []


async def test_a_newer_utterance_stops_the_audio_of_the_older_turn(
    worker: Worker, bus: Bus, sid: str, listener: Listener
) -> None:
    await bus.append(sentence(sid, 0, LONG))
    await listener.until(lambda: bool(listener.messages))
    utterance = Utterance(
        call=sid, holder=1, turn=2, text="wait", start_media_ms=0, end_media_ms=100, ended_by="silence"
    )
    await bus.append(utterance)
    await idle(worker)
    assert not any(message.last for message in listener.messages)


async def test_a_synthesis_process_that_dies_in_a_sentence_is_not_heard(
    worker: Worker, bus: Bus, sid: str, listener: Listener
) -> None:
    text = LONG[: len(LONG) // 4]
    await bus.append(sentence(sid, 0, text))
    await listener.until(lambda: bool(listener.messages))
    (process,) = worker.espeak.pool.processes
    os.kill(process.pid, signal.SIGKILL)
    broken = await listener.whole(0)
    await bus.append(sentence(sid, 1, text + " "))  # the same to the ear, not to the cache
    unbroken = await listener.whole(1)
    assert ms_of(len(broken)) == pytest.approx(ms_of(len(unbroken)), rel=0.01)
    assert count("tts_failures", provider="espeak", cause="crashed") >= 1


async def take_and_die(nats_url: str) -> tuple[Bus, JobRunner, asyncio.Event]:
    """A worker that takes one job and never does anything with it."""
    taken = asyncio.Event()

    async def hang(job: Job) -> None:
        taken.set()
        await asyncio.Event().wait()

    bus = await Bus.connect(BusConfig(url=nats_url, name="dying"))
    runner = JobRunner(bus, "tts", hang, capacity=1, on_failure=lambda job, error: None)
    await runner.start()
    return bus, runner, taken


@pytest.mark.parametrize("was_heard", [True, False])
async def test_a_job_of_a_worker_that_died_is_done_only_if_nobody_heard_it(
    nats_url: str, bus: Bus, sid: str, agent: Agent, listener: Listener, was_heard: bool
) -> None:
    dying, runner, taken = await take_and_die(nats_url)
    await bus.append(started(sid, agent))
    await bus.append(sentence(sid, 0))
    await asyncio.wait_for(taken.wait(), 30)
    if was_heard:
        await bus.append(heard(sid, 0))
    before = count("tts_skipped", why="heard")
    worker = Worker(nats_url)
    await worker.start()
    try:
        if was_heard:
            await listener.until(lambda: count("tts_skipped", why="heard") == before + 1)
            assert listener.messages == []
        else:
            assert await listener.whole(0)
    finally:
        await worker.stop()
        await dying.close()
        await runner.drain(0)


async def test_after_a_resumption_what_nobody_heard_is_said_again(
    worker: Worker, bus: Bus, sid: str, agent: Agent, listener: Listener
) -> None:
    await bus.append(started(sid, agent))
    await bus.append(Attached(call=sid, worker="w", nonce="n"))
    for index in range(3):
        await bus.append(sentence(sid, index, f"This is sentence {index}."))
        await listener.whole(index)
    await bus.append(heard(sid, 0))
    await idle(worker)
    listener.messages.clear()
    await bus.append(Resumed(call=sid, stream_sid="MZ2"))
    assert await listener.whole(2)
    assert await listener.whole(1)
    assert listener.of(0) == []
    assert [m.sentence for m in listener.messages] == sorted(m.sentence for m in listener.messages)


LINES = Lines(
    greeting="Hello, this is the clinic on Main Street. How can I help you today?",
    fallback="Sorry, that went wrong.",
    fillers=("One moment.",),
)


@pytest.fixture
def clinic() -> Agent:
    return Agent(name="clinic", prompt="You are a test.", lines=LINES, voice=Voice(name="en-gb"))


async def test_the_lines_of_an_agent_are_rendered_ahead(
    worker: Worker, bus: Bus, sid: str, clinic: Agent, listener: Listener
) -> None:
    await bus.agents.put(clinic.name, clinic.model_dump_json().encode())
    await asyncio.wait_for(worker.service.clips.complete.wait(), 30)
    for line in (LINES.greeting, LINES.fallback, LINES.fillers[0], LINES.no_capacity):
        for text in spoken(line):
            clip = await bus.clips.get(clip_key(clinic.voice, text))
            assert clip is not None
            assert active_level_dbfs(mulaw_decode(clip), HZ) == pytest.approx(-20, abs=2)
    before = count("tts_sentences", source="clip")
    sentences = spoken(LINES.greeting)
    for index, text in enumerate(sentences):
        await bus.append(sentence(sid, index, text, voice=clinic.voice))
        assert await listener.whole(index) == await bus.clips.get(clip_key(clinic.voice, text))
    await idle(worker)
    assert count("tts_sentences", source="clip") == before + len(sentences) == before + 2


async def test_a_second_worker_takes_over_what_was_rendered_unless_it_speaks_otherwise(
    worker: Worker, nats_url: str, bus: Bus, clinic: Agent
) -> None:
    default = clinic.model_copy(update={"voice": Voice()})
    await bus.agents.put(clinic.name, default.model_dump_json().encode())
    await asyncio.wait_for(worker.service.clips.complete.wait(), 30)
    key = clip_key(Voice(), LINES.fallback)
    american = await bus.clips.get(key)
    rendered = count("tts_clips_rendered")

    second = Worker(nats_url)
    await second.start()
    await asyncio.wait_for(second.service.clips.complete.wait(), 30)
    await second.stop()
    assert count("tts_clips_rendered") == rendered

    british = Worker(nats_url, tts_voice="en-gb")
    await british.start()
    await asyncio.wait_for(british.service.clips.complete.wait(), 30)
    await british.stop()
    assert count("tts_clips_rendered") > rendered
    assert await bus.clips.get(key) != american


async def test_an_agent_that_cannot_be_read_harms_no_other(worker: Worker, bus: Bus, clinic: Agent) -> None:
    await bus.agents.put("broken", b'{"name": 1}')
    await bus.agents.put(clinic.name, clinic.model_dump_json().encode())
    await asyncio.wait_for(worker.service.clips.complete.wait(), 30)
    assert await bus.clips.get(clip_key(clinic.voice, LINES.fallback))


async def test_a_line_that_cannot_be_said_harms_no_other(worker: Worker, bus: Bus, clinic: Agent) -> None:
    lines = LINES.model_copy(update={"greeting": UNSPEAKABLE})
    agent = clinic.model_copy(update={"lines": lines})
    await bus.agents.put(agent.name, agent.model_dump_json().encode())
    async with asyncio.timeout(30):
        while not await bus.clips.get(clip_key(agent.voice, LINES.fallback)):
            await asyncio.sleep(0.02)
    assert await bus.clips.get(clip_key(agent.voice, UNSPEAKABLE)) is None


async def test_a_sentence_that_no_voice_can_say_is_replaced_by_the_prepared_line_once(
    worker: Worker, bus: Bus, sid: str, clinic: Agent, listener: Listener
) -> None:
    await bus.agents.put(clinic.name, clinic.model_dump_json().encode())
    await asyncio.wait_for(worker.service.clips.complete.wait(), 30)
    await bus.append(started(sid, clinic))
    await bus.append(sentence(sid, 0, UNSPEAKABLE))
    assert await listener.whole(0) == await bus.clips.get(clip_key(clinic.voice, LINES.fallback))
    await bus.append(sentence(sid, 1, UNSPEAKABLE))
    assert await listener.whole(1) == b""


async def test_a_notice_that_no_voice_can_say_has_no_end(
    worker: Worker, bus: Bus, sid: str, clinic: Agent, listener: Listener
) -> None:
    """So the gateway does not take it for heard; and the prepared line tells nobody that they are recorded."""
    await bus.append(started(sid, clinic))
    await bus.append(replace(sentence(sid, 0, UNSPEAKABLE), notice="end"))
    await bus.append(sentence(sid, 1))
    await listener.whole(1)
    await idle(worker)
    assert listener.of(0) == []


async def test_a_worker_that_drains_leaves_no_process_behind(nats_url: str, bus: Bus, sid: str) -> None:
    worker = Worker(nats_url, tts_processes=2)
    await worker.start()
    assert worker.service.not_ready() == ""
    pids = [process.pid for process in worker.espeak.pool.processes]
    await worker.stop()
    assert worker.service.not_ready() == "no synthesis process runs"
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)

"""The worker over a real bus. The gateway is the test, the recognizer says what it was told; all else is real."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from voxbus.common import events as ev
from voxbus.common import subjects
from voxbus.common.agents import Agent, Voice
from voxbus.common.audio import mulaw_encode
from voxbus.common.bus import Bus, BusConfig
from voxbus.common.codec import AudioIn, pack, pack_replay
from voxbus.common.errors import AgentError, Conflict, ProviderError
from voxbus.common.events import Event
from voxbus.stt.recognizer import Listener, Transcript, TurnEnds
from voxbus.stt.service import SttService
from voxbus.stt.settings import SttSettings

speech = pytest.importorskip("voxbus.devkit.speech", reason="the devkit speaks for the caller")
callees = pytest.importorskip("voxbus.devkit.callees", reason="the devkit has a machine's beep")


class Told:
    """A recognizer that says what it was told; it keeps what it heard."""

    ends_turns = False

    def __init__(self) -> None:
        self.says = "book a table"
        self.heard: list[bytearray] = []
        self.refuses = ""
        self.fails = ""

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    def check(self, agent: Agent) -> None:
        if self.refuses:
            raise AgentError(self.refuses)

    def attend(self, agent: Agent, ends: TurnEnds, listener: Listener) -> Told:
        return self

    async def ready(self) -> None: ...

    def open(self) -> ToldRecognition:
        self.heard.append(bytearray())
        return ToldRecognition(self, self.heard[-1])


class ToldRecognition:
    def __init__(self, recognizer: Told, heard: bytearray) -> None:
        self._recognizer = recognizer
        self._heard = heard

    def feed(self, audio: bytes) -> None:
        self._heard += audio

    def look(self) -> None: ...

    async def finish(self, *, looked: bool) -> Transcript:
        if self._recognizer.fails:
            raise ProviderError(self._recognizer.fails)
        return Transcript(self._recognizer.says)

    def cancel(self) -> None: ...


class Gateway:
    """Frames of one call: kept for a replay, and published as they come."""

    def __init__(self, bus: Bus, sid: str) -> None:
        self._bus = bus
        self._sid = sid
        self._frames: dict[int, bytes] = {}
        self._sequence = 0

    async def start(self, agent: Agent, direction: ev.Direction = "inbound") -> None:
        await self._bus.audio.serve(subjects.audio_replay(self._sid), self._replay)
        await self._bus.append(
            ev.Started(call=self._sid, stream_sid="MZ", session="s", direction=direction, agent=agent)
        )

    async def greet(self) -> None:
        """The greeting was said and heard."""
        greeting = ev.Sentence(call=self._sid, turn=1, index=0, text="Hello.", voice=Voice())
        await self._bus.append(greeting)
        await self._bus.append(ev.ReplyEnded(call=self._sid, turn=1, sentences=1, reason="complete"))
        await self._bus.append(
            ev.Heard(
                call=self._sid,
                stream_sid="MZ",
                turn=1,
                sentence=0,
                complete=True,
                played_ms=400,
                text="Hello.",
                known_by="mark",
            )
        )

    def _replay(self, request: bytes) -> list[bytes]:
        return pack_replay([frame for n, frame in self._frames.items() if n >= int(request or 0)])

    def send(self, audio: bytes, *, lost: bool = False, forgotten: bool = False) -> None:
        """``lost``: nobody hears it, as while the bus is away; ``forgotten``: nor can it be replayed."""
        for start in range(0, len(audio), 160):
            n = self._sequence
            self._sequence += 1
            data = pack(AudioIn(n, n * 20, 0, 0, audio[start : start + 160].ljust(160, b"\xff")))
            if not forgotten:
                self._frames[n] = data
            if not lost and not forgotten:
                self._bus.audio.publish(subjects.audio_in(self._sid), data)

    async def log(self) -> list[Event]:
        return [stored.event for stored in await self._bus.read_log(self._sid)]

    async def wait_for(self, kind: type[Event], count: int = 1) -> list[Event]:
        async with asyncio.timeout(30):
            while len(found := [e for e in await self.log() if isinstance(e, kind)]) < count:
                await asyncio.sleep(0.01)
        return found


SAID = mulaw_encode(speech.speak("I would like to book a table please").audio)
SILENCE = b"\xff" * 8000
BEEP = mulaw_encode(callees.BEEP.audio).ljust(4000, b"\xff")


class Worker:
    def __init__(self, bus: Bus, name: str) -> None:
        self.bus = bus
        self.recognizer = Told()
        settings = SttSettings(stt_providers="told", stt_calls=8, worker_id=name)
        self.service = SttService(settings, bus, {"told": self.recognizer})


MakeWorker = Callable[..., Awaitable[Worker]]


@pytest.fixture
async def make_worker(nats_url: str, bus: Bus, sid: str) -> AsyncIterator[MakeWorker]:
    workers: list[Worker] = []

    async def make(name: str = "w") -> Worker:
        worker = Worker(await Bus.connect(BusConfig(url=nats_url)), name)
        workers.append(worker)
        await worker.service.start()
        return worker

    yield make
    with contextlib.suppress(Conflict):  # who holds a call that goes on waits for a successor
        await bus.append(ev.Ended(call=sid, reason="caller_hung_up"))
    for worker in workers:
        await worker.service.drain()
        await worker.bus.close()


@pytest.fixture
async def gateway(bus: Bus, sid: str) -> Gateway:
    return Gateway(bus, sid)


async def test_an_utterance(make_worker: MakeWorker, gateway: Gateway, agent: Agent) -> None:
    worker = await make_worker()
    await gateway.start(agent)
    await gateway.wait_for(ev.Attached)
    gateway.send(SILENCE + SAID + SILENCE)
    (utterance,) = await gateway.wait_for(ev.Utterance)
    assert isinstance(utterance, ev.Utterance)
    assert (utterance.turn, utterance.text, utterance.ended_by) == (2, "book a table", "silence")
    # The detector lags a little; the voice begins after the first second and lasts as long as it was spoken.
    assert utterance.start_media_ms == pytest.approx(1000, abs=150)
    assert utterance.end_media_ms == pytest.approx(1000 + len(SAID) / 8, abs=200)
    assert 500 <= utterance.endpoint_ms <= 600
    # Recognition heard the beginning: 300 ms before the onset.
    heard = worker.recognizer.heard[0]
    assert len(heard) >= len(SAID) + 2400


async def test_frames_before_the_worker_came_are_replayed(
    make_worker: MakeWorker, gateway: Gateway, agent: Agent
) -> None:
    await gateway.start(agent)
    gateway.send(SILENCE + SAID + SILENCE)
    await make_worker()
    (utterance,) = await gateway.wait_for(ev.Utterance)
    assert isinstance(utterance, ev.Utterance)
    assert utterance.start_media_ms == pytest.approx(1000, abs=150)
    assert utterance.dropped_frames == 0


async def test_frames_that_were_lost_on_the_way_are_replayed(
    make_worker: MakeWorker, gateway: Gateway, agent: Agent
) -> None:
    worker = await make_worker()
    await gateway.start(agent)
    await gateway.greet()
    await gateway.wait_for(ev.Attached)
    half = len(SAID) // 320 * 160
    gateway.send(SILENCE + SAID[:half])
    await gateway.wait_for(ev.SpeechStarted)
    gateway.send(SAID[half:], lost=True)
    gateway.send(SILENCE)
    (utterance,) = await gateway.wait_for(ev.Utterance)
    assert isinstance(utterance, ev.Utterance)
    assert utterance.dropped_frames == 0
    assert SAID[half - 1600 : half + 1600] in bytes(worker.recognizer.heard[0])


async def test_frames_that_nobody_has_any_more_are_counted(
    make_worker: MakeWorker, gateway: Gateway, agent: Agent
) -> None:
    await make_worker()
    await gateway.start(agent)
    await gateway.greet()
    await gateway.wait_for(ev.Attached)
    gateway.send(SILENCE + SAID[:4800])
    await gateway.wait_for(ev.SpeechStarted)
    gateway.send(SAID[4800:6400], forgotten=True)
    gateway.send(SAID[6400:] + SILENCE)
    (utterance,) = await gateway.wait_for(ev.Utterance)
    assert isinstance(utterance, ev.Utterance)
    assert utterance.dropped_frames == 10


async def test_the_gateway_is_told_what_it_may_forget(
    make_worker: MakeWorker, gateway: Gateway, bus: Bus, sid: str, agent: Agent
) -> None:
    told: list[int] = []
    await bus.audio.subscribe(subjects.audio_heard(sid), lambda data: told.append(int(data)))
    await make_worker()
    await gateway.start(agent)
    await gateway.greet()
    await gateway.wait_for(ev.Attached)
    gateway.send(SILENCE + SILENCE)
    async with asyncio.timeout(30):
        while not told:
            await asyncio.sleep(0.01)
    assert 1900 <= told[-1] <= 2000
    gateway.send(SAID)
    await gateway.wait_for(ev.SpeechStarted)
    await asyncio.sleep(0.6)
    assert told[-1] <= 2100, "somebody speaks since then"


async def test_who_leaves_a_call_lets_the_next_holder_hear_no_more_again_than_it_must(
    make_worker: MakeWorker, gateway: Gateway, bus: Bus, sid: str, agent: Agent
) -> None:
    told: list[int] = []
    await bus.audio.subscribe(subjects.audio_heard(sid), lambda data: told.append(int(data)))
    leaving = await make_worker("leaving")
    await gateway.start(agent)
    await gateway.greet()
    await gateway.wait_for(ev.Attached)
    gateway.send(SILENCE[:4800])  # less than what is told now and then
    async with asyncio.timeout(30):
        while not any(
            call._taker and (call._taker.idle_since_ms or 0) >= 570 for call in leaving.service._calls
        ):
            await asyncio.sleep(0.01)
    assert told == []
    await make_worker("staying")
    await leaving.service.drain()
    assert told
    assert 570 <= told[0] <= 600


async def test_a_call_that_is_handed_over_in_mid_turn_loses_no_word(
    make_worker: MakeWorker, gateway: Gateway, agent: Agent
) -> None:
    leaving = await make_worker("leaving")
    await gateway.start(agent)
    await gateway.wait_for(ev.Attached)
    half = len(SAID) // 320 * 160
    gateway.send(SILENCE + SAID[:half])
    await gateway.wait_for(ev.SpeechStarted)
    staying = await make_worker("staying")
    await leaving.service.drain()
    await gateway.wait_for(ev.Attached, 2)
    gateway.send(SAID[half:] + SILENCE)
    (utterance,) = await gateway.wait_for(ev.Utterance)
    assert isinstance(utterance, ev.Utterance)
    assert utterance.start_media_ms == pytest.approx(1000, abs=150)
    heard = bytes(staying.recognizer.heard[0])
    assert SAID[half - 1600 : half + 1600] in heard


async def test_a_job_that_comes_to_another_worker_is_left_to_a_holder_that_is_alive(
    make_worker: MakeWorker, gateway: Gateway, agent: Agent
) -> None:
    holder = await make_worker("holder")
    holder.service._runner.capacity = 1  # what comes back comes to the other one
    await gateway.start(agent)
    await gateway.greet()
    await gateway.wait_for(ev.Attached)
    other = await make_worker("other")
    (job,) = holder.service._runner.jobs.values()
    job.lapsed = True  # it says nothing to the server any more, as after a pause
    async with asyncio.timeout(30):
        while job.lapsed:
            await asyncio.sleep(0.01)
    await asyncio.sleep(2.5)
    assert other.service._runner.jobs == {}
    gateway.send(SILENCE + SAID + SILENCE)
    (utterance,) = await gateway.wait_for(ev.Utterance)
    assert isinstance(utterance, ev.Utterance)
    assert len(await gateway.wait_for(ev.Attached)) == 1


async def test_a_worker_that_drains_goes_on_until_another_has_the_call(
    make_worker: MakeWorker, gateway: Gateway, agent: Agent
) -> None:
    leaving = await make_worker("leaving")
    await gateway.start(agent)
    await gateway.greet()
    await gateway.wait_for(ev.Attached)
    draining = asyncio.create_task(leaving.service.drain())
    await asyncio.sleep(0.1)
    gateway.send(SILENCE + SAID + SILENCE)
    (utterance,) = await gateway.wait_for(ev.Utterance)  # there is nobody else
    assert isinstance(utterance, ev.Utterance)
    assert not draining.done()
    await make_worker("staying")
    await gateway.wait_for(ev.Attached, 2)
    async with asyncio.timeout(30):
        await draining
    assert len(await gateway.wait_for(ev.Utterance)) == 1


async def test_a_stale_holder_is_fenced_off(
    make_worker: MakeWorker, gateway: Gateway, bus: Bus, sid: str, agent: Agent
) -> None:
    await make_worker()
    await gateway.start(agent)
    await gateway.wait_for(ev.Attached)
    newer = await bus.append(ev.Attached(call=sid, worker="other", nonce="other"))
    gateway.send(SILENCE + SAID + SILENCE)
    await bus.append(
        ev.Utterance(
            call=sid, holder=newer, turn=2, text="x", start_media_ms=0, end_media_ms=1, ended_by="silence"
        )
    )
    await asyncio.sleep(0.5)
    found = [e for e in await gateway.log() if isinstance(e, ev.Utterance)]
    assert [u.text for u in found] == ["x"]


async def test_the_job_ends_with_the_call(
    make_worker: MakeWorker, gateway: Gateway, bus: Bus, sid: str, agent: Agent
) -> None:
    worker = await make_worker()
    await gateway.start(agent)
    await gateway.wait_for(ev.Attached)
    await bus.append(ev.Ended(call=sid, reason="caller_hung_up"))
    async with asyncio.timeout(30):
        while worker.service._runner.jobs:
            await asyncio.sleep(0.01)
        while (await bus.control.jetstream().consumer_info("CALLS", "stt")).num_ack_pending:
            await asyncio.sleep(0.01)  # the acknowledgement is on its way


async def test_an_agent_that_cannot_be_served_ends_the_call_with_the_reason(
    make_worker: MakeWorker, gateway: Gateway, agent: Agent
) -> None:
    worker = await make_worker()
    worker.recognizer.refuses = "no grammar: add one"
    await gateway.start(agent)
    (ended,) = await gateway.wait_for(ev.Ended)
    assert isinstance(ended, ev.Ended)
    assert (ended.reason, ended.detail) == ("error", "no grammar: add one")


async def test_a_call_that_kills_its_holders_is_ended(
    make_worker: MakeWorker, gateway: Gateway, bus: Bus, sid: str, agent: Agent
) -> None:
    await gateway.start(agent)
    for nonce in "abc":
        await bus.append(ev.Attached(call=sid, worker=nonce, nonce=nonce))
    await make_worker()
    (ended,) = await gateway.wait_for(ev.Ended)
    assert isinstance(ended, ev.Ended)
    assert ended.reason == "error"


async def test_a_failed_recognition_is_an_utterance_without_words(
    make_worker: MakeWorker, gateway: Gateway, agent: Agent
) -> None:
    worker = await make_worker()
    worker.recognizer.fails = "timeout"
    await gateway.start(agent)
    await gateway.greet()
    await gateway.wait_for(ev.Attached)
    gateway.send(SILENCE + SAID + SILENCE)
    (utterance,) = await gateway.wait_for(ev.Utterance)
    assert isinstance(utterance, ev.Utterance)
    assert (utterance.text, utterance.ended_by) == ("", "no_words")


async def test_keys_become_an_utterance(
    make_worker: MakeWorker, gateway: Gateway, bus: Bus, sid: str, agent: Agent
) -> None:
    await make_worker()
    await gateway.start(agent)
    await gateway.wait_for(ev.Attached)
    gateway.send(SILENCE)
    for sequence, digit in enumerate("12#"):
        await bus.append(ev.Dtmf(call=sid, stream_sid="MZ", sequence=sequence, digit=digit, media_ms=1000))
    (utterance,) = await gateway.wait_for(ev.Utterance)
    assert isinstance(utterance, ev.Utterance)
    assert (utterance.text, utterance.ended_by) == ("12", "dtmf")


async def test_the_silence_of_a_callee_and_then_a_hello_that_goes_on_is_one_turn(
    make_worker: MakeWorker, gateway: Gateway, agent: Agent
) -> None:
    worker = await make_worker()
    worker.recognizer.says = ""
    await gateway.start(agent, "outbound")
    await gateway.wait_for(ev.Attached)
    gateway.send(SILENCE + SILENCE)
    await gateway.wait_for(ev.Utterance)
    gateway.send(SAID + SILENCE)
    utterances = await gateway.wait_for(ev.Utterance, 2)
    assert [(u.key(), u.ended_by) for u in utterances if isinstance(u, ev.Utterance)] == [
        ("1.0", "no_input"),
        ("1.1", "no_words"),
    ]


async def test_a_machine_is_listened_to_until_it_is_through(
    make_worker: MakeWorker, gateway: Gateway, bus: Bus, sid: str, agent: Agent
) -> None:
    first = await make_worker("first")
    await gateway.start(agent.model_copy(update={"machine_detection": "leave_message"}), "outbound")
    await gateway.wait_for(ev.Attached)
    gateway.send(SILENCE[:3200] + SAID)
    await gateway.wait_for(ev.SpeechStarted)
    await bus.append(ev.Status(call=sid, sequence=0, answered_by="machine_end_beep"))
    beep_ended_ms = len(SILENCE[:3200] + SAID) // 8 + 400

    async def at_the_line_s_pace(*parts: bytes) -> None:
        for part in parts:
            for start in range(0, len(part), 800):
                gateway.send(part[start : start + 800])
                await asyncio.sleep(0.1)

    await at_the_line_s_pace(BEEP)
    # Whoever goes on hears all of it again, the quiet moments between the words too.
    await make_worker("second")
    await first.service.drain()
    await gateway.wait_for(ev.Attached, 2)
    await at_the_line_s_pace(SILENCE, SAID, SILENCE)
    (utterance,) = await gateway.wait_for(ev.Utterance)
    assert isinstance(utterance, ev.Utterance)
    assert (utterance.turn, utterance.text, utterance.ended_by) == (1, "", "machine")
    # Not from the replay: that is long ago.
    assert utterance.end_media_ms >= beep_ended_ms + 300

"""The log against a real server: unique subjects, conditions, reading, following."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgpack
import pytest
from nats.aio.msg import Msg
from prometheus_client import REGISTRY

from voxbus.common import subjects
from voxbus.common.agents import Agent, Voice
from voxbus.common.bus import Bus, BusConfig, direct, ensure, log, not_ended, setup, under
from voxbus.common.bus.requests import Requests
from voxbus.common.errors import BusError, BusUnavailable, ConditionFailed, Conflict, LogFull, LogIncomplete
from voxbus.common.events import (
    Attached,
    Ended,
    Event,
    HangupRequested,
    Resumed,
    Sentence,
    Started,
    Stored,
    Utterance,
)

if TYPE_CHECKING:
    from voxbus.devkit.nats_server import NatsServer


def started(sid: str, agent: Agent) -> Started:
    return Started(call=sid, stream_sid="MZ1", session="s", direction="inbound", agent=agent)


def sentence(sid: str, index: int, text: str = "Hello.") -> Sentence:
    return Sentence(call=sid, turn=1, index=index, text=text, voice=Voice())


def utterance(sid: str, holder: int, turn: int) -> Utterance:
    return Utterance(
        call=sid,
        holder=holder,
        turn=turn,
        text="yes",
        start_media_ms=0,
        end_media_ms=1,
        ended_by="silence",
    )


def counted(name: str) -> float:
    return REGISTRY.get_sample_value(f"voxbus_{name}_total") or 0.0


async def until(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.005)


async def test_a_second_event_on_a_subject_is_refused_and_the_first_is_kept(bus: Bus, sid: str) -> None:
    first = await bus.append(sentence(sid, 0, "First."))
    with pytest.raises(Conflict):
        await bus.append(sentence(sid, 0, "Second."))
    stored = await bus.stored(sentence(sid, 0))
    assert stored is not None
    assert stored.sequence == first
    assert isinstance(stored.event, Sentence)
    assert stored.event.text == "First."


async def test_a_log_that_is_full_is_not_taken_for_one_that_has_the_event(
    nats_server: NatsServer, sid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "CALLS_MAX_BYTES", 20_000)
    bus = await Bus.connect(BusConfig(url=nats_server.url))
    await ensure(bus)
    refused = counted("bus_store_failed")
    await bus.append(sentence(sid, 0))
    with pytest.raises(LogFull, match="maximum bytes"):
        await write(bus, [sentence(sid, index, "x" * 1000) for index in range(1, 50)])
    assert counted("bus_store_failed") == refused + 1
    with pytest.raises(Conflict):  # a full stream still knows what it has
        await bus.append(sentence(sid, 0))
    await bus.purge_log(sid, through=10)
    await bus.append(sentence(sid, 100))
    await bus.close()


async def test_a_stream_that_refuses_for_now_is_asked_again_after_a_pause(
    nats_server: NatsServer, sid: str
) -> None:
    """As a cluster without a leader does, at once and for as long as it has none."""
    bus = await Bus.connect(BusConfig(url=nats_server.url))
    other = await Bus.connect(BusConfig(url=nats_server.url))
    asked = 0

    async def refuse(message: Msg) -> None:
        nonlocal asked
        asked += 1
        error = {"code": 503, "err_code": 10008, "description": "JetStream system temporarily unavailable"}
        await message.respond(json.dumps({"error": error}).encode())

    await other.control.subscribe("call.>", cb=refuse)
    await other.control.flush()
    with pytest.raises(BusUnavailable):
        await bus.log.append(Ended(call=sid, reason="carrier"), timeout_s=1)
    assert 2 <= asked <= 30
    await other.close()
    await bus.close()


async def test_an_unanswered_publish_is_recognized_as_our_own(bus: Bus, sid: str) -> None:
    """The stream stored it, the answer was lost: the retry carries the same message id and is no conflict."""
    first = await bus.append(sentence(sid, 0))
    headers = {"Nats-Msg-Id": "the-same"}
    subject = subjects.event(sid, "sentence", "1.0.7")
    answers = [await bus.control.jetstream().publish(subject, b"x", headers=dict(headers)) for _ in range(2)]
    assert [a.seq for a in answers] == [first + 1, first + 1]
    assert answers[1].duplicate


async def test_events_of_a_stale_holder_are_refused_at_the_stream(bus: Bus, sid: str) -> None:
    old = await bus.append(Attached(call=sid, worker="a", nonce="1"))
    await bus.append(utterance(sid, old, 2), only_if=under(old, sid))
    new = await bus.append(Attached(call=sid, worker="b", nonce="2"))
    with pytest.raises(ConditionFailed):
        await bus.append(utterance(sid, old, 3), only_if=under(old, sid))
    await bus.append(utterance(sid, new, 3), only_if=under(new, sid))


async def test_a_call_that_ended_is_not_resumed(bus: Bus, sid: str) -> None:
    await bus.append(Resumed(call=sid, stream_sid="MZ2"), only_if=not_ended(sid))
    await bus.append(Ended(call=sid, reason="caller_hung_up"))
    with pytest.raises(ConditionFailed):
        await bus.append(Resumed(call=sid, stream_sid="MZ3"), only_if=not_ended(sid))
    with pytest.raises(Conflict):
        await bus.append(Ended(call=sid, reason="carrier"))


async def test_the_log_is_read_in_order_and_up_to_a_sequence(
    bus: Bus, new_sid: Callable[[], str], agent: Agent
) -> None:
    sid, other = new_sid(), new_sid()
    await bus.append(started(sid, agent))
    for index in range(5):
        await bus.append(sentence(sid, index))
        await bus.append(sentence(other, index))
    events = await bus.read_log(sid)
    assert [type(s.event).__name__ for s in events] == ["Started"] + ["Sentence"] * 5
    assert [s.sequence for s in events] == sorted(s.sequence for s in events)
    assert all(s.event.call == sid for s in events)
    through = events[3].sequence
    assert [s.sequence for s in await bus.read_log(sid, through=through)] == [s.sequence for s in events[:4]]
    assert len(await bus.read_log(sid, kinds=("started",))) == 1


async def test_a_log_of_more_events_than_one_answer_holds(bus: Bus, sid: str, agent: Agent) -> None:
    await bus.append(started(sid, agent))
    async with asyncio.TaskGroup() as group:
        for index in range(700):
            group.create_task(bus.append(sentence(sid, index)))
            group.create_task(bus.append(HangupRequested(call=sid, turn=index, reason="test")))
    events = await bus.read_log(sid)
    assert len(events) == 1401
    assert [s.sequence for s in events] == sorted(s.sequence for s in events)


async def test_a_replica_that_has_not_seen_the_job_yet_is_not_believed(
    bus: Bus, sid: str, agent: Agent
) -> None:
    """A follower that is behind answers without the job's own event; so does a server that never gets it."""
    last = await bus.append(started(sid, agent))
    assert len(await bus.read_log(sid, through=last)) == 1
    reading = asyncio.create_task(bus.read_log(sid, through=last + 1))
    await asyncio.sleep(0)
    await bus.append(sentence(sid, 0))
    assert len(await reading) == 2
    with pytest.raises(LogIncomplete):
        await bus.read_log(sid, through=last + 2)


async def test_what_a_replica_has_not_seen_yet_is_asked_for_again(bus: Bus, sid: str) -> None:
    """The stream refused ours, so that another is there; the replica that answers may not know it."""
    reading = asyncio.create_task(bus.stored(sentence(sid, 0)))
    await asyncio.sleep(0)
    sequence = await bus.append(sentence(sid, 0, "Theirs."))
    stored = await reading
    assert stored is not None
    assert stored.sequence == sequence


async def test_reading_an_empty_log(bus: Bus, sid: str) -> None:
    assert await bus.read_log(sid) == []
    assert await bus.stored(sentence(sid, 0)) is None


async def test_an_open_log_delivers_each_event_once_and_in_order(bus: Bus, sid: str, agent: Agent) -> None:
    await bus.append(started(sid, agent))
    later: list[Stored] = []
    writing = asyncio.create_task(write(bus, [sentence(sid, i) for i in range(200)]))
    log = await bus.open_log(sid, later.append)
    await writing
    await until(lambda: len(log.snapshot) + len(later) >= 201)
    sequences = [s.sequence for s in log.snapshot + later]
    assert sequences == sorted(set(sequences))
    assert len(sequences) == 201
    await log.close()
    await bus.append(sentence(sid, 999))
    await bus.control.flush()
    assert len(log.snapshot) + len(later) == 201


async def write(bus: Bus, events: list[Sentence]) -> None:
    for event in events:
        await bus.append(event)


async def test_an_open_log_catches_up_after_the_server_was_away(
    nats_server: NatsServer, bus: Bus, sid: str, agent: Agent
) -> None:
    await bus.append(started(sid, agent))
    later: list[Stored] = []
    log = await bus.open_log(sid, later.append)
    other = await Bus.connect(BusConfig(url=nats_server.url))
    nats_server.stop()
    nats_server.start()
    # Whoever reconnects first writes; the other one was not told of it.
    await until(lambda: other.connected, 30)
    await other.append(sentence(sid, 0))
    await other.append(sentence(sid, 1))
    await until(lambda: len(later) == 2, 30)
    assert [s.event.key() for s in later] == ["1.0.0", "1.0.1"]
    await other.append(sentence(sid, 2))
    await until(lambda: len(later) == 3, 30)
    await log.close()
    await other.close()


async def from_the_future(bus: Bus, sid: str) -> None:
    """An event of a kind that this build does not know is stored: a newer one is being rolled out."""
    subject = subjects.event(sid, "laughed", "1")
    await bus.control.jetstream().publish(subject, msgpack.packb({"v": 1, "call": sid}))


async def test_an_event_of_the_future_is_skipped_and_counted_by_everybody_who_reads(
    bus: Bus, new_sid: Callable[[], str], agent: Agent
) -> None:
    sid = new_sid()
    skipped = counted("bus_events_skipped")
    await bus.append(started(sid, agent))
    await from_the_future(bus, sid)
    await bus.append(sentence(sid, 0))
    assert [s.event.kind for s in await bus.read_log(sid)] == ["started", "sentence"]
    assert counted("bus_events_skipped") == skipped + 1
    later: list[Stored] = []
    log = await bus.open_log(sid, later.append)
    follower = await bus.follow(later.append)
    await from_the_future(bus, new_sid())
    await bus.append(sentence(sid, 1))
    await until(lambda: len(later) == 2)
    assert [s.event.key() for s in (*log.snapshot, *later)] == ["0", "1.0.0", "1.0.1", "1.0.1"]
    await log.close()
    await follower.close()


async def test_an_open_log_catches_up_past_an_event_of_the_future(
    nats_server: NatsServer, bus: Bus, sid: str, agent: Agent
) -> None:
    await bus.append(started(sid, agent))
    later: list[Stored] = []
    log = await bus.open_log(sid, later.append)
    await from_the_future(bus, sid)
    await nats_server.restart()
    await until(lambda: bus.connected)
    await bus.append(sentence(sid, 0))
    await until(lambda: len(later) == 1)
    await log.close()


async def test_an_open_log_tries_to_catch_up_whatever_goes_wrong(
    nats_server: NatsServer, bus: Bus, sid: str, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bus.append(started(sid, agent))
    later: list[Stored] = []
    log = await bus.open_log(sid, later.append)
    read, failures = bus.log.read, [ZeroDivisionError(), BusError("refused")]

    async def fail(sid: str) -> list[Stored]:
        if failures:
            raise failures.pop()
        return await read(sid)

    monkeypatch.setattr(bus.log, "read", fail)
    await nats_server.restart()
    await until(lambda: bus.connected)
    await bus.append(sentence(sid, 0))
    await until(lambda: len(later) == 1)
    assert not failures
    await log.close()


async def test_a_publish_waits_for_a_server_that_restarts(
    nats_server: NatsServer, bus: Bus, sid: str, agent: Agent
) -> None:
    nats_server.stop()
    writing = asyncio.create_task(bus.append(started(sid, agent)))
    await asyncio.sleep(0)
    nats_server.start()
    assert await writing > 0
    assert len(await bus.read_log(sid)) == 1


async def test_what_a_dying_server_swallowed_is_asked_again_when_it_is_back(
    nats_server: NatsServer, bus: Bus, sid: str, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "_ANSWER_TIMEOUT_S", 60.0)
    monkeypatch.setattr(direct, "_TIMEOUT_S", 60.0)
    first = await bus.append(started(sid, agent))
    nats_server.signal(signal.SIGSTOP)
    appending = asyncio.create_task(bus.append(sentence(sid, 0)))
    reading = asyncio.create_task(bus.read_log(sid))
    await asyncio.sleep(0.1)
    await nats_server.restart(signal.SIGKILL)
    async with asyncio.timeout(30):
        assert await appending > first
        assert (await reading)[0].sequence == first


async def test_what_was_stored_before_the_server_died_is_recognized_as_our_own(
    nats_server: NatsServer, bus: Bus, sid: str, agent: Agent
) -> None:
    class Deaf(Requests):
        """Hears no answer while ``deaf``."""

        deaf = True

        async def _on_answer(self, message: Msg) -> None:
            if not self.deaf:
                await super()._on_answer(message)

    requests = bus.log._requests = Deaf(bus.control, bus._reconnected)
    appending = asyncio.create_task(bus.append(started(sid, agent), only_if=not_ended(sid)))
    await asyncio.sleep(0.2)
    requests.deaf = False
    await nats_server.restart(signal.SIGKILL)
    async with asyncio.timeout(30):
        assert await appending == 1


async def test_refused_events_are_not_republished(bus: Bus, sid: str) -> None:
    seen: list[Stored] = []
    follower = await bus.follow(seen.append, kinds=("sentence",))
    await bus.append(sentence(sid, 0, "First."))
    with pytest.raises(Conflict):
        await bus.append(sentence(sid, 0, "Second."))
    await bus.append(Ended(call=sid, reason="error"))
    await bus.append(sentence(sid, 1, "Third."))
    await until(lambda: len(seen) == 2)
    assert [texts(s.event) for s in seen] == ["First.", "Third."]
    await follower.close()


def texts(event: Event) -> str:
    assert isinstance(event, Sentence)
    return event.text


async def test_no_server_is_said_at_once() -> None:
    with pytest.raises(BusUnavailable, match="no NATS server answers"):
        await Bus.connect(BusConfig(url="nats://127.0.0.1:1", connect_timeout_s=1))


async def test_setting_up_twice_changes_nothing(bus: Bus) -> None:
    await ensure(bus)
    js = bus.control.jetstream()
    info = await js.stream_info("CALLS")
    assert info.config.max_msgs_per_subject == 1
    assert info.config.discard_new_per_subject
    consumer = await js.consumer_info("CALLS", "llm")
    assert consumer.config.max_ack_pending == -1
    assert consumer.config.ack_wait == 1
    assert sorted(consumer.config.filter_subjects or []) == sorted(subjects.JOB_FILTERS["llm"])

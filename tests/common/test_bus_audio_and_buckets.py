"""Audio subjects and buckets against a real server."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import pytest
import uvloop
from nats.js.api import DiscardPolicy, StreamConfig

from voxbus.common import subjects
from voxbus.common.bus import Bus, BusConfig, ensure
from voxbus.common.codec import AudioIn, pack, pack_replay, unpack_audio_in, unpack_replay
from voxbus.common.errors import BusClosed, BusUnavailable

if TYPE_CHECKING:
    from voxbus.devkit.nats_server import NatsServer


async def until(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.005)


async def test_frames_arrive_in_order(bus: Bus, sid: str) -> None:
    got: list[AudioIn] = []
    subscription = await bus.audio.subscribe(
        subjects.audio_in(sid), lambda data: got.append(unpack_audio_in(data))
    )
    frames = [AudioIn(i, i * 20, 0, 0, bytes([i % 256]) * 160) for i in range(500)]
    for frame in frames:
        assert bus.audio.publish(subjects.audio_in(sid), pack(frame))
    await until(lambda: len(got) == 500)
    assert got == frames
    await subscription.close()


async def test_nothing_stale_is_sent_after_a_lost_connection(
    nats_server: NatsServer, bus: Bus, sid: str
) -> None:
    got: list[bytes] = []
    await bus.audio.subscribe(subjects.audio_in(sid), got.append)
    nats_server.stop()
    await until(lambda: not bus.connected)
    assert not bus.audio.publish(subjects.audio_in(sid), b"stale")
    assert bus.audio.dropped == 1
    nats_server.start()
    await until(lambda: bus.connected)
    await until(lambda: bool(got) or not bus.audio.publish(subjects.audio_in(sid), b"fresh") or bool(got))
    assert b"stale" not in got


async def test_the_replay_is_answered_whole(bus: Bus, sid: str) -> None:
    frames = [pack(AudioIn(i, i * 20, 0, 0, b"\xff" * 160)) for i in range(2250)]  # 45 s
    serving = await bus.audio.serve(subjects.audio_replay(sid), lambda request: frames[int(request or 0) :])
    got: list[bytes] = []
    assert await bus.audio.request_many(subjects.audio_replay(sid), got.append) == 2250
    assert got == frames
    assert await bus.audio.request_many(subjects.audio_replay(sid), got.append, request=b"2200") == 50
    assert got[2250:] == frames[2200:]
    await serving.close()


@pytest.mark.parametrize("count", [0, 1, 50, 51, 2250])
def test_a_replay_is_packed_by_the_second(count: int) -> None:
    frames = [AudioIn(i, i * 20, 0, 0, b"\xff" * 160) for i in range(count)]
    messages = pack_replay([pack(frame) for frame in frames])
    assert len(messages) == -(-count // 50)
    assert [frame for message in messages for frame in unpack_replay(message)] == frames


async def test_a_replay_that_nobody_serves_fails_at_once(bus: Bus, sid: str) -> None:
    with pytest.raises(BusUnavailable, match="nobody serves"):
        await bus.audio.request_many(subjects.audio_replay(sid), lambda _: None, timeout_s=5)


async def test_what_was_subscribed_is_known_to_the_server(nats_url: str, bus: Bus) -> None:
    other = await Bus.connect(BusConfig(url=nats_url))
    for n in range(200):
        await bus.audio.answer(subjects.audio_wanted(str(n)), lambda request: request)
        assert await other.audio.ask(subjects.audio_wanted(str(n)), b"1") == b"1"
        came = asyncio.Event()
        await bus.audio.subscribe(subjects.audio_in(str(n)), lambda _, came=came: came.set())  # type: ignore[misc]
        other.audio.publish(subjects.audio_in(str(n)), b"frame")
        await asyncio.wait_for(came.wait(), 30)
    await other.close()


async def test_a_server_that_is_silent_is_an_unavailable_bus(
    nats_server: NatsServer, bus: Bus, sid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a path swallows packets: nothing says that the connection is gone."""
    client = bus.audio._client
    monkeypatch.setattr(client, "flush", partial(client.flush, 0.2))  # type: ignore[arg-type]  # slept as it is
    nats_server.signal(signal.SIGSTOP)
    for subscribing in (
        bus.audio.subscribe(subjects.audio_in(sid), lambda _: None),
        bus.audio.serve(subjects.audio_replay(sid), lambda _: []),
        bus.audio.answer(subjects.audio_wanted(sid), lambda _: None),
    ):
        with pytest.raises(BusUnavailable):
            await subscribing
    nats_server.signal(signal.SIGCONT)


async def test_a_closed_bus_says_so_to_whoever_listens_or_asks(nats_url: str, sid: str) -> None:
    bus = await Bus.connect(BusConfig(url=nats_url))
    await bus.close()
    for asking in (
        bus.audio.subscribe(subjects.audio_in(sid), lambda _: None),
        bus.audio.request_many(subjects.audio_replay(sid), lambda _: None),
        bus.open_log(sid, lambda _: None),
        bus.follow(lambda _: None),
    ):
        with pytest.raises(BusClosed):
            await asking


async def test_a_bucket(bus: Bus) -> None:
    assert await bus.tokens.get("a") is None
    await bus.tokens.put("a", b"1")
    assert await bus.tokens.get("a") == b"1"
    assert not await bus.tokens.create("a", b"2")
    assert await bus.tokens.create("b", b"2")
    await bus.tokens.delete("a")
    assert await bus.tokens.get("a") is None
    assert await bus.tokens.create("a", b"3")


async def test_a_bucket_is_read_from_its_leader(bus: Bus) -> None:
    """A follower may answer with a token that was taken a moment ago. Of a log it is seen when it is behind."""
    js = bus.control.jetstream()
    for bucket in subjects.BUCKETS:
        config = (await js.stream_info(subjects.stream_of_bucket(bucket))).config
        assert (config.allow_direct, bool(config.mirror_direct)) == (False, False), bucket
    for stream in (*subjects.streams(), subjects.ARCHIVE_STREAM):
        assert (await js.stream_info(stream)).config.allow_direct is True, stream


async def test_of_many_takers_one_wins(bus: Bus) -> None:
    await bus.tokens.put("once", b"1")
    taken = await asyncio.gather(*(bus.tokens.take("once") for _ in range(10)))
    assert taken.count(b"1") == 1
    assert taken.count(None) == 9


async def test_a_watcher_sees_what_is_there_and_what_comes(bus: Bus) -> None:
    await bus.agents.put("one", b"1")
    seen: list[tuple[str, bytes | None]] = []
    watch = await bus.agents.watch(lambda key, value: seen.append((key, value)))
    await until(lambda: len(seen) == 1)
    await bus.agents.put("two", b"2")
    await bus.agents.delete("one")
    await until(lambda: len(seen) == 3)
    assert seen == [("one", b"1"), ("two", b"2"), ("one", None)]
    await watch.close()


def test_a_bus_can_be_closed_while_the_server_is_away(nats_server: NatsServer, sid: str) -> None:
    async def live() -> None:
        bus = await Bus.connect(BusConfig(url=nats_server.url), on_problem=lambda *_: None)
        nats_server.stop()
        await until(lambda: not bus.connected)
        await bus.control.publish(subjects.partial(sid), b"said last")
        await bus.close()

    # On the loop of the services: its transports complain of what others take without a word.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(live())
    nats_server.start()


async def test_a_watcher_is_told_after_a_reconnect_what_it_missed(nats_server: NatsServer, bus: Bus) -> None:
    await bus.agents.put("gone", b"1")
    seen: list[tuple[str, bytes | None]] = []
    watch = await bus.agents.watch(lambda key, value: seen.append((key, value)))
    nats_server.stop()
    nats_server.start()
    other = await Bus.connect(
        BusConfig(url=nats_server.url)
    )  # whose changes come before the watcher is back, or after
    await other.agents.delete("gone")
    await other.agents.put("new", b"2")
    await until(lambda: len(seen) == 3)
    assert seen[0] == ("gone", b"1")
    assert sorted(seen[1:]) == [("gone", None), ("new", b"2")]
    await watch.close()
    await other.close()


async def test_the_keys_of_a_bucket_are_those_that_are_not_deleted(bus: Bus) -> None:
    assert await bus.agents.keys() == []
    for key in ("one", "two.three"):
        await bus.agents.put(key, b"1")
    await bus.agents.put("gone", b"1")
    await bus.agents.delete("gone")
    assert sorted(await bus.agents.keys()) == ["one", "two.three"]


async def test_a_bucket_of_an_older_version_is_brought_up_to_date(nats_server: NatsServer) -> None:
    """Its time to live for single messages stays: no server takes that back."""
    bus = await Bus.connect(BusConfig(url=nats_server.url, name="test"))
    js = bus.control.jetstream(timeout=5)
    name = subjects.stream_of_bucket(subjects.CONTEXTS)
    older = StreamConfig(
        name=name,
        subjects=[subjects.keys_of(subjects.CONTEXTS)],
        max_msgs_per_subject=1,
        allow_rollup_hdrs=True,
        allow_msg_ttl=True,
    )
    await js.add_stream(older)
    await bus.contexts.put("session.kept", b"as it was")
    for _ in range(2):
        await ensure(bus)
        config = (await js.stream_info(name)).config
        assert (config.allow_rollup_hdrs, config.discard) == (False, DiscardPolicy.NEW)
    assert await bus.contexts.get("session.kept") == b"as it was"
    new = (await js.stream_info(subjects.stream_of_bucket(subjects.TOKENS))).config
    assert not new.allow_rollup_hdrs
    assert not new.allow_msg_ttl
    await bus.close()

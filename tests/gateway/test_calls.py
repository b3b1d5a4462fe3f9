"""Whole calls over real sockets: what the log holds, and what the caller gets."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from voxbus.common import events as ev
from voxbus.common import subjects
from voxbus.common.agents import Voice
from voxbus.common.bus import Bus
from voxbus.common.clips import clip_key
from voxbus.common.codec import AudioIn, unpack_audio_in, unpack_replay

from .conftest import AGENT_FILE, Start
from .twilio import Running, Twilio, Workers, counted

pytestmark = pytest.mark.asyncio(loop_scope="session")

FRAME = bytes(range(160))
AUDIO = bytes(1 + i % 250 for i in range(1600))  # 200 ms


async def test_a_call_begins_with_everything_that_workers_need(gateway: Running) -> None:
    call = gateway.call()
    await call.begin()
    (started,) = await gateway.log(call.sid, ev.Started)
    assert started.stream_sid == call.stream_sid
    assert (started.direction, started.agent.name) == ("inbound", "test_agent")
    assert started.agent.lines.greeting == "Hello, Acme speaking."
    assert started.context == {"business": "Acme"}
    assert len(started.trace.split("-")) == 4


async def test_the_webhook_brings_the_numbers_along(gateway: Running) -> None:
    call = gateway.call()
    twiml = (await call.voice(Direction="outbound-api")).text
    token = twiml.partition('name="token" value="')[2].partition('"')[0]
    await call.connect()
    await call.start(token=token)
    (started,) = await gateway.log(call.sid, ev.Started)
    assert (started.direction, started.from_number, started.to_number) == (
        "outbound",
        "+15550111",
        "+15550122",
    )


async def test_frames_reach_the_bus_in_order_and_none_is_lost(gateway: Running, bus: Bus) -> None:
    call = gateway.call()
    frames: list[AudioIn] = []
    await bus.audio.subscribe(subjects.audio_in(call.sid), lambda data: frames.append(unpack_audio_in(data)))
    token = await call.token()
    await call.connect()
    await call.media(FRAME)  # before start: kept
    await call.media(FRAME * 2)  # 40 ms in one message: cut
    await call.start(token=token)
    await call.media(FRAME[:100])  # a part of a frame: waits for the rest
    await call.media(FRAME[100:] + FRAME[:1])
    async with asyncio.timeout(30):
        while len(frames) < 4:
            await asyncio.sleep(0.005)
    assert [(f.sequence, f.media_ms) for f in frames] == [(0, 0), (1, 20), (2, 40), (3, 60)]
    assert all(f.audio == FRAME for f in frames)
    assert {(f.turn, f.sentence) for f in frames} == {(0, 0)}


async def test_the_agents_words_reach_the_caller_and_what_was_heard_the_log(
    gateway: Running, workers: Callable[[str], Workers]
) -> None:
    call = gateway.call()
    await call.begin()
    await gateway.log(call.sid, ev.Started)
    await workers(call.sid).say("Hello there.", AUDIO)
    (mark,) = await call.wait_for("mark")
    assert call.heard() == AUDIO
    assert all(m["streamSid"] == call.stream_sid for m in call.received)
    assert {m["event"] for m in call.received} == {"media", "mark"}
    await call.mark(mark["mark"]["name"])
    (heard,) = await gateway.log(call.sid, ev.Heard)
    assert (heard.complete, heard.known_by, heard.text, heard.played_ms) == (
        True,
        "mark",
        "Hello there.",
        200,
    )
    (started,) = await gateway.log(call.sid, ev.Started)
    assert heard.trace == started.trace


async def test_caller_frames_say_what_is_audible(
    gateway: Running, bus: Bus, workers: Callable[[str], Workers]
) -> None:
    call = gateway.call()
    frames: list[AudioIn] = []
    await bus.audio.subscribe(subjects.audio_in(call.sid), lambda data: frames.append(unpack_audio_in(data)))
    await call.begin()
    await gateway.log(call.sid, ev.Started)
    await workers(call.sid).say("Hello there.", AUDIO * 5)
    await call.wait_for("media")
    await call.media(FRAME)
    async with asyncio.timeout(30):
        while not frames:
            await asyncio.sleep(0.005)
    assert (frames[0].turn, frames[0].sentence) == (1, 0)


async def test_a_late_recognizer_gets_the_unfinished_turn_again(
    gateway: Running, bus: Bus, workers: Callable[[str], Workers]
) -> None:
    call = gateway.call()
    await call.begin()
    await gateway.log(call.sid, ev.Started)
    stt = workers(call.sid)
    await stt.attach()
    for _ in range(60):
        await call.media(FRAME)
    await stt.utterance(end_media_ms=1000)

    async def replay() -> list[AudioIn]:
        frames: list[AudioIn] = []
        await bus.audio.request_many(
            subjects.audio_replay(call.sid), lambda data: frames.extend(unpack_replay(data))
        )
        return frames

    async with asyncio.timeout(30):
        while len(frames := await replay()) != 25:
            await asyncio.sleep(0.01)
    assert frames[0].media_ms == 700  # 300 ms before the end of what is in the log


async def test_what_stt_has_found_nothing_in_is_not_kept(
    gateway: Running, bus: Bus, workers: Callable[[str], Workers]
) -> None:
    call = gateway.call()
    await call.begin()
    await gateway.log(call.sid, ev.Started)
    for _ in range(60):
        await call.media(FRAME)

    async def kept() -> list[AudioIn]:
        frames: list[AudioIn] = []
        await bus.audio.request_many(
            subjects.audio_replay(call.sid), lambda data: frames.extend(unpack_replay(data))
        )
        return frames

    async with asyncio.timeout(30):
        while len(await kept()) != 60:
            await asyncio.sleep(0.01)
        bus.audio.publish(subjects.audio_heard(call.sid), b"nonsense")
        bus.audio.publish(subjects.audio_heard(call.sid), b"1000")
        while len(frames := await kept()) != 25:
            await asyncio.sleep(0.01)
    assert frames[0].media_ms == 700


async def test_barge_in_clears_and_says_what_was_heard(
    gateway: Running, workers: Callable[[str], Workers]
) -> None:
    call = gateway.call()
    await call.begin()
    await gateway.log(call.sid, ev.Started)
    stt = workers(call.sid)
    await stt.attach()
    await stt.say("One two three four.", AUDIO * 10)
    await call.wait_for("media", 20)
    await stt.put(ev.SpeechStarted(call=call.sid, holder=stt.holder, media_ms=0, over_agent=True))
    await call.wait_for("clear")
    await gateway.log(call.sid, ev.Paused)
    await stt.put(ev.BargeIn(call=call.sid, holder=stt.holder, media_ms=0, by="words"))
    (interrupted,) = await gateway.log(call.sid, ev.Interrupted)
    assert interrupted.turn == 1
    assert interrupted.played_ms < 1500


async def test_stt_events_of_a_worker_that_lost_the_call_do_nothing(
    gateway: Running, workers: Callable[[str], Workers]
) -> None:
    call = gateway.call()
    await call.begin()
    await gateway.log(call.sid, ev.Started)
    stale, stt = workers(call.sid), workers(call.sid)
    await stale.attach()
    await stt.attach()
    await stt.say("One two three four.", AUDIO * 10)
    await call.wait_for("media")
    await stale.put(ev.SpeechStarted(call=call.sid, holder=stale.holder, media_ms=0, over_agent=True))
    await stt.put(ev.SpeechStarted(call=call.sid, holder=stt.holder, media_ms=20, over_agent=True))
    (paused,) = await gateway.log(call.sid, ev.Paused)
    assert paused.media_ms == 20


async def test_a_key_is_an_event_and_cuts_the_agent(
    gateway: Running, workers: Callable[[str], Workers]
) -> None:
    call = gateway.call()
    await call.begin()
    await gateway.log(call.sid, ev.Started)
    await workers(call.sid).say("One two three four.", AUDIO * 10)
    await call.wait_for("media")
    await call.press("5")
    await call.wait_for("clear")
    (dtmf,) = await gateway.log(call.sid, ev.Dtmf)
    assert (dtmf.digit, dtmf.sequence) == ("5", 1)
    await gateway.log(call.sid, ev.Interrupted)


async def test_stop_ends_the_call(gateway: Running) -> None:
    call = gateway.call()
    await call.begin()
    await gateway.log(call.sid, ev.Started)
    await call.stop()
    (ended,) = await gateway.log(call.sid, ev.Ended)
    assert ended.reason == "caller_hung_up"
    assert (await call.closed())[0] == 1000
    assert [s for s in await gateway.bus.read_log(call.sid) if isinstance(s.event, ev.Disconnected)] == []


async def saying_goodbye(gateway: Running, workers: Callable[[str], Workers]) -> tuple[Twilio, Workers, str]:
    """A call whose agent wants to hang up; its goodbye is at Twilio, with this mark."""
    call = gateway.call()
    await call.begin()
    await gateway.log(call.sid, ev.Started)
    agent = workers(call.sid)
    await agent.attach()
    await agent.put(ev.HangupRequested(call=call.sid, turn=1, reason="done"))
    await agent.say("Goodbye.", AUDIO)
    (mark,) = await call.wait_for("mark")
    return call, agent, mark["mark"]["name"]


async def test_a_hangup_waits_until_the_goodbye_was_heard(
    gateway: Running, workers: Callable[[str], Workers]
) -> None:
    call, _, mark = await saying_goodbye(gateway, workers)
    await asyncio.sleep(0.1)
    assert not call.is_closed
    await call.mark(mark)
    assert await call.closed() == (1000, "agent done")
    response = await gateway.post("/twilio/next?streams=0&tries=0", {"CallSid": call.sid})
    assert "<Hangup" in response.text
    assert (await gateway.log(call.sid, ev.Ended))[0].reason == "agent_hung_up"


async def test_a_goodbye_whose_stream_broke_is_said_on_the_next_one(
    gateway: Running, workers: Callable[[str], Workers]
) -> None:
    call, _, _ = await saying_goodbye(gateway, workers)
    call.drop()
    await gateway.log(call.sid, ev.Disconnected)
    response = await gateway.post("/twilio/next?streams=0&tries=0", {"CallSid": call.sid})
    assert "<Connect" in response.text


async def test_who_speaks_after_the_goodbye_is_answered(
    gateway: Running, workers: Callable[[str], Workers]
) -> None:
    call, agent, mark = await saying_goodbye(gateway, workers)
    await call.mark(mark)
    await gateway.log(call.sid, ev.Heard)
    await agent.put(ev.SpeechStarted(call=call.sid, holder=agent.holder, media_ms=0, over_agent=False))
    await asyncio.sleep(1.5)
    assert not call.is_closed
    await agent.utterance(turn=2)
    await agent.say("Of course.", AUDIO, turn=2)
    _, second = await call.wait_for("mark", 2)
    await call.mark(second["mark"]["name"])
    assert call.heard() == AUDIO * 2
    await gateway.log(call.sid, ev.Heard, 2)
    response = await gateway.post("/twilio/next?streams=0&tries=0", {"CallSid": call.sid})
    assert "<Connect" in response.text


async def test_a_transfer_dials(gateway: Running, workers: Callable[[str], Workers]) -> None:
    call = gateway.call()
    await call.begin()
    await gateway.log(call.sid, ev.Started)
    agent = workers(call.sid)
    await agent.attach()
    await agent.put(ev.TransferRequested(call=call.sid, turn=1, target="desk"))
    await agent.say("One moment.", AUDIO)
    (mark,) = await call.wait_for("mark")
    await call.mark(mark["mark"]["name"])
    await call.closed()
    response = await gateway.post("/twilio/next", {"CallSid": call.sid})
    assert "<Dial>+15550100</Dial>" in response.text
    assert (await gateway.log(call.sid, ev.Ended))[0].reason == "transferred"


async def answered(gateway: Running, workers: Callable[[str], Workers]) -> tuple[Twilio, Workers]:
    """A call to somebody, who has said hello."""
    call = gateway.call()
    await call.begin(agent="calling")
    await gateway.log(call.sid, ev.Started)
    agent = workers(call.sid)
    await agent.attach()
    await agent.utterance(turn=1, text="", ended_by="no_words")
    return call, agent


async def test_a_machine_is_not_talked_to_before_it_is_through_and_is_hung_up_on_after_the_message(
    gateway: Running, workers: Callable[[str], Workers]
) -> None:
    call, agent = await answered(gateway, workers)
    await agent.say("Hello there.", AUDIO * 5)
    await call.wait_for("media")
    form = {"CallSid": call.sid, "AnsweredBy": "machine_end_beep", "MachineDetectionDuration": "4100"}
    assert (await gateway.post("/twilio/amd?session=s-1", form)).status_code == 204
    await call.wait_for("clear")
    (status,) = await gateway.log(call.sid, ev.Status)
    assert (status.answered_by, status.session) == ("machine_end_beep", "s-1")
    assert (await gateway.log(call.sid, ev.Interrupted))[0].turn == 1
    await agent.utterance(turn=2, text="leave a message")  # decided before the verdict was known
    await agent.utterance(turn=3, text="", ended_by="machine")
    await agent.put(ev.HangupRequested(call=call.sid, turn=3, reason="machine"))
    heard = len(call.heard())
    await agent.say("Please call back.", AUDIO[::-1], turn=3)
    *_, mark = await call.wait_for("mark", 2)
    assert not call.is_closed
    assert AUDIO[::-1] in call.heard()[heard:]
    await call.mark(mark["mark"]["name"])
    assert await call.closed() == (1000, "agent done")
    assert [h.text for h in await gateway.log(call.sid, ev.Heard) if h.turn == 3] == ["Please call back."]


async def test_a_person_talks_on(gateway: Running, workers: Callable[[str], Workers]) -> None:
    call, agent = await answered(gateway, workers)
    await agent.say("Hello there.", AUDIO)
    form = {"CallSid": call.sid, "AnsweredBy": "human"}
    assert (await gateway.post("/twilio/amd", form)).status_code == 204
    (mark,) = await call.wait_for("mark")
    await call.mark(mark["mark"]["name"])
    assert (await gateway.log(call.sid, ev.Heard))[0].complete
    assert [m for m in call.received if m["event"] == "clear"] == []


async def test_a_call_that_nobody_takes_is_told_so(gateway: Running, bus: Bus) -> None:
    await bus.clips.put(clip_key(Voice(), "All our lines are busy."), AUDIO)
    call = gateway.call()
    await call.begin()
    (ended,) = await gateway.log_within(call.sid, ev.Ended, 8)
    assert ended.reason == "no_capacity"
    assert call.heard() == AUDIO
    await call.closed()
    assert "<Hangup" in (await gateway.post("/twilio/next", {"CallSid": call.sid})).text


@pytest.mark.parametrize("lacking", ["llm", "tts"])
async def test_a_call_that_is_taken_and_never_answered_is_told_so_by_the_carrier(
    lacking: str, new_gateway: Start, agents_dir: Path, workers: Callable[[str], Workers]
) -> None:
    # Its apology was never rendered, as where no TTS worker has ever been.
    unheard = AGENT_FILE.replace("All our lines are busy.", f"Nobody is there, no {lacking} either.")
    (agents_dir / "unheard.yaml").write_text(unheard.replace("test_agent", "unheard"))
    before = counted("gateway_no_capacity", lacking=lacking)
    async with new_gateway() as gateway:
        call = gateway.call()
        await call.begin(agent="unheard")
        await gateway.log(call.sid, ev.Started)
        worker = workers(call.sid)
        await worker.attach()
        if lacking == "tts":
            await worker.put(
                ev.Sentence(call=call.sid, turn=1, index=0, text="Hello.", voice=Voice(), interruptible=True)
            )
        (ended,) = await gateway.log_within(call.sid, ev.Ended, 20)
        assert (ended.reason, ended.detail, ended.unsaid) == (
            "no_capacity",
            f"no {lacking.upper()} worker took it",
            True,
        )
        await call.closed()
        twiml = (await gateway.post("/twilio/next", {"CallSid": call.sid})).text
        assert f'<Say language="en-US">Nobody is there, no {lacking} either.</Say><Hangup' in twiml
    assert counted("gateway_no_capacity", lacking=lacking) == before + 1


async def test_a_call_whose_streams_are_all_refused_is_told_so_by_the_carrier(gateway: Running) -> None:
    call = gateway.call()
    for tries in ("0", "1"):
        assert "<Stream" in (await gateway.post(f"/twilio/next?tries={tries}", {"CallSid": call.sid})).text
    twiml = (await gateway.post("/twilio/next?tries=2", {"CallSid": call.sid})).text
    assert '<Say language="en-US">All our lines are busy.</Say><Hangup' in twiml


# The call comes back


@pytest.mark.parametrize("session", ["", "s" * 20])
async def test_a_gateway_that_dies_before_the_stream_began_takes_nothing_with_it(
    new_gateway: Start, agents_dir: Path, session: str
) -> None:
    (agents_dir / "second.yaml").write_text(AGENT_FILE.replace("test_agent", "second"))
    async with new_gateway() as gateway:
        call = gateway.call()
        told = {"CallSid": call.sid, "From": "+15550111", "To": "+15550122", "Direction": "outbound-api"}
        asked = "/twilio/voice?agent=second" + (f"&session={session}" if session else "")
        twiml = (await gateway.post(asked, told)).text
        # Its stream never began, twice; the carrier goes on to the next verb.
        for tries in (1, 2):
            following = re.search(r"/twilio/next[^<]*", twiml)
            assert following is not None
            twiml = (await gateway.post(following[0].replace("&amp;", "&"), told)).text
            assert f"tries={tries}" in twiml
        await call.connect()
        await call.start(token=twiml.partition('name="token" value="')[2].partition('"')[0])
        (started,) = await gateway.log(call.sid, ev.Started)
        assert (started.agent.name, started.session) == ("second", session)
        assert (started.direction, started.from_number, started.to_number) == (
            "outbound",
            "+15550111",
            "+15550122",
        )


async def test_a_lost_socket_is_an_event_and_the_call_goes_on_elsewhere(
    gateway: Running, new_gateway: Start, bus: Bus, workers: Callable[[str], Workers]
) -> None:
    call = gateway.call()
    await call.begin()
    await gateway.log(call.sid, ev.Started)
    agent = workers(call.sid)
    await agent.attach()
    await agent.say("Hello there.", AUDIO)
    (mark,) = await call.wait_for("mark")
    await call.mark(mark["mark"]["name"])
    await gateway.log(call.sid, ev.Heard)
    await agent.utterance(turn=2, end_media_ms=100)
    call.drop()
    (disconnected,) = await gateway.log(call.sid, ev.Disconnected)
    assert disconnected.code == 1006

    async with new_gateway() as other:
        twiml = (await other.post("/twilio/next?streams=0&tries=0", {"CallSid": call.sid})).text
        assert "streams=1&amp;tries=0" in twiml
        again = other.call(call.sid)
        await again.connect()
        await again.start(token=twiml.partition('name="token" value="')[2].partition('"')[0])
        (resumed,) = await other.log(call.sid, ev.Resumed)
        assert resumed.stream_sid == again.stream_sid
        frames: list[AudioIn] = []
        await bus.audio.subscribe(
            subjects.audio_in(call.sid), lambda data: frames.append(unpack_audio_in(data))
        )
        await again.media(FRAME)
        await agent.say("It is three.", AUDIO[::-1], turn=2)
        await again.wait_for("mark")
        assert again.heard() == AUDIO[::-1]
        # The media clock goes on behind everything that the log names.
        assert frames[0].media_ms >= 500
        assert frames[0].sequence == frames[0].media_ms // 20


async def test_a_call_that_comes_back_goes_on_behind_what_stt_has_whatever_the_clocks_say(
    gateway: Running, bus: Bus
) -> None:
    """The gateway before had a clock that is ahead, or frames that came late: what STT has, it takes no second time."""
    call = gateway.call()
    await call.begin()
    await gateway.log(call.sid, ev.Started)
    answering = await bus.audio.answer(subjects.audio_reached(call.sid), lambda _: b"3000")
    frames: list[AudioIn] = []
    listening = await bus.audio.subscribe(
        subjects.audio_in(call.sid), lambda data: frames.append(unpack_audio_in(data))
    )
    call.drop()
    await gateway.log(call.sid, ev.Disconnected)
    again = gateway.call(call.sid)
    await again.begin()
    await gateway.log(call.sid, ev.Resumed)
    await again.media(FRAME)
    async with asyncio.timeout(30):
        while not frames:
            await asyncio.sleep(0.005)
    assert 3000 <= frames[0].sequence < 3100
    assert frames[0].media_ms == frames[0].sequence * 20
    await listening.close()
    await answering.close()


async def test_a_second_stream_takes_the_call_over(gateway: Running) -> None:
    first = gateway.call()
    await first.begin()
    await gateway.log(first.sid, ev.Started)
    second = gateway.call(first.sid)
    await second.begin()
    await gateway.log(first.sid, ev.Resumed)
    assert await first.closed() == (1000, "the call is on another stream")
    assert [s for s in await gateway.bus.read_log(first.sid) if isinstance(s.event, ev.Disconnected)] == []


async def test_an_ended_call_does_not_begin_again(gateway: Running) -> None:
    call = gateway.call()
    await call.begin()
    await gateway.log(call.sid, ev.Started)
    await call.stop()
    await call.closed()
    again = gateway.call(call.sid)
    await again.begin()
    assert await again.closed() == (1000, "the call has ended")


async def test_a_terminal_status_ends_the_call_and_its_stream(gateway: Running) -> None:
    call = gateway.call()
    await call.begin()
    await gateway.log(call.sid, ev.Started)
    form = {"CallSid": call.sid, "CallStatus": "completed", "SequenceNumber": "3", "CallDuration": "12"}
    assert (await gateway.post("/twilio/status", form)).status_code == 204
    assert (await call.closed())[1] == "ended"
    (status,) = await gateway.log(call.sid, ev.Status)
    assert (status.status, status.sequence, status.duration_s) == ("completed", 3, 12)
    assert (await gateway.log(call.sid, ev.Ended))[0].reason == "carrier"


async def test_the_status_of_a_call_that_nobody_answered_tells_whose_it_is(gateway: Running) -> None:
    sid = "CA" + "b" * 32
    form = {
        "CallSid": sid,
        "CallStatus": "busy",
        "SequenceNumber": "2",
        "Direction": "outbound-api",
        "From": "+15550100002",
        "To": "+15550100001",
    }
    assert (await gateway.post("/twilio/status?session=s-1", form)).status_code == 204
    (status,) = await gateway.log(sid, ev.Status)
    assert (status.session, status.direction) == ("s-1", "outbound")
    assert (status.from_number, status.to_number) == ("+15550100002", "+15550100001")
    assert (await gateway.log(sid, ev.Ended))[0].detail == "busy"


# Drain


async def test_drain_hands_calls_over_and_refuses_new_ones(
    new_gateway: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nobody(*_: object) -> None:
        return None

    async with new_gateway(drain_seconds=4) as running:
        monkeypatch.setattr(running.bus, "ask", nobody)  # other tests have gateways on this bus
        call = running.call()
        await call.begin()
        await running.log(call.sid, ev.Started)
        late = running.call()
        draining = asyncio.create_task(running.gateway.drain())
        code, _ = await call.closed()
        assert code == 1001
        assert (await running.log(call.sid, ev.Disconnected))[0].code == 1001
        assert (await running.http.get(running.url + "/ready")).status_code == 503
        status, line = await running.refused_handshake(late)
        assert status == 503
        assert "another" in line
        response = await running.post("/twilio/next?streams=0&tries=0", {"CallSid": call.sid})
        assert '<Pause length="2"' in response.text
        await draining
        running.drained = True


async def test_a_gateway_that_has_a_successor_leaves_the_door_to_it(new_gateway: Start) -> None:
    async with new_gateway() as leaving, new_gateway():
        call = leaving.call()
        await call.begin()
        await leaving.log(call.sid, ev.Started)
        await leaving.http.get(leaving.url + "/health")  # a connection that is kept
        draining = asyncio.create_task(leaving.gateway.drain())
        assert (await call.closed())[0] == 1001
        response = await leaving.post("/twilio/next?streams=0&tries=0", {"CallSid": call.sid})
        assert "<Connect" in response.text
        assert "<Pause" not in response.text, "the other one takes the stream at once"
        with pytest.raises(OSError, match=r"refused|Connect call failed"):
            await asyncio.open_connection("127.0.0.1", leaving.port)
        await draining
        leaving.drained = True


async def test_drain_waits_for_what_the_caller_says_and_for_its_answer(
    new_gateway: Start, workers: Callable[[str], Workers]
) -> None:
    async with new_gateway(drain_seconds=10) as running:
        call = running.call()
        await call.begin()
        await running.log(call.sid, ev.Started)
        agent = workers(call.sid)
        await agent.attach()
        await agent.say("Hello there.", AUDIO)
        (mark,) = await call.wait_for("mark")
        await call.mark(mark["mark"]["name"])
        await running.log(call.sid, ev.Heard)
        await agent.put(ev.SpeechStarted(call=call.sid, holder=agent.holder, media_ms=0, over_agent=False))
        await asyncio.sleep(0.2)
        draining = asyncio.create_task(running.gateway.drain())
        await asyncio.sleep(0.4)
        assert not call.is_closed
        await agent.utterance(turn=2)
        await asyncio.sleep(0.2)
        assert not call.is_closed
        await agent.say("Of course.", AUDIO, turn=2)
        _, second = await call.wait_for("mark", 2)
        await call.mark(second["mark"]["name"])
        assert (await call.closed())[0] == 1001
        await draining
        running.drained = True


async def test_drain_waits_for_the_end_of_the_sentence(
    new_gateway: Start, workers: Callable[[str], Workers]
) -> None:
    async with new_gateway(drain_seconds=10) as running:
        call = running.call()
        await call.begin()
        await running.log(call.sid, ev.Started)
        await workers(call.sid).say("Hello there.", AUDIO * 3)
        await call.wait_for("media")
        draining = asyncio.create_task(running.gateway.drain())
        (mark,) = await call.wait_for("mark")
        await asyncio.sleep(0.1)
        assert running.gateway.not_ready() == "draining"
        assert [m for m in call.received if m["event"] == "clear"] == []
        await call.mark(mark["mark"]["name"])
        assert (await call.closed())[0] == 1001
        assert call.heard() == AUDIO * 3
        await draining
        running.drained = True

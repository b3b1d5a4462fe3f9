"""Whole calls of the simulated carrier, in real time, against an application on real sockets."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from voxbus.common.audio import Pcm, mulaw_decode, rms_dbfs
from voxbus.devkit.caller import Caller, ScriptFailed
from voxbus.devkit.carrier import CallPlan, CallResult, Carrier, LineQuality, Route, core_tones
from voxbus.devkit.carrier.plan import StatusEvent
from voxbus.devkit.carrier.signing import sign
from voxbus.devkit.speech import Speech

TOKEN = "secret"
Tone = Callable[..., Pcm]
Talk = Callable[[int], Speech]


@pytest.fixture
async def carrier() -> AsyncIterator[Carrier]:
    async with Carrier() as carrier:
        yield carrier


@pytest.fixture
def plan(app: Any) -> CallPlan:
    return CallPlan(voice_url=f"{app.url}/voice", auth_token=TOKEN)


def verbs(result: CallResult) -> list[str]:
    return [executed.verb for executed in result.verbs]


async def until_hangup(caller: Caller) -> None:
    await caller.expect_hangup(timeout_s=5)


def stay(ms: int) -> Caller:
    """A caller who says nothing and hangs up after a while."""

    async def script(caller: Caller) -> None:
        await caller.wait(ms)

    return Caller(script)


async def test_a_call_that_the_caller_ends(app: Any, carrier: Carrier, plan: CallPlan) -> None:
    result = await carrier.call(plan, stay(200))
    assert result.ended_by == "caller"
    (voice,) = app.asked_for("/voice")
    assert voice.form["CallSid"] == result.call_sid
    assert voice.form["CallStatus"] == "ringing"
    assert voice.form["Direction"] == "inbound"
    assert voice.headers["x-twilio-signature"] == sign(TOKEN, f"{app.url}/voice", voice.form)
    (handshake,) = app.handshakes
    assert handshake["x-twilio-signature"] == sign(TOKEN, f"{app.wss}/media")
    received = app.sockets[0].received
    assert [message["event"] for message in received[:2]] == ["connected", "start"]
    assert received[1]["start"]["customParameters"] == {"token": "t1"}
    assert received[1]["streamSid"] == result.stream_sids[0]
    assert received[-1]["event"] == "stop"
    media = [message for message in received if message["event"] == "media"]
    assert [message["media"]["chunk"] for message in media] == [str(n + 1) for n in range(len(media))]
    assert [message["media"]["timestamp"] for message in media] == [str(20 * n) for n in range(len(media))]
    assert [message["sequenceNumber"] for message in received[1:]] == [
        str(n + 1) for n in range(len(received) - 1)
    ]
    assert result.debugger.entries == []


async def test_a_line_that_stalls_leaves_nothing_out(app: Any, carrier: Carrier, plan: CallPlan) -> None:
    now = asyncio.get_running_loop().time
    stood_s = 0.0

    async def script(caller: Caller) -> None:
        nonlocal stood_s
        await caller.wait(100)
        caller.stall(300)
        began = now()
        await caller.wait(40)
        stood_s = now() - began
        await caller.wait(400)

    await carrier.call(plan, Caller(script))
    assert stood_s >= 0.3
    media = [message["media"] for message in app.sockets[0].received if message["event"] == "media"]
    assert len(media) >= 26
    assert [message["timestamp"] for message in media] == [str(20 * n) for n in range(len(media))]


async def test_the_application_hears_the_caller_at_the_pace_of_time(
    app: Any, carrier: Carrier, plan: CallPlan, make_speech: Talk
) -> None:
    speech = make_speech(400)

    async def script(caller: Caller) -> None:
        await caller.say(speech)

    started = asyncio.get_running_loop().time()
    caller = Caller(script)
    result = await carrier.call(plan, caller)
    assert asyncio.get_running_loop().time() - started >= 0.38
    media = (m["media"]["payload"] for m in app.sockets[0].received if m["event"] == "media")
    heard = mulaw_decode(b"".join(base64.b64decode(payload) for payload in media))
    assert len(heard) >= len(speech.audio)
    assert rms_dbfs(heard[: len(speech.audio)]) == pytest.approx(-22.0, abs=0.5)
    (said,) = caller.said
    assert (said.purpose, said.end_ms - said.start_ms) == ("speech", 400)
    assert np.array_equal(result.recording.caller[: len(speech.audio)], speech.audio)


async def test_a_conversation_is_measured(
    app: Any, carrier: Carrier, plan: CallPlan, make_tone: Tone, make_speech: Talk, tmp_path: Path
) -> None:
    async def agent(socket: Any) -> None:
        await socket.next("start")
        await socket.media(make_tone(300))
        await socket.mark("greeting")
        await socket.next("mark")
        loud = False
        while True:  # answers 100 ms after the caller fell silent
            frame = mulaw_decode(base64.b64decode((await socket.next("media"))["media"]["payload"]))
            if rms_dbfs(frame) > -40:
                loud = True
            elif loud:
                await asyncio.sleep(0.1)
                await socket.media(make_tone(200))
                loud = False

    async def script(caller: Caller) -> None:
        greeting = await caller.listen(quiet_ms=200)
        assert 280 <= greeting.duration_ms <= 320
        await caller.say(make_speech(300))
        await caller.listen(quiet_ms=200)

    app.agents = [agent]
    caller = Caller(script)
    result = await carrier.call(plan, caller)
    (response,) = caller.responses
    # The frame after the last one of speech is the first silent one: 20 ms, then 100 ms of thought; clocks differ.
    assert 100 <= response.response_ms <= 5000
    assert 100 <= response.media_ms <= response.response_ms + 20
    played = result.recording.played()
    assert [span.duration_ms for span in played] == [300, 200]
    assert result.recording.gaps() == ()
    result.recording.write(tmp_path / "call.wav")
    assert (tmp_path / "call.wav").stat().st_size == 44 + result.recording.frames * 160 * 4


async def test_marks_return_in_order_and_clear_returns_the_rest(
    app: Any, carrier: Carrier, plan: CallPlan, make_tone: Tone
) -> None:
    async def agent(socket: Any) -> None:
        await socket.next("start")
        await socket.mark("idle")
        for name, duration_ms in (("one", 200), ("two", 2000), ("three", 2000)):
            await socket.media(make_tone(duration_ms))
            await socket.mark(name)
        await socket.next("mark")
        assert (await socket.next("mark"))["mark"]["name"] == "one"
        await socket.clear()
        await socket.until_stopped()

    app.agents = [agent]
    result = await carrier.call(plan, stay(2000))
    marks = [message["mark"]["name"] for message in app.sockets[0].received if message["event"] == "mark"]
    assert marks == ["idle", "one", "two", "three"]
    (cleared,) = result.recording.times_of("clear")
    assert cleared >= 180
    (played,) = result.recording.played()
    assert played.duration_ms < 2000
    assert not result.recording.agent[played.end_ms * 8 :].any()


async def test_an_interruption_is_measured(
    app: Any, carrier: Carrier, plan: CallPlan, make_tone: Tone, make_speech: Talk
) -> None:
    async def agent(socket: Any) -> None:
        await socket.next("start")
        await socket.media(make_tone(5000))
        while (
            rms_dbfs(mulaw_decode(base64.b64decode((await socket.next("media"))["media"]["payload"]))) < -40
        ):
            pass
        await socket.clear()
        await socket.until_stopped()

    async def script(caller: Caller) -> None:
        await caller.interrupt(make_speech(400), after_ms=300)

    app.agents = [agent]
    caller = Caller(script)
    await carrier.call(plan, caller)
    (reaction,) = caller.reactions
    assert reaction.clear_ms is not None
    assert reaction.quiet_ms is not None
    assert 0 <= reaction.clear_ms < 2000
    assert 0 <= reaction.quiet_ms < 2000
    assert caller.said[0].start_ms >= 300


async def test_one_who_is_not_interrupted_has_no_reaction(
    app: Any, carrier: Carrier, plan: CallPlan, make_tone: Tone, make_speech: Talk
) -> None:
    async def agent(socket: Any) -> None:
        await socket.next("start")
        await socket.media(make_tone(1500))
        await socket.until_stopped()

    async def script(caller: Caller) -> None:
        await caller.mm_hm(make_speech(200), after_ms=200)
        await caller.listen(quiet_ms=200)

    app.agents = [agent]
    caller = Caller(script)
    await carrier.call(plan, caller)
    (reaction,) = caller.reactions
    assert (reaction.clear_ms, reaction.quiet_ms) == (None, None)
    assert reaction.said.purpose == "backchannel"
    assert caller.responses == []


async def test_the_agent_comes_back_as_an_echo(
    app: Any, carrier: Carrier, plan: CallPlan, make_tone: Tone
) -> None:
    async def agent(socket: Any) -> None:
        await socket.next("start")
        await socket.media(make_tone(400))
        await socket.until_stopped()

    app.agents = [agent]
    noisy = replace(plan, line=LineQuality(echo_db=-20, echo_delay_ms=200))
    result = await carrier.call(noisy, stay(800))
    (played,) = result.recording.played()
    echo = result.recording.caller[(played.start_ms + 200) * 8 : (played.end_ms + 200) * 8]
    assert rms_dbfs(echo) == pytest.approx(-40, abs=0.3)
    assert not result.recording.caller[: (played.start_ms + 200) * 8].any()


async def test_pressed_keys_arrive(app: Any, carrier: Carrier, plan: CallPlan) -> None:
    async def script(caller: Caller) -> None:
        await caller.press("1#", gap_ms=140)

    caller = Caller(script)
    result = await carrier.call(plan, caller)
    digits = [message["dtmf"] for message in app.sockets[0].received if message["event"] == "dtmf"]
    assert digits == [{"track": "inbound_track", "digit": "1"}, {"track": "inbound_track", "digit": "#"}]
    assert [digit for digit, _ in caller.pressed] == ["1", "#"]
    first = int(caller.pressed[0][1]) * 8
    heard = result.recording.caller
    assert np.array_equal(heard[first : first + 800], core_tones.tone("1"))
    assert not heard[first + 800 : first + 960].any()


async def test_a_line_that_takes_the_tones_out(app: Any, carrier: Carrier, plan: CallPlan) -> None:
    async def script(caller: Caller) -> None:
        await caller.press("1")

    result = await carrier.call(replace(plan, line=LineQuality(tones=False)), Caller(script))
    assert [m["dtmf"]["digit"] for m in app.sockets[0].received if m["event"] == "dtmf"] == ["1"]
    assert not result.recording.caller.any()


async def test_closing_the_socket_runs_the_next_verb(app: Any, carrier: Carrier, plan: CallPlan) -> None:
    async def agent(socket: Any) -> None:
        await socket.next("media")

    app.agents = [agent]
    app.documents["/voice"] += "<Redirect>/next?n=1</Redirect>"
    app.documents["/next"] = "<Hangup/>"
    caller = Caller(until_hangup)
    result = await carrier.call(plan, caller)
    assert result.ended_by == "application"
    assert verbs(result) == ["Connect", "Redirect", "Hangup"]
    assert result.verbs[-1].source == f"{app.url}/next?n=1"
    (request,) = app.asked_for("/next")
    assert request.form["CallStatus"] == "in-progress"
    assert request.headers["x-twilio-signature"] == sign(TOKEN, f"{app.url}/next?n=1", request.form)
    assert result.debugger.codes == [31921]  # logged for an intended close, too


async def test_a_second_stream_goes_on_with_the_same_call(
    app: Any, carrier: Carrier, plan: CallPlan, make_tone: Tone
) -> None:
    async def first(socket: Any) -> None:
        await socket.next("media")

    async def second(socket: Any) -> None:
        await socket.next("start")
        await socket.media(make_tone(200))
        await socket.mark("end")
        await socket.next("mark")

    app.agents = [first, second]
    app.documents["/voice"] += "<Redirect>/next</Redirect>"
    app.documents["/next"] = app.documents["/voice"].replace("/next", "/bye")
    app.documents["/bye"] = "<Say>Goodbye.</Say><Pause/><Dial>+15550100009</Dial>"
    result = await carrier.call(plan, Caller(until_hangup))
    assert verbs(result) == ["Connect", "Redirect", "Connect", "Redirect", "Say", "Pause", "Dial"]
    assert len(set(result.stream_sids)) == 2
    assert (result.said, result.dialled, result.ended_by) == (["Goodbye."], ["+15550100009"], "application")
    assert [span.duration_ms for span in result.recording.played()] == [200]
    assert result.recording.frames * 20 >= 1100  # the clock went on through the pause


async def test_connect_with_an_action(app: Any, carrier: Carrier, plan: CallPlan) -> None:
    async def agent(socket: Any) -> None:
        await socket.next("media")

    app.agents = [agent]
    app.documents["/voice"] = (
        app.documents["/voice"].replace("<Connect>", '<Connect action="/after">') + "<Pause/>"
    )
    app.documents["/after"] = "<Hangup/>"
    result = await carrier.call(plan, Caller(until_hangup))
    assert verbs(result) == ["Connect", "Hangup"]


@pytest.mark.parametrize(
    ("on_loss", "expected", "ended_by"),
    [
        ("next_verb", ["Connect", "Redirect", "Hangup"], "application"),
        ("end_call", ["Connect"], "connection"),
    ],
)
async def test_a_broken_connection(
    app: Any, carrier: Carrier, plan: CallPlan, on_loss: Any, expected: list[str], ended_by: str
) -> None:
    async def agent(socket: Any) -> None:
        await socket.next("media")
        socket.drop()

    app.agents = [agent]
    app.documents["/voice"] += "<Redirect>/next</Redirect>"
    app.documents["/next"] = "<Hangup/>"
    result = await carrier.call(replace(plan, on_loss=on_loss), Caller(until_hangup))
    assert (verbs(result), result.ended_by) == (expected, ended_by)
    assert result.debugger.codes == [31903]


async def test_a_refused_handshake(app: Any, carrier: Carrier, plan: CallPlan) -> None:
    app.refuse_stream = 403
    result = await carrier.call(plan, Caller(until_hangup))
    (entry,) = result.debugger.entries
    assert (entry.code, entry.text) == (31920, "31920: 403 refused")


async def test_the_other_form_of_the_signed_url(app: Any, carrier: Carrier, plan: CallPlan) -> None:
    await carrier.call(replace(plan, sign_trailing_slash=True), stay(60))
    assert app.handshakes[0]["x-twilio-signature"] == sign(TOKEN, f"{app.wss}/media/")


async def test_without_a_token_nothing_is_signed(app: Any, carrier: Carrier, plan: CallPlan) -> None:
    await carrier.call(replace(plan, auth_token=""), stay(60))
    assert "x-twilio-signature" not in app.handshakes[0]
    assert "x-twilio-signature" not in app.asked[0].headers


@pytest.mark.parametrize(("document", "code"), [(403, 11200), ("<Play>x</Play>", 12200), ("<", 12100)])
async def test_a_voice_url_without_an_answer(
    app: Any, carrier: Carrier, plan: CallPlan, document: str | int, code: int
) -> None:
    app.documents["/voice"] = document
    result = await carrier.call(plan, stay(60))
    assert (result.ended_by, result.debugger.codes) == ("carrier", [code])


async def test_an_application_that_is_not_there(carrier: Carrier, unused_tcp_port: int) -> None:
    result = await carrier.call(CallPlan(voice_url=f"http://127.0.0.1:{unused_tcp_port}/voice"), stay(60))
    assert (result.ended_by, result.debugger.codes) == ("carrier", [11200])


async def test_documents_that_redirect_in_a_circle(app: Any, carrier: Carrier, plan: CallPlan) -> None:
    app.documents["/voice"] = "<Redirect>/voice</Redirect>"
    result = await carrier.call(plan, Caller(until_hangup))
    assert (result.ended_by, result.debugger.codes) == ("carrier", [12200])


async def test_what_is_against_the_protocol_is_counted_and_dropped(
    app: Any, carrier: Carrier, plan: CallPlan
) -> None:
    async def agent(socket: Any) -> None:
        await socket.next("start")
        await socket.send("{")
        await socket.send(b"\x00\x01")
        await socket.send({"event": "clear", "streamSid": "MZother"})
        await socket.until_stopped()

    app.agents = [agent]
    result = await carrier.call(plan, stay(100))
    assert [warning.code for warning in result.debugger.protocol_warnings] == [31951, 31950, 31951]
    assert result.recording.times_of("clear") == ()


async def test_status_callbacks_are_numbered_and_signed(app: Any, carrier: Carrier, plan: CallPlan) -> None:
    events: frozenset[StatusEvent] = frozenset({"initiated", "ringing", "answered", "completed"})
    outbound = replace(plan, direction="outbound-api", status_url=f"{app.url}/status", status_events=events)
    await carrier.call(outbound, stay(100))
    posts = sorted(app.asked_for("/status"), key=lambda request: int(request.form["SequenceNumber"]))
    assert [post.form["CallStatus"] for post in posts] == ["initiated", "ringing", "in-progress", "completed"]
    assert [post.form["SequenceNumber"] for post in posts] == ["0", "1", "2", "3"]
    assert posts[-1].form["CallDuration"] == "0"
    for post in posts:
        assert post.headers["x-twilio-signature"] == sign(TOKEN, f"{app.url}/status", post.form)
    assert app.asked_for("/voice")[0].form["CallStatus"] == "in-progress"


async def test_only_the_end_is_reported_unless_more_was_asked_for(
    app: Any, carrier: Carrier, plan: CallPlan
) -> None:
    await carrier.call(replace(plan, status_url=f"{app.url}/status"), stay(60))
    (post,) = app.asked_for("/status")
    assert (post.form["CallStatus"], post.form["SequenceNumber"]) == ("completed", "3")


async def test_the_stream_reports_itself(app: Any, carrier: Carrier, plan: CallPlan) -> None:
    app.documents["/voice"] = app.documents["/voice"].replace(
        "<Stream", '<Stream statusCallback="/stream-status"'
    )
    result = await carrier.call(plan, stay(100))
    posts = app.asked_for("/stream-status")
    assert sorted(post.form["StreamEvent"] for post in posts) == ["stream-started", "stream-stopped"]
    assert {post.form["StreamSid"] for post in posts} == set(result.stream_sids)


async def test_a_public_url_leads_to_a_backend_that_is_up(
    app: Any, carrier: Carrier, plan: CallPlan, unused_tcp_port: int
) -> None:
    down = f"http://127.0.0.1:{unused_tcp_port}"
    route = Route("https://voice.example", (down, app.url))
    result = await carrier.call(replace(plan, voice_url="https://voice.example/voice", route=route), stay(60))
    assert result.ended_by == "caller"
    (voice,) = app.asked_for("/voice")
    assert voice.headers["x-forwarded-proto"] == "https"
    assert voice.headers["x-forwarded-host"] == "voice.example"
    assert voice.headers["x-twilio-signature"] == sign(TOKEN, "https://voice.example/voice", voice.form)


async def test_a_script_that_fails_ends_the_call_and_says_why(
    app: Any, carrier: Carrier, plan: CallPlan
) -> None:
    async def script(caller: Caller) -> None:
        await caller.listen(timeout_s=0.1)

    call = carrier.prepare(plan)
    with pytest.raises(ScriptFailed, match="waits for the agent to speak after"):
        await call.run(Caller(script))
    assert call.result.ended_by == "caller"
    assert app.sockets[0].received[-1]["event"] == "stop"


async def test_a_call_that_ends_under_the_script(app: Any, carrier: Carrier, plan: CallPlan) -> None:
    async def agent(socket: Any) -> None:
        await socket.next("media")

    async def script(caller: Caller) -> None:
        await caller.listen()

    app.agents = [agent]
    with pytest.raises(ScriptFailed, match="the call ended while"):
        await carrier.call(plan, Caller(script))


async def test_the_agent_may_hang_up_right_after_its_last_words(
    app: Any, carrier: Carrier, plan: CallPlan, make_tone: Tone
) -> None:
    async def agent(socket: Any) -> None:
        await socket.next("start")
        await socket.media(make_tone(300))
        await socket.mark("goodbye")
        await socket.next("mark")

    async def script(caller: Caller) -> None:
        await caller.listen(may_hang_up=True)
        await caller.expect_hangup()

    app.agents = [agent]
    result = await carrier.call(plan, Caller(script))
    assert result.ended_by == "application"


async def test_the_time_limit(app: Any, carrier: Carrier, plan: CallPlan) -> None:
    result = await carrier.call(replace(plan, time_limit_s=0.2), Caller(until_hangup))
    assert result.ended_by == "carrier"
    assert json.dumps(app.sockets[0].received[-1]["stop"])


async def test_two_calls_at_once_do_not_mix(app: Any, carrier: Carrier, plan: CallPlan) -> None:
    results = await asyncio.gather(*(carrier.call(plan, stay(200)) for _ in range(5)))
    assert len({result.call_sid for result in results}) == 5
    for socket in app.sockets:
        assert {message["streamSid"] for message in socket.received[1:]} == {socket.stream_sid}

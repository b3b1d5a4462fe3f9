"""Whatever comes in wrong gets a status and one line, is counted, and harms nobody else."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from websockets.frames import Frame, Opcode

from voxbus.common import events as ev
from voxbus.common import subjects
from voxbus.common.bus import Bus
from voxbus.common.context import CallContext, encode_context
from voxbus.common.errors import AgentError
from voxbus.gateway import stream as stream_module
from voxbus.gateway import tokens
from voxbus.gateway.tokens import Leg

from .conftest import Start
from .twilio import SECRET, Running, Twilio, Workers, counted, sign

pytestmark = pytest.mark.asyncio(loop_scope="session")

FRAME = bytes(range(160))


@pytest_asyncio.fixture(loop_scope="session")
async def bystander(gateway: Running, workers: Callable[[str], Workers]) -> AsyncIterator[Twilio]:
    """Another call on the same gateway: it must not notice anything."""
    call = gateway.call()
    await call.begin()
    await gateway.log(call.sid, ev.Started)
    yield call
    await workers(call.sid).say("Still here.", FRAME * 5)
    await call.wait_for("mark")
    assert call.heard() == FRAME * 5


# WebSocket messages


MEDIA = {"event": "media", "streamSid": "{stream}", "media": {"payload": "AAAA", "timestamp": "0"}}

BAD_MESSAGES: dict[str, tuple[Any, str]] = {
    "malformed JSON": ('{"event":', "malformed_json"),
    "no JSON at all": ("hello", "malformed_json"),
    "invalid UTF-8 escape": ('{"event":"\\ud8"}', "malformed_json"),
    "a list": ([1, 2], "malformed_json"),
    "deep nesting": ("[" * 20_000, "malformed_json"),
    "no event": ({"streamSid": "MZ0"}, "wrong_fields"),
    "event is a number": ({"event": 5}, "wrong_fields"),
    "no streamSid": ({"event": "media", "media": {"payload": "AAAA"}}, "wrong_fields"),
    "payload is a number": (MEDIA | {"media": {"payload": 7}}, "wrong_fields"),
    "media is null": (MEDIA | {"media": None}, "wrong_fields"),
    "no payload": (MEDIA | {"media": {}}, "wrong_fields"),
    "timestamp is no number": (MEDIA | {"media": {"payload": "AAAA", "timestamp": "now"}}, "wrong_fields"),
    "payload is not base64": (MEDIA | {"media": {"payload": "$$$$"}}, "bad_payload"),
    "an empty payload": (MEDIA | {"media": {"payload": ""}}, "bad_payload"),
    "a long payload": (MEDIA | {"media": {"payload": "A" * 40_000}}, "bad_payload"),
    "a foreign streamSid": (MEDIA | {"streamSid": "MZ" + "f" * 32}, "foreign_stream"),
    "a digit that is none": (
        {"event": "dtmf", "streamSid": "{stream}", "dtmf": {"digit": "12"}},
        "wrong_fields",
    ),
    "a mark without a name": ({"event": "mark", "streamSid": "{stream}", "mark": {}}, "wrong_fields"),
}


def warned(caplog: pytest.LogCaptureFixture, call: Twilio, code: str) -> bool:
    """One line says what was wrong with which call."""
    lines = [r.fields for r in caplog.records if r.levelno == logging.WARNING and hasattr(r, "fields")]
    return [f.get("code") for f in lines if f.get("call_sid") == call.sid] == [code]


@pytest.mark.parametrize("case", BAD_MESSAGES)
async def test_one_wrong_message_is_dropped_and_the_call_goes_on(
    case: str, gateway: Running, bystander: Twilio, workers: Callable[[str], Workers]
) -> None:
    message, code = BAD_MESSAGES[case]
    call = gateway.call()
    await call.begin()
    await gateway.log(call.sid, ev.Started)
    before = counted("gateway_bad_messages", code=code)
    text = message if isinstance(message, str) else json.dumps(message)
    await call.send(text.replace("{stream}", call.stream_sid))
    await call.press("1")  # behind it, so that it has been looked at
    await gateway.log(call.sid, ev.Dtmf)
    assert counted("gateway_bad_messages", code=code) == before + 1
    await workers(call.sid).say("Go on.", FRAME)


@pytest.mark.parametrize("case", ["malformed JSON", "no event", "a foreign streamSid"])
async def test_before_start_one_wrong_message_closes_the_socket(
    case: str, gateway: Running, bystander: Twilio
) -> None:
    message, code = BAD_MESSAGES[case]
    call = gateway.call()
    token = await call.token()
    await call.connect()
    await call.send(message if isinstance(message, str) else json.dumps(message))
    if case == "a foreign streamSid":  # known only once there is a stream
        await call.start(token=token)
        await gateway.log(call.sid, ev.Started)
        return
    close_code, line = await call.closed()
    assert close_code == (1007 if code == "malformed_json" else 1008)
    assert line


async def test_a_stream_of_nonsense_is_closed(gateway: Running, bystander: Twilio) -> None:
    call = gateway.call()
    await call.begin()
    await gateway.log(call.sid, ev.Started)
    for _ in range(30):
        await call.send("nonsense")
    assert await call.closed() == (1007, "the message is not JSON")
    await gateway.log(call.sid, ev.Disconnected)


async def test_a_binary_frame_closes_the_socket(gateway: Running, bystander: Twilio) -> None:
    before = counted("gateway_bad_messages", code="binary_frame")
    call = gateway.call()
    await call.begin()
    await gateway.log(call.sid, ev.Started)
    await call.send(b"\x00\x01")
    code, line = await call.closed()
    assert (code, line) == (1003, "a binary frame: Media Streams are text")
    assert counted("gateway_bad_messages", code="binary_frame") == before + 1


async def test_a_megabyte_closes_the_socket(
    gateway: Running, bystander: Twilio, caplog: pytest.LogCaptureFixture
) -> None:
    before = counted("gateway_bad_messages", code="too_long")
    call = gateway.call()
    await call.begin()
    await gateway.log(call.sid, ev.Started)
    await call.send(MEDIA | {"media": {"payload": "A" * 1_400_000}})
    code, _ = await call.closed()
    assert code == 1009
    assert (await gateway.log(call.sid, ev.Disconnected))[0].code in (1006, 1009)
    assert counted("gateway_bad_messages", code="too_long") == before + 1
    assert warned(caplog, call, "too_long")


async def test_what_is_no_frame_closes_the_socket(
    gateway: Running, bystander: Twilio, caplog: pytest.LogCaptureFixture
) -> None:
    before = counted("gateway_bad_messages", code="protocol")
    call = gateway.call()
    await call.begin()
    await gateway.log(call.sid, ev.Started)
    call.send_bytes(b"\xff\xff\xff\xff")
    code, _ = await call.closed()
    assert code == 1002
    await gateway.log(call.sid, ev.Disconnected)
    assert counted("gateway_bad_messages", code="protocol") == before + 1
    assert warned(caplog, call, "protocol")


async def test_start_twice_is_dropped(gateway: Running, bystander: Twilio) -> None:
    before = counted("gateway_bad_messages", code="out_of_order")
    call = gateway.call()
    await call.begin()
    await gateway.log(call.sid, ev.Started)
    await call.start()
    await call.press("1")
    await gateway.log(call.sid, ev.Dtmf)
    assert counted("gateway_bad_messages", code="out_of_order") == before + 1


async def test_media_after_stop_is_dropped(gateway: Running, bystander: Twilio) -> None:
    before = counted("gateway_bad_messages", code="out_of_order")
    call = gateway.call()
    await call.begin()
    await gateway.log(call.sid, ev.Started)
    # In one write, so that both are there before the socket is closed.
    stop = {"event": "stop", "streamSid": call.stream_sid}
    texts = (json.dumps(stop).encode(), json.dumps(call.media_message(FRAME)).encode())
    call.send_bytes(b"".join(Frame(Opcode.TEXT, text).serialize(mask=True) for text in texts))
    await gateway.log(call.sid, ev.Ended)
    await call.closed()
    assert counted("gateway_bad_messages", code="out_of_order") == before + 1
    assert [s for s in await gateway.bus.read_log(call.sid) if isinstance(s.event, ev.Disconnected)] == []


async def test_a_socket_without_start_is_closed(
    gateway: Running, bystander: Twilio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_module, "START_S", 0.2)
    before = counted("gateway_bad_messages", code="out_of_order")
    call = gateway.call()
    await call.connect()
    await call.send({"event": "connected"})
    assert await call.closed() == (1008, "no start within 0.2 s")
    assert counted("gateway_bad_messages", code="out_of_order") == before + 1


async def test_frames_without_start_are_bounded(gateway: Running, bystander: Twilio) -> None:
    before = counted("gateway_bad_messages", code="out_of_order")
    call = gateway.call()
    await call.connect()
    message = json.dumps(call.media_message(FRAME))
    for _ in range(400):
        await call.send(message)
    assert await call.closed() == (1008, "too much before start")
    assert counted("gateway_bad_messages", code="out_of_order") == before + 1


async def test_unknown_events_are_counted_and_ignored(gateway: Running, bystander: Twilio) -> None:
    before = counted("gateway_unknown_messages")
    call = gateway.call()
    await call.begin()
    await call.send({"event": "weather", "streamSid": call.stream_sid})
    await call.press("1")
    await gateway.log(call.sid, ev.Dtmf)
    assert counted("gateway_unknown_messages") == before + 1


# start


async def refused_start(gateway: Running, call: Twilio, **parameters: str) -> tuple[int, str]:
    await call.connect()
    await call.start(**parameters)
    closed = await call.closed()
    assert await gateway.bus.read_log(call.sid) == []
    return closed


async def test_a_start_without_token(gateway: Running, bystander: Twilio) -> None:
    assert await refused_start(gateway, gateway.call()) == (1008, "the stream has no token")


@pytest.mark.parametrize("token", ["x", "a.b*c>", "A" * 32])
async def test_a_token_that_is_none(token: str, gateway: Running, bystander: Twilio) -> None:
    code, line = await refused_start(gateway, gateway.call(), token=token)
    assert code == 1008
    assert "none of ours" in line


async def test_an_expired_token(gateway: Running, bystander: Twilio) -> None:
    call = gateway.call()
    token = await tokens.mint(gateway.bus.tokens, Leg(call.sid, time.time() - 1))
    assert await refused_start(gateway, call, token=token) == (1008, "the stream's token has expired")


async def test_another_calls_token(gateway: Running, bystander: Twilio) -> None:
    token = await gateway.call().token()
    _, line = await refused_start(gateway, gateway.call(), token=token)
    assert line == "the stream's token belongs to another call"


async def test_a_token_that_was_used(gateway: Running, bystander: Twilio) -> None:
    before = counted("gateway_bad_messages", code="bad_token")
    call = gateway.call()
    token = await call.token()
    await call.connect()
    await call.start(token=token)
    await gateway.log(call.sid, ev.Started)
    again = gateway.call(call.sid)
    await again.connect()
    await again.start(token=token)
    code, line = await again.closed()
    assert (code, line) == (1008, "the stream's token was used before, or is none of ours")
    assert counted("gateway_bad_messages", code="bad_token") == before + 1
    await call.press("1")  # the call itself is unharmed
    await gateway.log(call.sid, ev.Dtmf)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"callSid": "CA" + "f" * 32}, "another call"),
        ({"callSid": "CA.*.>"}, "CallSid"),
        ({"streamSid": "MZ.*"}, "streamSid"),
        ({"mediaFormat": {"encoding": "audio/l16", "sampleRate": 16000, "channels": 1}}, "audio/x-mulaw"),
    ],
)
async def test_a_start_that_cannot_be_ours(
    change: dict[str, Any], word: str, gateway: Running, bystander: Twilio
) -> None:
    call = gateway.call()
    token = await call.token()
    await call.connect()
    message = call.start_message(token=token)
    message["start"] |= change
    await call.send(message)
    code, line = await call.closed()
    assert code == 1008
    assert word in line


async def test_on_an_alias_the_call_comes_from_start_and_needs_no_token(gateway: Running) -> None:
    call = gateway.call()
    await call.connect("/media-stream")
    await call.start()
    await gateway.log(call.sid, ev.Started)


# Handshakes


async def test_a_handshake_without_signature(gateway: Running, bystander: Twilio) -> None:
    before = counted("gateway_bad_requests", code="no_signature")
    status, line = await gateway.refused_handshake(gateway.call(), signature="")
    assert (status, line) == (403, "there is no X-Twilio-Signature\n")
    assert counted("gateway_bad_requests", code="no_signature") == before + 1


async def test_a_handshake_with_a_wrong_signature(
    gateway: Running, bystander: Twilio, caplog: pytest.LogCaptureFixture
) -> None:
    call = gateway.call()
    status, _ = await gateway.refused_handshake(call, signature=sign("wss://elsewhere/"))
    assert status == 403
    (record,) = [r for r in caplog.records if "PUBLIC_URL" in r.getMessage()]
    assert record.fields["computed_url"] == f"ws://127.0.0.1:{gateway.port}/twilio/stream/{call.sid}"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "headers",
    [
        "",
        "Sec-WebSocket-Key: short\r\nSec-WebSocket-Version: 13\r\n",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 7\r\n",
    ],
)
async def test_an_upgrade_that_is_none(headers: str, gateway: Running, bystander: Twilio) -> None:
    before = counted("gateway_bad_requests", code="bad_handshake")
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    path = f"/twilio/stream/{gateway.call().sid}"
    upgrade = "Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    writer.write(f"GET {path} HTTP/1.1\r\n{upgrade}{headers}\r\n".encode())
    async with asyncio.timeout(30):
        answer = (await reader.read()).decode()
    writer.close()
    assert answer.startswith("HTTP/1.1 400 ")
    assert answer.partition("\r\n\r\n")[2].count("\n") == 1
    assert counted("gateway_bad_requests", code="bad_handshake") == before + 1


@pytest.mark.parametrize("slash", ["", "/"])
async def test_both_forms_of_the_signed_url_are_taken(slash: str, gateway: Running) -> None:
    call = gateway.call()
    url = f"ws://127.0.0.1:{gateway.port}/twilio/stream/{call.sid}{slash}"
    await call.connect(signature=sign(url))


@pytest.mark.parametrize("sid", ["CA123", "CA" + "0" * 31 + ".", "%2A", "CA" + "0" * 31 + "%3E", "", "../x"])
async def test_a_call_sid_that_is_none(sid: str, gateway: Running, bystander: Twilio) -> None:
    status, line = await gateway.refused_handshake(gateway.call(), path=f"/twilio/stream/{sid}")
    assert status == 400
    assert "not a CallSid" in line


async def test_a_socket_on_another_path(gateway: Running) -> None:
    status, _ = await gateway.refused_handshake(gateway.call(), path="/nothing")
    assert status == 404


@pytest.mark.parametrize("path", ["/twilio/stream/CA" + "0" * 32, "/media-stream", "/stream"])
async def test_a_page_request_on_a_socket(path: str, gateway: Running) -> None:
    response = await gateway.http.get(gateway.url + path)
    assert response.status_code == 426
    assert response.text.count("\n") == 1
    assert (response.headers["Upgrade"], response.headers["Connection"]) == ("websocket", "upgrade")
    # The connection goes on in HTTP, for whoever did not mean a socket.
    assert (await gateway.http.get(gateway.url + "/health")).text == "OK"


# Webhooks


async def test_a_form_without_call_sid(gateway: Running) -> None:
    response = await gateway.post("/twilio/voice", {"From": "+15550111"})
    assert (response.status_code, response.text) == (400, "the parameter CallSid is missing\n")


@pytest.mark.parametrize("sid", ["", "CA.*", "CA" + "g" * 32, "CA" + "0" * 31 + ">"])
@pytest.mark.parametrize("path", ["/twilio/voice", "/twilio/next", "/twilio/status", "/twilio/amd"])
async def test_a_form_with_a_call_sid_that_is_none(path: str, sid: str, gateway: Running) -> None:
    form = {"CallSid": sid, "CallStatus": "completed", "AnsweredBy": "human"}
    response = await gateway.post(path, form)
    assert response.status_code == 400
    assert "not a CallSid" in response.text
    assert sid == "" or sid not in response.text


async def test_a_webhook_with_a_wrong_or_missing_signature(
    gateway: Running, caplog: pytest.LogCaptureFixture
) -> None:
    before = counted("gateway_bad_requests", code="wrong_signature")
    form = {"CallSid": "CA" + "0" * 32, "From": "+15550111"}
    for signature, line in (
        ("", "no X-Twilio-Signature"),
        ("bm8=", "does not match"),
        ("é", "does not match"),
    ):
        response = await gateway.post("/twilio/voice?session=s", form, signature)
        assert response.status_code == 403
        assert line in response.text
    assert counted("gateway_bad_requests", code="wrong_signature") == before + 2
    assert "+15550111" not in caplog.text
    assert "is PUBLIC_URL what Twilio calls?" in caplog.text


async def test_a_get_signed_over_its_query_is_taken(gateway: Running) -> None:
    sid = gateway.call().sid
    url = f"{gateway.url}/twiml?CallSid={sid}&From=%2B15550111"
    response = await gateway.http.get(url, headers={"X-Twilio-Signature": sign(url)})
    assert response.status_code == 200
    assert f"/twilio/stream/{sid}" in response.text


async def test_a_refused_get_does_not_log_its_numbers(
    gateway: Running, caplog: pytest.LogCaptureFixture
) -> None:
    await gateway.http.get(
        f"{gateway.url}/twiml?From=%2B15550111", headers={"X-Twilio-Signature": sign("https://elsewhere/")}
    )
    assert "15550111" not in caplog.text


@pytest.mark.parametrize("body", [b"\xff\xfe", b"&".join(b"a=b" for _ in range(300)), b"a" * 70_000])
async def test_a_body_that_is_no_form(body: bytes, gateway: Running) -> None:
    response = await gateway.http.post(gateway.url + "/twilio/voice", content=body)
    assert response.status_code in (400, 413, 403)
    assert response.text.count("\n") == 1


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/twilio/status", {"CallStatus": "com pleted"}),
        ("/twilio/status", {}),
        ("/twilio/status", {"CallStatus": "completed", "SequenceNumber": "-1"}),
        ("/twilio/status", {"CallStatus": "completed", "CallDuration": "1e9"}),
        ("/twilio/amd", {"AnsweredBy": "x" * 40}),
        ("/twilio/next?tries=no", {}),
        ("/twilio/next?streams=99999999999", {}),
        ("/twilio/voice?session=a.b", {}),
    ],
)
async def test_a_parameter_that_makes_no_sense(path: str, form: dict[str, str], gateway: Running) -> None:
    response = await gateway.post(path, {"CallSid": "CA" + "0" * 32} | form)
    assert response.status_code == 400
    assert response.text.startswith("the parameter ")


async def test_an_unknown_agent(gateway: Running) -> None:
    before = counted("gateway_bad_requests", code="unknown_agent")
    response = await gateway.post("/twilio/voice?agent=nobody", {"CallSid": "CA" + "0" * 32})
    assert response.status_code == 422
    assert response.text == "no agent has this name; known: calling, needy, test_agent\n"
    assert counted("gateway_bad_requests", code="unknown_agent") == before + 1


async def test_an_agent_whose_variable_is_missing(gateway: Running) -> None:
    response = await gateway.post("/twilio/voice?agent=needy", {"CallSid": "CA" + "0" * 32})
    assert response.status_code == 422
    assert "{customer}" in response.text


async def test_an_unknown_agent_in_the_context_of_an_alias(
    gateway: Running, bus: Bus, bystander: Twilio
) -> None:
    call = gateway.call()
    await bus.contexts.put(subjects.context_of_call(call.sid), encode_context(CallContext(agent="nobody")))
    await call.connect("/stream")
    await call.start()
    code, line = await call.closed()
    assert code == 1008
    assert "no agent has this name" in line


async def test_a_broken_agent_file_breaks_its_agent_only(new_gateway: Start, agents_dir: Path) -> None:
    (agents_dir / "broken.yaml").write_text("name: broken\nlines: [")
    before = counted("gateway_bad_agents")
    async with new_gateway() as running:
        assert counted("gateway_bad_agents") == before + 1
        form = {"CallSid": "CA" + "0" * 32}
        response = await running.post("/twilio/voice?agent=broken", form)
        assert response.status_code == 422
        assert "broken.yaml" in response.text
        assert response.text.count("\n") == 1
        assert (await running.post("/twilio/voice", form)).status_code == 200


async def test_a_gateway_without_its_default_agent_does_not_start(
    new_gateway: Start, agents_dir: Path
) -> None:
    """Whoever listens is sent calls, which would all fail."""
    with pytest.raises(AgentError, match=r"PERSONA is 'nobody', and there are: .*needy"):
        async with new_gateway(persona="nobody"):
            pass
    (agents_dir / "broken.yaml").write_text("name: broken\nprompt: p\nlines: {greting: Hello.}\n")
    with pytest.raises(AgentError, match=r"the agent of PERSONA cannot be used: .*greting"):
        async with new_gateway(persona="broken"):
            pass


# Secrets that are missing


async def test_without_an_auth_token_the_twilio_routes_are_closed(new_gateway: Start) -> None:
    async with new_gateway(twilio_auth_token=None) as running:
        response = await running.post("/twilio/voice", {"CallSid": "CA" + "0" * 32})
        assert response.status_code == 503
        assert response.text.startswith("TWILIO_AUTH_TOKEN is not set")
        status, line = await running.refused_handshake(running.call())
        assert status == 503
        assert "TWILIO_AUTH_TOKEN" in line
        assert (await running.http.get(running.url + "/health")).status_code == 200


async def test_validation_can_be_switched_off_in_words(new_gateway: Start) -> None:
    async with new_gateway(twilio_auth_token=None, twilio_validate="off") as running:
        assert (await running.post("/twilio/voice", {"CallSid": "CA" + "0" * 32}, "")).status_code == 200


# The carrier's view of a stream


@pytest.mark.parametrize(
    ("reported", "code"),
    [
        ("31921", "31921"),
        ("31920 Stream - WebSocket - Handshake Error", "31920"),
        ("call +15550111", "other"),
        ("\u0663\u0661\u0669\u0662\u0661", "other"),  # digits of another script
        ("", "other"),
    ],
)
async def test_a_stream_error_is_counted_and_logged_by_its_code(
    reported: str, code: str, gateway: Running, caplog: pytest.LogCaptureFixture
) -> None:
    before = counted("gateway_stream_errors", code=code)
    call = gateway.call()
    form = {"CallSid": call.sid, "StreamEvent": "stream-error", "StreamError": reported}
    assert (await gateway.post("/twilio/stream-status", form)).status_code == 204
    assert counted("gateway_stream_errors", code=code) == before + 1
    assert warned(caplog, call, code)
    assert "15550111" not in caplog.text


async def test_a_stream_that_starts_or_stops_is_no_error(
    gateway: Running, caplog: pytest.LogCaptureFixture
) -> None:
    before = counted("gateway_stream_errors", code="other")
    for event in ("stream-started", "stream-stopped"):
        form = {"CallSid": gateway.call().sid, "StreamEvent": event}
        assert (await gateway.post("/twilio/stream-status", form)).status_code == 204
    assert counted("gateway_stream_errors", code="other") == before
    assert "stream error" not in caplog.text


# /internal/store-context


async def store(running: Running, body: object, secret: str = SECRET) -> tuple[int, str]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {secret}"}
    response = await running.http.post(
        running.url + "/internal/store-context", content=content, headers=headers
    )
    return response.status_code, response.text


@pytest.mark.parametrize("when", ["before the webhook", "after the webhook"])
async def test_a_stored_context_reaches_the_call(when: str, gateway: Running) -> None:
    call = gateway.call()
    body = {"call_sid": call.sid, "agent": "needy", "variables": {"customer": "Ada"}, "session": "s-1"}
    if when.startswith("before"):
        assert await store(gateway, body) == (204, "")
    token = await call.token()
    if when.startswith("after"):
        assert await store(gateway, body) == (204, "")
    await call.connect()
    await call.start(token=token)
    (started,) = await gateway.log(call.sid, ev.Started)
    assert (started.agent.name, started.agent.lines.greeting, started.session) == (
        "needy",
        "Hello Ada.",
        "s-1",
    )


async def test_a_session_binds_its_context_to_the_call(gateway: Running, bus: Bus) -> None:
    context = CallContext(session="s-2", agent="needy", direction="outbound", variables={"customer": "Bob"})
    await bus.contexts.put(subjects.context_of_session("s-2"), encode_context(context))
    call = gateway.call()
    token = await call.token("?session=s-2")
    assert await bus.contexts.get(subjects.context_of_call(call.sid)) is not None
    await call.connect()
    await call.start(token=token)
    (started,) = await gateway.log(call.sid, ev.Started)
    assert (started.direction, started.session, started.context) == ("outbound", "s-2", {"customer": "Bob"})


@pytest.mark.parametrize("secret", ["x", SECRET[:-1], SECRET + "x", "é"])
async def test_the_internal_route_needs_its_secret(secret: str, gateway: Running) -> None:
    headers = [(b"Authorization", f"Bearer {secret}".encode())]
    response = await gateway.http.post(gateway.url + "/internal/store-context", json={}, headers=headers)
    assert response.status_code == 401


async def test_without_a_secret_the_internal_route_is_closed(new_gateway: Start) -> None:
    async with new_gateway(internal_secret=None) as running:
        assert await store(running, {}) == (503, "INTERNAL_SECRET is not set\n")


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"{", "JSON"),
        ({}, "call_sid"),
        ({"call_sid": "CA.*"}, "call_sid"),
        ({"call_sid": "CA" + "0" * 32, "agent": "nobody"}, "no agent has this name"),
        ({"call_sid": "CA" + "0" * 32, "agent": "needy"}, "{customer}"),
        ({"call_sid": "CA" + "0" * 32, "variables": {"phone": 15550111}}, "variables.phone"),
        ({"call_sid": "CA" + "0" * 32, "color": "red"}, "color"),
    ],
)
async def test_a_context_that_makes_no_sense(body: object, word: str, gateway: Running) -> None:
    status, line = await store(gateway, body)
    assert status == 422
    assert word in line
    assert line.count("\n") == 1
    assert "15550111" not in line

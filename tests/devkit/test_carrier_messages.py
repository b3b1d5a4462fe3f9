from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxbus.devkit.carrier.core_messages import Clear, Mark, Media, ProtocolWarning, Writer, read

SID = "MZ" + "0" * 32


@pytest.fixture
def writer() -> Writer:
    return Writer(account_sid="AC1", call_sid="CA1", stream_sid=SID)


def test_what_the_application_may_say() -> None:
    assert read(f'{{"event":"media","streamSid":"{SID}","media":{{"payload":"/38A"}}}}', SID) == Media(
        b"\xff\x7f\x00"
    )
    assert read(f'{{"event":"mark","streamSid":"{SID}","mark":{{"name":"a"}}}}', SID) == Mark("a")
    assert read(f'{{"event":"clear","streamSid":"{SID}"}}', SID) == Clear()


@pytest.mark.parametrize(
    "message",
    [
        "{",
        "[]",
        "null",
        '"media"',
        "[" * 100_000,
        '{"streamSid":"SID"}',
        '{"event":"stop","streamSid":"SID"}',
        '{"event":["clear"],"streamSid":"SID"}',
        '{"event":"clear"}',
        '{"event":"clear","streamSid":"MZother"}',
        '{"event":"clear","streamSid":7}',
        '{"event":"clear","streamSid":"SID","why":"x"}',
        '{"event":"mark","streamSid":"SID"}',
        '{"event":"mark","streamSid":"SID","mark":"a"}',
        '{"event":"mark","streamSid":"SID","mark":{"name":1}}',
        '{"event":"mark","streamSid":"SID","mark":{"name":""}}',
        '{"event":"media","streamSid":"SID","media":{"payload":"not base64"}}',
        '{"event":"media","streamSid":"SID","media":{"payload":"ab"}}',
        '{"event":"media","streamSid":"SID","media":{"payload":"/38A","track":"outbound"}}',
        '{"event":"media","streamSid":"SID","media":{"payload":""}}',
        '{"event":"media","media":{"payload":"/38A"}}',
    ],
)
def test_all_else_is_a_warning(message: str) -> None:
    with pytest.raises(ProtocolWarning) as warning:
        read(message.replace('SID"', SID + '"'), SID)
    assert warning.value.code == 31951


def test_a_binary_frame_is_another() -> None:
    with pytest.raises(ProtocolWarning) as warning:
        read(b"{}", SID)
    assert warning.value.code == 31950


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with pytest.raises(ProtocolWarning):
        read(text, SID)


def test_the_carriers_messages_are_those_of_the_documentation(writer: Writer) -> None:
    assert json.loads(writer.connected()) == {"event": "connected", "protocol": "Call", "version": "1.0.0"}
    start = json.loads(writer.start({"token": "t"}))
    assert start == {
        "event": "start",
        "sequenceNumber": "1",
        "streamSid": SID,
        "start": {
            "accountSid": "AC1",
            "streamSid": SID,
            "callSid": "CA1",
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": {"token": "t"},
        },
    }
    assert json.loads(writer.media(b"\xff\x7f\x00", 0)) == {
        "event": "media",
        "sequenceNumber": "2",
        "streamSid": SID,
        "media": {"track": "inbound", "chunk": "1", "timestamp": "0", "payload": "/38A"},
    }
    assert json.loads(writer.dtmf("5")) == {
        "event": "dtmf",
        "sequenceNumber": "3",
        "streamSid": SID,
        "dtmf": {"track": "inbound_track", "digit": "5"},
    }
    assert json.loads(writer.media(b"\xff", 20))["media"]["chunk"] == "2"
    assert json.loads(writer.mark('a"b')) == {
        "event": "mark",
        "sequenceNumber": "5",
        "streamSid": SID,
        "mark": {"name": 'a"b'},
    }
    assert json.loads(writer.stop())["stop"] == {"accountSid": "AC1", "callSid": "CA1"}

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxbus.gateway.core_media import (
    MAX_PAYLOAD_BYTES,
    Connected,
    KeyPress,
    Mark,
    Media,
    Message,
    Start,
    Stop,
    Unknown,
    Writer,
    parse,
)
from voxbus.gateway.core_stream import MAX_EARLY, MAX_FAULTS, StreamOrder
from voxbus.gateway.errors import (
    BadPayload,
    BadStart,
    BinaryFrame,
    ForeignStream,
    MediaError,
    OutOfOrder,
    WrongFields,
)

SID = "CA" + "0" * 32


def message(event: str, **fields: Any) -> bytes:
    return json.dumps({"event": event, "streamSid": "MZ0", **fields}).encode()


def started(order: StreamOrder) -> StreamOrder:
    order.accept(parse(message("start", start={"callSid": SID, "streamSid": "MZ0"})))
    return order


def fault(data: bytes) -> str:
    """The code of what is wrong with it, or empty."""
    try:
        parse(data)
    except MediaError as error:
        return error.code
    return ""


# Reading


@pytest.mark.parametrize("timestamp", ["120", 120, "120.0"])
def test_numbers_come_as_text_or_as_numbers(timestamp: object) -> None:
    data = message("media", media={"payload": "AQID", "timestamp": timestamp, "chunk": "1"})
    read = parse(data)
    assert isinstance(read, Media)
    assert (read.media.payload, read.media.timestamp, read.stream_sid) == (b"\x01\x02\x03", 120, "MZ0")


def test_the_documented_messages_are_read() -> None:
    body = {
        "accountSid": "AC0",
        "streamSid": "MZ0",
        "callSid": SID,
        "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": {"token": "t"},
    }
    assert isinstance(parse(b'{"event":"connected","protocol":"Call","version":"1.0.0"}'), Connected)
    start = parse(message("start", sequenceNumber="1", start=body))
    assert isinstance(start, Start)
    assert (start.start.call_sid, start.start.custom_parameters) == (SID, {"token": "t"})
    key = parse(message("dtmf", dtmf={"track": "inbound_track", "digit": "#"}))
    assert isinstance(key, KeyPress)
    assert key.dtmf.digit == "#"
    mark = parse(message("mark", mark={"name": "u3"}))
    assert isinstance(mark, Mark)
    assert mark.mark.name == "u3"
    assert isinstance(parse(message("stop", stop={"callSid": SID})), Stop)
    assert isinstance(parse(message("weather", wind="west")), Unknown)


def test_the_greatest_payload_is_taken_and_one_byte_more_is_not() -> None:
    payload = base64.b64encode(bytes(MAX_PAYLOAD_BYTES)).decode()
    assert isinstance(parse(message("media", media={"payload": payload})), Media)
    payload = base64.b64encode(bytes(MAX_PAYLOAD_BYTES + 1)).decode()
    with pytest.raises(BadPayload, match="16000"):
        parse(message("media", media={"payload": payload}))


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_read_or_refused_by_name(data: bytes) -> None:
    assert fault(data) != MediaError.code


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(
    event=st.sampled_from(["connected", "start", "media", "dtmf", "mark", "stop"]),
    sid=JSON,
    body=JSON | st.dictionaries(st.sampled_from(["payload", "timestamp", "digit", "name", "callSid"]), JSON),
)
def test_fields_of_any_kind_are_read_or_refused_by_name(event: str, sid: Any, body: Any) -> None:
    data = json.dumps({"event": event, "streamSid": sid, event: body}).encode()
    assert fault(data) != MediaError.code


def test_an_error_never_repeats_what_was_sent() -> None:
    with pytest.raises(MediaError) as error:
        parse(message("media", media={"payload": "AAAA", "timestamp": "+15550100"}))
    assert "15550100" not in str(error.value)


# Writing


@given(st.binary(min_size=1, max_size=320), st.text(max_size=20))
def test_what_is_written_has_exactly_the_documented_fields(audio: bytes, name: str) -> None:
    writer = Writer("MZ0")
    assert json.loads(writer.media(audio)) == {
        "event": "media",
        "streamSid": "MZ0",
        "media": {"payload": base64.b64encode(audio).decode()},
    }
    assert json.loads(writer.mark(name)) == {"event": "mark", "streamSid": "MZ0", "mark": {"name": name}}
    assert json.loads(writer.clear) == {"event": "clear", "streamSid": "MZ0"}


# Order


def media(sid: str = "MZ0") -> Message:
    return parse(message("media", media={"payload": "AQID"}).replace(b"MZ0", sid.encode()))


def test_what_comes_before_start_is_kept() -> None:
    order = StreamOrder(SID)
    assert order.accept(media()) is None
    assert order.accept(media("MZ9")) is None
    started(order)
    early = order.take_early()
    assert order.accept(early[0]) == media()
    with pytest.raises(ForeignStream):
        order.accept(early[1])
    assert order.take_early() == []


def test_what_comes_before_start_is_bounded() -> None:
    order = StreamOrder(SID)
    for _ in range(MAX_EARLY):
        order.accept(media())
    with pytest.raises(OutOfOrder, match="too much"):
        order.accept(media())


def test_start_must_be_the_calls_own_and_the_only_one() -> None:
    with pytest.raises(BadStart, match="another call"):
        started(StreamOrder("CA" + "1" * 32))
    order = started(StreamOrder())
    with pytest.raises(OutOfOrder, match="twice"):
        started(order)


def test_nothing_comes_after_stop() -> None:
    order = started(StreamOrder())
    assert isinstance(order.accept(parse(message("stop"))), Stop)
    with pytest.raises(OutOfOrder, match="after stop"):
        order.accept(media())


def test_stop_before_start_is_out_of_order() -> None:
    with pytest.raises(OutOfOrder, match="before start"):
        StreamOrder().accept(parse(message("stop")))


def test_faults_close_before_start_and_when_there_are_too_many() -> None:
    assert StreamOrder().fault(WrongFields("x")) == (True, True)
    order = started(StreamOrder())
    assert order.fault(WrongFields("x")) == (False, True)
    assert order.fault(WrongFields("x")) == (False, False)
    assert order.fault(BinaryFrame("x"))[0]
    order = started(StreamOrder())
    assert [order.fault(WrongFields("x"))[0] for _ in range(MAX_FAULTS + 1)] == [False] * MAX_FAULTS + [True]

"""The bytes of every kind of event, and of the audio messages: what is written is read, and what is wrong is named."""

from __future__ import annotations

import re
import traceback
from dataclasses import MISSING, fields
from typing import Any

import msgpack
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from voxbus.common.agents import Agent
from voxbus.common.codec import (
    AudioIn,
    AudioOut,
    AudioWanted,
    decode,
    encode,
    pack,
    unpack_audio_in,
    unpack_audio_out,
    unpack_audio_wanted,
)
from voxbus.common.errors import CodecError, UnknownEvent
from voxbus.common.events import KINDS, Event, Started

from .any_event import events

#: What must never be in an error: it stands for what somebody said, and for a number.
SECRET = "Annabelle 5550100042"

every_kind = pytest.mark.parametrize("kind", KINDS)
#: Kinds are many, and few ways to be wrong are in any one of them.
some = settings(max_examples=20)
first = settings(max_examples=1, phases=[Phase.generate], database=None)


def example(kind: str) -> Event:
    """Every text in it is SECRET, but for those that must be something else."""
    secret = {name: st.just(SECRET) for name in _texts(kind)}
    return find(events(kind, **secret), lambda _: True, settings=first)  # type: ignore[no-any-return]


def _texts(kind: str) -> list[str]:
    return [field.name for field in fields(KINDS[kind]) if field.type == "str"]


def packed(fields: dict[str, Any]) -> bytes:
    data: bytes = msgpack.packb(fields)
    return data


@every_kind
def test_an_event_is_read_as_it_was_written(kind: str) -> None:
    @some
    @given(events(kind))
    def check(event: Event) -> None:
        data = encode(event)
        again = decode(kind, data)
        assert again == event
        assert type(again) is KINDS[kind]
        assert encode(again) == data

    check()


@every_kind
def test_fields_of_a_newer_build_are_passed_over(kind: str) -> None:
    event = example(kind)
    written = msgpack.unpackb(encode(event))
    assert "field_of_tomorrow" not in written
    assert decode(kind, packed(written | {"field_of_tomorrow": [1, {"a": None}]})) == event


def test_so_are_those_of_an_agent_that_travels(agent: Agent) -> None:
    event = Started(call="CA" + "0" * 32, stream_sid="MZ1", session="s", direction="inbound", agent=agent)
    written = msgpack.unpackb(encode(event))
    for part in (written["agent"], written["agent"]["voice"], written["agent"]["lines"]):
        part["field_of_tomorrow"] = 1
    assert decode("started", packed(written)) == event


@every_kind
def test_a_field_that_is_missing_is_named_or_has_its_default(kind: str) -> None:
    event = example(kind)
    written = msgpack.unpackb(encode(event))
    for field in fields(event):
        less = packed({name: value for name, value in written.items() if name != field.name})
        if field.default is MISSING and field.default_factory is MISSING:
            assert field.name in wrong_fields(kind, less)
        else:
            default = field.default if field.default_factory is MISSING else field.default_factory()
            assert getattr(decode(kind, less), field.name) == default


@every_kind
def test_a_field_of_another_type_is_named_and_its_value_is_not(kind: str) -> None:
    written = msgpack.unpackb(encode(example(kind)))
    for field in fields(KINDS[kind]):
        for wrong in ([SECRET], [[SECRET]], SECRET.encode() + b"\xff"):
            assert wrong_fields(kind, packed(written | {field.name: wrong})) == {field.name}


@every_kind
def test_text_where_none_belongs_is_named_and_not_repeated(kind: str) -> None:
    written = msgpack.unpackb(encode(example(kind)))
    for field in fields(KINDS[kind]):
        if field.type != "str":
            assert wrong_fields(kind, packed(written | {field.name: SECRET})) == {field.name}


def is_discreet(error: Exception) -> bool:
    """Neither it nor a traceback shows any of SECRET."""
    shown = repr(error) + "".join(traceback.format_exception(error))
    return not any(word in shown for word in SECRET.split())


def wrong_fields(kind: str, data: bytes) -> set[str]:
    """The fields that the error of ``data`` names."""
    return {path.partition(".")[0] for path in wrong_paths(kind, data)}


def wrong_paths(kind: str, data: bytes) -> list[str]:
    with pytest.raises(CodecError) as caught:
        decode(kind, data)
    assert not isinstance(caught.value, UnknownEvent)
    assert not caught.value.retry
    assert is_discreet(caught.value)
    head, _, wrong = str(caught.value).partition(": ")
    assert head == kind
    return [one.partition(":")[0] for one in wrong.split("; ")]


def test_what_is_wrong_inside_is_named_by_its_path(agent: Agent) -> None:
    event = Started(call="CA" + "0" * 32, stream_sid="MZ1", session="s", direction="inbound", agent=agent)
    written = msgpack.unpackb(encode(event))
    written["agent"]["voice"] = {"rate": SECRET, "pitch": int(SECRET.split()[1])}
    written["agent"]["lines"]["no_input"] = ["Hello?", [SECRET]]
    written["context"] = {"customer": [SECRET]}
    assert sorted(wrong_paths("started", packed(written))) == [
        "agent.lines.no_input.1",
        "agent.voice.pitch",
        "agent.voice.rate",
        "context.customer",
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "dtmf: not msgpack"),
        (b"\xc1", "dtmf: not msgpack"),
        (SECRET.encode(), "dtmf: not msgpack"),
        (b"\x81\xa1v", "dtmf: not msgpack"),
        (b"\x91" * 5000 + b"\x01", "dtmf: not msgpack"),
        (b"\x81\xa4\xff\xff\xff\xff\x01", "dtmf: not msgpack"),
        (b"\x81\x91\x01\x01", "dtmf: not msgpack"),
        (msgpack.packb([SECRET]), "dtmf: not a map"),
        (msgpack.packb(SECRET), "dtmf: not a map"),
        (msgpack.packb(None), "dtmf: not a map"),
    ],
)
def test_bytes_that_are_no_event(data: bytes, message: str) -> None:
    with pytest.raises(CodecError) as caught:
        decode("dtmf", data)
    assert type(caught.value) is CodecError
    assert str(caught.value) == message
    assert is_discreet(caught.value)


@pytest.mark.parametrize("kind", ["", "Started", "sentence ", "of_tomorrow"])
def test_a_kind_of_the_future_may_be_known_to_another(kind: str) -> None:
    with pytest.raises(UnknownEvent, match=re.escape(repr(kind))) as caught:
        decode(kind, b"anything")
    assert caught.value.retry


@every_kind
def test_so_may_another_version(kind: str) -> None:
    written = msgpack.unpackb(encode(example(kind)))
    assert written["v"] == KINDS[kind].version == 1
    others: list[object] = [2, 0, -1, None, "1", SECRET, [SECRET], {}]
    for version in others:
        with pytest.raises(UnknownEvent) as caught:
            decode(kind, packed(written | {"v": version}))
        assert caught.value.retry
        assert kind in str(caught.value)
        assert is_discreet(caught.value)
    with pytest.raises(UnknownEvent):
        decode(kind, packed({name: value for name, value in written.items() if name != "v"}))


# --- audio --------------------------------------------------------------------------------------------------------

_counts = st.integers(0, 2**53)
_audio = st.binary(max_size=200)
_frames = st.builds(AudioIn, _counts, _counts, _counts, _counts, _audio)
_pieces = st.builds(
    AudioOut, _counts, _counts, _counts, _counts, _counts, st.booleans(), st.floats(0, 1e9), _audio
)


@given(_frames, _pieces, st.builds(AudioWanted, _counts, _counts, _counts, _counts))
def test_audio_is_read_as_it_was_written(frame: AudioIn, piece: AudioOut, wanted: AudioWanted) -> None:
    assert unpack_audio_in(pack(frame)) == frame
    assert unpack_audio_out(pack(piece)) == piece
    assert unpack_audio_wanted(pack(wanted)) == wanted
    assert type(unpack_audio_in(pack(frame))) is AudioIn
    assert type(unpack_audio_out(pack(piece))) is AudioOut


def test_frames_of_the_call_are_small() -> None:
    """160 bytes of audio and no more than a tenth for what is around them: a message each 20 ms."""
    assert len(pack(AudioIn(45_000, 900_000, 31, 4, b"\xff" * 160))) <= 176


@pytest.mark.parametrize("data", [b"", b"\xc1", pack([1, 2, 3]), pack([1] * 9), pack({"a": 1}), pack(5)])
def test_a_message_that_is_no_audio_is_refused(data: bytes) -> None:
    """As those expect it who read them: nothing is checked twice, and nothing else is raised."""
    for read in (unpack_audio_in, unpack_audio_out, unpack_audio_wanted):
        with pytest.raises((ValueError, TypeError, msgpack.UnpackException)):
            read(data)

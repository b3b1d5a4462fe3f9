"""Subjects and keys: what is put together is taken apart again, and nothing that steers a subject gets into one."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxbus.common import events as ev
from voxbus.common import subjects
from voxbus.common.errors import InvalidCallSid
from voxbus.common.events import KINDS, Event

from .any_event import SIDS, events

#: What makes an event the one that it is: a second one with the same is the same event, published again. Of what
#: happens ONCE in a call, the call and the kind alone.
IDENTITY: dict[str, tuple[str, ...]] = {
    "resumed": ("stream_sid",),
    "attached": ("nonce",),
    "speech_started": ("holder", "media_ms"),
    "barge_in": ("holder", "media_ms"),
    "utterance": ("turn", "attempt"),
    "utterance_confirmed": ("turn", "attempt"),
    "utterance_withdrawn": ("turn", "attempt"),
    "sentence": ("turn", "attempt", "index"),
    "reply_ended": ("turn", "attempt"),
    "tool_called": ("turn", "attempt", "index"),
    "tool_returned": ("turn", "attempt", "index"),
    "heard": ("turn", "attempt", "sentence"),
    "paused": ("stream_sid", "media_ms"),
    "continued": ("stream_sid", "media_ms"),
    "interrupted": ("turn", "attempt"),
    "dtmf": ("stream_sid", "sequence"),
    "status": ("sequence",),
    "hangup_requested": ("turn", "attempt"),
    "transfer_requested": ("turn", "attempt"),
    "do_not_call_requested": ("turn", "attempt"),
    "recording_started": ("stream_sid",),
    "recording_ended": ("stream_sid",),
    "disconnected": ("stream_sid",),
}

ONCE = {"started", "ended", "report_delivered", "report_lost"}

#: The names that others give, as far as gateways and workers let them in.
_NAMES = st.text("aZ09_-", min_size=1, max_size=8)
_COUNTS = st.integers(0, 120)
_KNOWN: dict[str, st.SearchStrategy[Any]] = {
    "stream_sid": _NAMES,
    "nonce": _NAMES,
    "backchannel": st.just(False),
    "answered_by": st.just(""),
} | dict.fromkeys(("holder", "media_ms", "turn", "attempt", "index", "sentence", "sequence"), _COUNTS)

every_kind = pytest.mark.parametrize("kind", KINDS)
some = settings(max_examples=20)


def usual(kind: str) -> st.SearchStrategy[Any]:
    """As they occur: neither a backchannel nor a verdict on who answered, which have keys of their own."""
    names = {field.name for field in fields(KINDS[kind])}
    return events(kind, **{name: known for name, known in _KNOWN.items() if name in names})


@every_kind
def test_the_subject_of_an_event_says_which_one_it_is(kind: str) -> None:
    @some
    @given(usual(kind))
    def check(event: Event) -> None:
        subject = subjects.event(event.call, kind, event.key())
        assert subjects.parse_event(subject) == (event.call, kind, event.key())
        # Of the republished copy, too: the server makes it after REPUBLISH_TARGET.
        live = subject.replace("call.", "log.", 1).replace(".event.", ".", 1)
        assert subjects.parse_event(live) == (event.call, kind, event.key())

    check()


@every_kind
def test_the_key_is_one_that_a_subject_can_have(kind: str) -> None:
    @some
    @given(usual(kind))
    def check(event: Event) -> None:
        assert subjects.is_key(event.key())
        assert len(event.key()) < 200

    check()


@every_kind
def test_the_key_is_what_makes_an_event_the_one_it_is_and_nothing_else(kind: str) -> None:
    identity = IDENTITY.get(kind, ())

    @some
    @given(usual(kind), usual(kind))
    def check(one: Event, other: Event) -> None:
        same = all(getattr(one, name) == getattr(other, name) for name in identity)
        assert (one.key() == other.key()) == same
        for field in fields(one):
            value = getattr(other, field.name)
            differs = field.name in identity and value != getattr(one, field.name)
            assert (replace(one, **{field.name: value}).key() != one.key()) == differs

    check()


@every_kind
def test_the_numbers_in_a_key_do_not_run_together(kind: str) -> None:
    numbers = [name for name in IDENTITY.get(kind, ()) if _KNOWN[name] is _COUNTS]

    @settings(max_examples=1)
    @given(usual(kind))
    def check(event: Event) -> None:
        choices: list[dict[str, Any]] = [
            dict(zip(numbers, values, strict=True)) for values in product((1, 11), repeat=len(numbers))
        ]
        assert len({replace(event, **choice).key() for choice in choices}) == len(choices)

    check()


def test_what_identifies_an_event_is_told_of_every_kind() -> None:
    assert set(IDENTITY) | ONCE == set(KINDS)


@some
@given(usual("utterance"), _COUNTS, _COUNTS)
def test_a_backchannel_takes_no_key_of_an_utterance(
    utterance: ev.Utterance, end_ms: int, other_ms: int
) -> None:
    one, other = (replace(utterance, backchannel=True, end_media_ms=at_ms) for at_ms in (end_ms, other_ms))
    assert one.key() != utterance.key()
    assert (one.key() == other.key()) == (end_ms == other_ms)


@some
@given(usual("status"), _COUNTS, st.sampled_from(["human", "machine_start"]))
def test_a_call_has_one_verdict_on_who_answered(status: ev.Status, sequence: int, answered_by: str) -> None:
    verdict = replace(status, answered_by=answered_by)
    assert verdict.key() == replace(verdict, sequence=sequence).key() != status.key()


@given(st.text(st.sampled_from("calogevntudi.*>$ CA09"), max_size=40))
def test_what_is_no_subject_of_an_event_is_refused(subject: str) -> None:
    """Or it can be put together again from what was read in it."""
    try:
        sid, kind, key = subjects.parse_event(subject)
    except ValueError:
        return
    assert subject in (subjects.event(sid, kind, key), f"log.{sid}.{kind}.{key}")


@pytest.mark.parametrize(
    "subject",
    [
        "",
        "call",
        "call.X.event.started",
        "call.X.audio.in",
        "call.X.audio.in.0",
        "call.X.partial",
        "log.X.started",
        "archive.X",
        "$KV.tokens.a.b.c",
        "calls.X.event.started.0",
        "x.log.X.started.0",
    ],
)
def test_other_subjects_are_none_of_events(subject: str) -> None:
    with pytest.raises(ValueError, match="not the subject of an event"):
        subjects.parse_event(subject)


# --- what strangers name ------------------------------------------------------------------------------------------

#: What would make another subject of one, or none.
STEERING = [
    "",
    ".",
    "*",
    ">",
    "a.*",
    "a.>",
    "*.a",
    "a b",
    " a",
    "a ",
    "a\t",
    "a\r\n+OK",
    "a\n",
    "\0",
    "é",
    "a\u2028",
]


@pytest.mark.parametrize("text", STEERING)
def test_what_steers_a_subject_is_no_name(text: str) -> None:
    assert not subjects.is_session(text)
    assert not subjects.is_key(text)
    with pytest.raises(InvalidCallSid):
        subjects.check_sid(text)
    for prefix in ("CA", "CA" + "0" * 31, "CA" + "0" * 32):
        with pytest.raises(InvalidCallSid):
            subjects.check_sid(prefix + (text or "x"))


@pytest.mark.parametrize("session", ["a", "Z-9_a", "a" * 64])
def test_a_session(session: str) -> None:
    assert subjects.is_session(session)
    assert subjects.is_key(subjects.context_of_session(session))


@pytest.mark.parametrize("text", ["a" * 65, "a.b", "a/b", "a=b", "session:1", "$a"])
def test_what_is_a_session_is_short_and_plain(text: str) -> None:
    assert not subjects.is_session(text)


@pytest.mark.parametrize("key", ["a", "a.b", "a.b.c", "-/_=aZ09", "=", "a" * 256])
def test_a_key(key: str) -> None:
    assert subjects.is_key(key)
    assert subjects.key_of(subjects.value_of("tokens", key)) == key
    assert subjects.key_of(subjects.changes_of("agents").replace(">", key)) == key


@pytest.mark.parametrize("text", [".a", "a.", "a..b", "a:b", "$a", "a,b", "a" * 257])
def test_what_is_no_key(text: str) -> None:
    assert not subjects.is_key(text)


@given(st.text())
def test_a_key_or_a_session_has_no_character_that_a_subject_reads(text: str) -> None:
    for names in (text, f"a{text}", f"{text}a"):
        if subjects.is_session(names):
            assert not set(names) & set(" .*>\t\r\n\0")
        if subjects.is_key(names):
            assert not set(names) & set(" *>\t\r\n\0")
            assert all(names.split("."))


@given(SIDS)
def test_a_call_sid_is_itself(sid: str) -> None:
    assert subjects.check_sid(sid) == sid
    assert subjects.is_key(subjects.context_of_call(sid))
    assert subjects.is_key(subjects.phone_of_call(sid))
    assert subjects.archived_call(subjects.archive(sid)) == sid


@pytest.mark.parametrize(
    "sid",
    ["CA" + "0" * 31, "CA" + "0" * 33, "CA" + "g" * 32, "ca" + "0" * 32, "MZ" + "0" * 32, "CA" + "٠" * 32],
)
def test_what_is_no_call_sid(sid: str) -> None:
    for use in (subjects.check_sid, subjects.context_of_call, subjects.phone_of_call):
        with pytest.raises(InvalidCallSid) as caught:
            use(sid)
        assert sid not in str(caught.value)

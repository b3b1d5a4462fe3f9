"""The way of a sentence through the voices."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxbus.common.agents import Voice
from voxbus.tts.core_policy import Attempts, Say, SayClip

ASKED = Voice(provider="espeak", name="f3")
SPARE = Voice(provider="espeak", name="en")
OTHER = Voice(provider="cloud", name="anna")


def test_a_voice_that_cannot_say_it_is_followed_by_the_next_from_the_beginning() -> None:
    attempts = Attempts([ASKED, SPARE])
    assert attempts.first() == Say(ASKED)
    assert attempts.failed("no_audio", 0) == Say(SPARE)
    assert attempts.failed("no_audio", 320) == SayClip()


def test_a_crash_is_tried_once_more_from_where_it_stopped() -> None:
    attempts = Attempts([ASKED, SPARE])
    assert attempts.failed("crashed", 1280) == Say(ASKED, skip_bytes=1280)
    assert attempts.failed("crashed", 1280) == Say(SPARE)
    assert attempts.failed("stalled", 1280) == SayClip()


def test_a_provider_that_is_gone_is_not_asked_for_its_other_voices() -> None:
    attempts = Attempts([ASKED, SPARE, OTHER])
    assert attempts.failed("unavailable", 0) == Say(OTHER)


@pytest.mark.parametrize(
    "cause",
    [
        "rate_limited",
        "overloaded",
        "server_error",
        "auth",
        "quota",
        "first_audio_timeout",
        "paused",
        "connection",
    ],
)
def test_a_vendor_that_fails_is_followed_by_another_from_the_beginning(cause: str) -> None:
    attempts = Attempts([OTHER, Voice(provider="cloud", name="bert"), ASKED])
    assert attempts.failed(cause, 800) == Say(ASKED)


@pytest.mark.parametrize(
    ("cause", "again"), [("connection", True), ("cut_off", True), ("rate_limited", False)]
)
def test_where_nobody_else_is_a_connection_that_broke_is_made_once_more(cause: str, again: bool) -> None:
    attempts = Attempts([OTHER])
    assert attempts.failed(cause, 800) == (Say(OTHER) if again else SayClip())
    if again:
        assert attempts.failed(cause, 800) == SayClip()


def test_a_voice_that_is_named_twice_is_tried_once() -> None:
    attempts = Attempts([ASKED, ASKED, SPARE, ASKED])
    assert attempts.failed("no_audio", 0) == Say(SPARE)
    assert attempts.failed("no_audio", 0) == SayClip()


@given(
    st.lists(st.sampled_from([ASKED, SPARE, OTHER]), min_size=1),
    st.lists(
        st.sampled_from(["crashed", "stalled", "no_audio", "unavailable", "connection"]),
        min_size=5,
        max_size=5,
    ),
)
def test_it_always_ends_with_the_clip(voices: list[Voice], causes: list[str]) -> None:
    attempts = Attempts(voices)
    steps = [attempts.first()]
    for cause in causes:
        step = attempts.failed(cause, 160)
        if isinstance(step, SayClip):
            return
        steps.append(step)
    raise AssertionError(f"still trying after {steps}")

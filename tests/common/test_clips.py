"""Keys of clips."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from voxbus.common.agents import Voice
from voxbus.common.clips import clip_key

voices = st.builds(
    Voice, provider=st.text(), name=st.text(), rate=st.integers(80, 320), pitch=st.integers(0, 99)
)


@given(voices, st.text())
def test_any_voice_and_text_make_a_valid_bucket_key(voice: Voice, text: str) -> None:
    key = clip_key(voice, text)
    assert re.fullmatch(r"[-/_=.A-Za-z0-9]+", key)
    assert not key.startswith(".")
    assert not key.endswith(".")


def test_each_part_of_the_voice_and_the_text_count() -> None:
    voice = Voice(provider="espeak", name="en-us")
    keys = {
        clip_key(voice, "Hello."),
        clip_key(voice, "Hello!"),
        clip_key(voice.model_copy(update={"provider": ""}), "Hello."),
        clip_key(voice.model_copy(update={"name": "en-gb"}), "Hello."),
        clip_key(voice.model_copy(update={"rate": 170}), "Hello."),
        clip_key(voice.model_copy(update={"pitch": 40}), "Hello."),
    }
    assert len(keys) == 6


def test_parts_do_not_run_into_each_other() -> None:
    assert clip_key(Voice(provider="a", name="bc"), "d") != clip_key(Voice(provider="ab", name="c"), "d")


def test_a_line_broken_in_a_file_is_the_same_line() -> None:
    assert clip_key(Voice(), "Good morning,\n  this is Kira. ") == clip_key(
        Voice(), "Good morning, this is Kira."
    )


def test_the_key_is_the_same_on_every_machine() -> None:
    # A constant: gateways and workers of different builds must find each other's clips.
    assert (
        clip_key(Voice(provider="espeak", name="en-us"), "Hello.")
        == "line.ad1602ee22bc0188965f1bef757e469186d89b22"
    )

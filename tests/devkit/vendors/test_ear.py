"""The simulated recognizer: the words that were said, when they were, and no others."""

from __future__ import annotations

import numpy as np
import pytest

from voxbus.common.audio import HZ, Pcm, mulaw_decode, mulaw_encode
from voxbus.devkit.speech import speak
from voxbus.devkit.vendors.ear import Ear, Event, Phrasebook

PHRASES = [
    "i'd like to move it to monday at three",
    "i'd like to move it to tuesday at nine",
    "yes that works",
]


@pytest.fixture(scope="module")
def book() -> Phrasebook:
    made = Phrasebook()
    made.learn(speak(text) for text in PHRASES)
    return made


def line(*parts: Pcm, seed: int = 0) -> Pcm:
    """As a telephone passes it on: noise at -60 dBFS, mu-law."""
    audio = np.concatenate(parts).astype(np.float64)
    noisy = audio + np.random.default_rng(seed).normal(0, 33, len(audio))
    return mulaw_decode(mulaw_encode(noisy.astype(np.int16)))


def pause(ms: int) -> Pcm:
    return np.zeros(HZ * ms // 1000, np.int16)


def heard(ear: Ear, audio: Pcm, piece: int = 256) -> list[Event]:
    return [event for at in range(0, len(audio), piece) for event in ear.feed(audio[at : at + piece])]


@pytest.mark.parametrize("text", PHRASES)
def test_a_phrase_is_told_as_it_is_said(book: Phrasebook, text: str) -> None:
    speech = speak(text)
    events = heard(Ear(book), line(pause(400), speech.audio, pause(900)))
    assert [events[0].kind, events[-1].kind, events[-1].text] == ["start", "end", text]
    assert [event.kind for event in events].count("end") == 1
    first = next(event for event in events if event.kind == "words")
    assert text.startswith(first.text)
    assert len(first.text) < len(text)
    end_ms = 400 + speech.duration_ms
    assert end_ms + 200 < events[-1].at_ms < end_ms + 500


def test_half_a_phrase_is_half_of_the_words_and_its_turn_ends_late(book: Phrasebook) -> None:
    speech = speak(PHRASES[0])
    half = speech.audio[: len(speech.audio) // 2]
    events = heard(Ear(book), line(pause(400), half, pause(1500)))
    assert PHRASES[0].startswith(events[-1].text)
    assert 0 < len(events[-1].text) < len(PHRASES[0])
    assert events[-1].at_ms > 400 + speech.duration_ms / 2 + 700


def test_without_audio_no_turn_ends(book: Phrasebook) -> None:
    ear = Ear(book)
    events = heard(ear, line(pause(400), speak(PHRASES[2]).audio))
    assert "end" not in [event.kind for event in events]
    assert [event.kind for event in ear.force()][-1] == "end"


def test_a_voice_that_nobody_told_of_says_nothing_or_what_was_told(book: Phrasebook) -> None:
    stranger = line(pause(400), speak("good morning everybody", voice="en-us+f3").audio, pause(1500))
    assert heard(Ear(book), stranger) == []
    told = Phrasebook(book.phrases, told=["good day"])
    assert [event.text for event in heard(Ear(told), stranger)] == ["good day", "good day"]


def test_noise_is_no_speech(book: Phrasebook) -> None:
    assert heard(Ear(Phrasebook(told=["hello"])), line(pause(3000))) == []

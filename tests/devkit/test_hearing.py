"""What the caller's ear and the recording say, on virtual time."""

from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np

from voxbus.common.audio import Pcm
from voxbus.devkit.carrier.core_ear import Ear
from voxbus.devkit.carrier.core_spans import Span
from voxbus.devkit.carrier.recording import Recording
from voxbus.devkit.core_measure import audible, dead_air

Tone = Callable[..., Pcm]


def hear(ear: Ear, frames: str, make_tone: Tone) -> None:
    for frame in frames:
        ear.hear(make_tone(20) if frame == "#" else np.zeros(160, dtype=np.int16))


def test_silence_is_no_speech(make_tone: Tone) -> None:
    ear = Ear()
    hear(ear, "....", make_tone)
    assert (ear.speaking, ear.first_frame, ear.speech_ms, ear.silence_ms) == (False, -1, 0, 80)


def test_speech_begins_with_its_first_frame(make_tone: Tone) -> None:
    ear = Ear()
    hear(ear, "...###", make_tone)
    assert (ear.speaking, ear.first_frame, ear.last_frame, ear.speech_ms, ear.silence_ms) == (
        True,
        3,
        5,
        60,
        0,
    )


def test_a_short_pause_belongs_to_the_speech_and_a_long_one_ends_it(make_tone: Tone) -> None:
    ear = Ear(join_ms=60)
    hear(ear, "##...##", make_tone)
    assert (ear.first_frame, ear.speech_ms) == (0, 140)
    hear(ear, "....", make_tone)
    assert (ear.speaking, ear.speech_ms, ear.silence_ms) == (False, 0, 80)
    hear(ear, "#", make_tone)
    assert (ear.first_frame, ear.speech_ms) == (11, 20)


def test_what_is_too_quiet_is_not_heard(make_tone: Tone) -> None:
    ear = Ear()
    ear.hear(make_tone(20, -50.0))
    assert not ear.speaking


def test_dead_air_is_where_both_are_silent(make_tone: Tone) -> None:
    def lane(shape: str) -> Pcm:
        return np.concatenate([make_tone(20) if s == "#" else np.zeros(160, dtype=np.int16) for s in shape])

    caller = lane("##............")
    agent = lane(".....###...#..")
    assert list(audible(agent))[4:9] == [False, True, True, True, False]
    assert dead_air(caller, agent, 50) == (Span(40, 100), Span(160, 220))
    assert dead_air(caller, agent, 60) == ()


def test_the_recording_knows_what_was_played_without_a_gap(make_tone: Tone, tmp_path: Path) -> None:
    recording = Recording()
    recording.begin()
    quiet = np.zeros(160, dtype=np.int16)
    for queued in "..###.##....#":
        recording.add(quiet, make_tone(20), agent_queued=queued == "#")
    assert recording.played() == (Span(40, 100), Span(120, 160), Span(240, 260))
    assert recording.gaps(shorter_than_ms=60) == (Span(100, 120),)
    recording.write(tmp_path / "a.wav")
    with wave.open(str(tmp_path / "a.wav"), "rb") as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (2, 8000, 13 * 160)
        both = np.frombuffer(file.readframes(13 * 160), dtype="<i2").reshape(-1, 2)
    assert not both[:, 0].any()
    assert np.array_equal(both[:, 1], recording.agent)


def test_what_happened_before_the_first_frame_happened_at_its_start() -> None:
    recording = Recording()
    recording.note("stream_started", "MZ1")
    recording.begin()
    assert recording.times_of("stream_started") == (0.0,)
    assert 0.0 <= recording.note("clear").at_ms < 1000

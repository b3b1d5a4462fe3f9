"""Turns of real human speech: the detector and the turn taker together, on the recordings' own clock.

Where speech is, is measured without them: by the energy of 20 ms frames. None of the recordings pauses for the length
of SILENCE_DURATION_MS once it has begun, so that each is one turn, whatever shorter pauses are in it.
"""

from __future__ import annotations

import os
import wave
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from voxbus.common import events as ev
from voxbus.common.audio import Resampler, mulaw_encode
from voxbus.stt.core_rules import Rules
from voxbus.stt.vad import WINDOW, VoiceActivity

from .line import Line

AUDIO = Path(os.environ.get("VOXBUS_TEST_AUDIO", Path(__file__).parents[2] / ".." / "shared" / "audio"))
NAMES = ["numbers.wav", "austen-0870.wav", "austen-0880.wav", "austen-0890.wav"]

RATE_HZ = 8000
_FRAME_MS = 20
#: Below the loudest frames: what is louder than the one is voice for certain, what is softer than the other is none.
_VOICE_DB, _BREATH_DB = 18.0, 25.0
#: The end of speech lies between the ends of these two; the detector finds it to some of its windows.
END_MS = 4 * 32
#: Where a voice begins softly the detector begins later; recognition begins this much earlier than it.
START_MS = 300

Pcm = NDArray[np.float64]


def load(name: str) -> Pcm:
    path = AUDIO / name
    if not path.exists():
        pytest.skip(f"no real speech at {AUDIO}: set VOXBUS_TEST_AUDIO")
    with wave.open(str(path), "rb") as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int16)
        resampler = Resampler(file.getframerate(), RATE_HZ)
    resampled: Pcm = np.concatenate([resampler.feed(samples), resampler.flush()]).astype(np.float64)
    return resampled


def voiced(audio: Pcm, below_db: float = _VOICE_DB) -> NDArray[np.int64]:
    """The starts (ms) of the frames that are no more than so far below the loudest."""
    size = RATE_HZ * _FRAME_MS // 1000
    frames = audio[: len(audio) // size * size].reshape(-1, size)
    level_db = 10 * np.log10(np.mean(frames**2, axis=1) + 1)
    return np.flatnonzero(level_db > np.percentile(level_db, 95) - below_db) * _FRAME_MS


def quiet(ms: int) -> Pcm:
    return np.zeros(ms * RATE_HZ // 1000)


def noisy(audio: Pcm, like: Pcm, snr_db: float) -> Pcm:
    level = np.sqrt(np.mean(like**2)) * 10 ** (-snr_db / 20)
    noise: Pcm = np.random.default_rng(3).normal(size=len(audio)) * level
    return audio + noise


def hear(vad: VoiceActivity, audio: Pcm, **rules: object) -> list[ev.Utterance]:
    """The utterances of a caller of whom a telephone brings this."""
    line = Line(**rules)  # type: ignore[arg-type]
    line.words = ["said"] * 20
    data = mulaw_encode(np.clip(audio, -32000, 32000).astype(np.int16))
    row = vad.open()
    for at in range(0, len(data) - WINDOW + 1, WINDOW):
        line.hear(*vad.step([row], [data[at : at + WINDOW]]))
    vad.close(row)
    return line.utterances


@pytest.fixture(scope="module")
def vad() -> VoiceActivity:
    return VoiceActivity(1)


@pytest.mark.parametrize("snr_db", [None, 15.0], ids=["clean", "noise"])
@pytest.mark.parametrize("lead_ms", [640, 650])  # where the detector's windows lie in it
@pytest.mark.parametrize("name", NAMES)
def test_a_recording_is_one_turn_and_ends_after_the_silence(
    vad: VoiceActivity, name: str, lead_ms: int, snr_db: float | None
) -> None:
    said = load(name)
    frames = voiced(said) + lead_ms
    first_ms, last_ms = int(frames[0]), int(frames[-1]) + _FRAME_MS
    breath_ms = int(voiced(said, _BREATH_DB)[-1]) + lead_ms + _FRAME_MS
    silence_ms = Rules().silence_duration_ms
    assert np.diff(frames).max() - _FRAME_MS < silence_ms, "the recording has a pause that ends a turn"
    audio = np.concatenate([quiet(lead_ms), said, quiet(1600)])
    (turn,) = hear(vad, audio if snr_db is None else noisy(audio, said, snr_db))
    assert turn.ended_by == "silence"
    assert last_ms - END_MS <= turn.end_media_ms <= breath_ms + END_MS
    assert turn.start_media_ms - START_MS <= first_ms
    assert silence_ms <= turn.endpoint_ms < silence_ms + 32, "to a window"


@pytest.mark.parametrize(("pause_ms", "turns"), [(200, 1), (900, 4)])
def test_a_pause_between_sentences_ends_a_turn_when_it_is_long(
    vad: VoiceActivity, pause_ms: int, turns: int
) -> None:
    """All four, one after another. The agent does not answer, so each turn takes up what was said before."""
    said = [load(name) for name in NAMES]
    spoken = [one[voiced(one)[0] * 8 : (voiced(one)[-1] + _FRAME_MS) * 8] for one in said]
    audio, ends = quiet(640), []
    for piece in spoken:
        audio = np.concatenate([audio, piece])
        ends.append(len(audio) * 1000 // RATE_HZ)
        audio = np.concatenate([audio, quiet(pause_ms)])
    found = [turn.end_media_ms for turn in hear(vad, np.concatenate([audio, quiet(1600)]))]
    assert len(found) == turns
    for end_ms, last_ms in zip(found, ends[-turns:], strict=True):
        assert abs(end_ms - last_ms) <= END_MS

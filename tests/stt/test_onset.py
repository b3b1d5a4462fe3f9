"""How soon strong windows tell that the caller speaks, wherever on the grid of windows they begin."""

from __future__ import annotations

import numpy as np
import pytest

from voxbus.common.audio import mulaw_encode
from voxbus.stt.core_rules import Rules
from voxbus.stt.core_speech import WINDOW_MS, Onset, StrongRun, Window
from voxbus.stt.vad import WINDOW, VoiceActivity

RULES = Rules()


@pytest.mark.parametrize(
    ("probabilities", "within"),
    [
        ([0.0, 0.5, 0.9], [False, True, False]),
        ([0.1, 0.34, 0.35], [False, False, True]),
        ([0.1, 0.9, 0.5], [False, False, False]),  # it falls
        ([0.0, 0.5, 0.5, 0.5], [False, True, False, False]),
        ([0.0, 0.5, 0.1, 0.84], [False, True, False, True]),
    ],
)
def test_only_a_rise_into_the_middle_is_an_onset(probabilities: list[float], within: list[bool]) -> None:
    onset = Onset(floor=0.35, threshold=0.85)
    assert [onset.within(p) for p in probabilities] == within


def reaction_ms(vad: VoiceActivity, speech: np.ndarray, quiet_ms: int, *, going_back: bool) -> int:
    """From the first sound to the end of the window that completes the run."""
    noise = np.random.default_rng(1).normal(0, 32.768, 8 * quiet_ms + len(speech))
    noise[8 * quiet_ms :] += speech
    audio = mulaw_encode(noise.astype(np.int16))
    onset = Onset(RULES.speech_end_prob, RULES.barge_in_prob_threshold)
    run = StrongRun(RULES.barge_in_prob_threshold, RULES.barge_in_consecutive_frames)
    row, at = vad.open(), 0
    try:
        while True:
            probability = vad.step([row], [audio[at : at + WINDOW]])[0]
            at += WINDOW
            if run.take(Window(probability, at // 8 - WINDOW_MS, at // 8)):
                return at // 8 - quiet_ms
            if onset.within(probability) and going_back:
                at -= WINDOW // 2
    finally:
        vad.close(row)


def test_no_place_on_the_grid_is_a_bad_one_to_begin() -> None:
    speech = pytest.importorskip("voxbus.devkit.speech", reason="the devkit speaks for the caller")
    vad = VoiceActivity(1)
    audio = speech.speak("i'd like to move it", voice="en-us+f4").audio[:8000]
    gone_back, stayed = (
        [reaction_ms(vad, audio, 1024 + offset, going_back=back) for offset in range(0, WINDOW_MS, 2)]
        for back in (True, False)
    )
    # Three windows are 96 ms; a grid of 32 ms adds 0 to 31, one of 16 ms half of that.
    assert max(stayed) > 96 + WINDOW_MS // 2
    assert max(gone_back) <= 96 + WINDOW_MS // 2
    assert np.mean(gone_back) < np.mean(stayed) - 4

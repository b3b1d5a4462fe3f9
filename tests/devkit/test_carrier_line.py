from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxbus.common.audio import HZ, Pcm, rms_dbfs
from voxbus.devkit.carrier.core_line import Line, LineQuality

FRAME = 160


def carried(quality: LineQuality, caller: Pcm, agent: Pcm) -> Pcm:
    line = Line(quality)
    starts = range(0, len(caller), FRAME)
    return np.concatenate([line.mix(caller[at : at + FRAME], agent[at : at + FRAME]) for at in starts])


def sound(seconds: float, seed: int = 1) -> Pcm:
    return np.random.default_rng(seed).integers(-8000, 8000, int(seconds * HZ)).astype(np.int16)


def test_a_clean_line_changes_nothing() -> None:
    caller = sound(0.5)
    assert np.array_equal(carried(LineQuality(), caller, sound(0.5, 2)), caller)


@given(st.integers(0, 300), st.floats(-40, -1))
def test_the_agent_comes_back_late_and_weaker(delay_ms: int, echo_db: float) -> None:
    agent = sound(1.0)
    silence = np.zeros_like(agent)
    echo = carried(LineQuality(echo_db=echo_db, echo_delay_ms=delay_ms), silence, agent)
    delay = delay_ms * HZ // 1000
    assert not echo[:delay].any()
    weaker = agent[: len(agent) - delay] * 10 ** (echo_db / 20)
    assert np.max(np.abs(echo[delay:] - weaker)) <= 0.51


def test_the_caller_is_heard_over_the_echo() -> None:
    caller, agent = sound(0.5, 1), sound(0.5, 2)
    alone = carried(LineQuality(echo_db=-20), np.zeros_like(caller), agent)
    both = carried(LineQuality(echo_db=-20), caller, agent)
    assert np.max(np.abs(both.astype(np.int32) - caller - alone)) <= 1


def test_noise_has_its_level_and_is_repeatable() -> None:
    silence = np.zeros(2 * HZ, dtype=np.int16)
    noise = carried(LineQuality(noise_dbfs=-40, seed=3), silence, silence)
    assert rms_dbfs(noise) == pytest.approx(-40, abs=0.3)
    assert np.array_equal(noise, carried(LineQuality(noise_dbfs=-40, seed=3), silence, silence))
    assert not np.array_equal(noise, carried(LineQuality(noise_dbfs=-40, seed=4), silence, silence))


def test_loud_on_loud_is_clipped_and_does_not_wrap_round() -> None:
    loud = np.full(800, 32000, dtype=np.int16)
    assert carried(LineQuality(echo_db=-3, echo_delay_ms=0), loud, loud).min() == 32767


@pytest.mark.parametrize("wrong", [{"echo_db": 0}, {"echo_db": 6.0}, {"echo_delay_ms": -1}])
def test_a_line_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        LineQuality(**wrong)

"""A short run of the fuzzer: the same examples each time. `make fuzz` looks for new ones."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from voxbus.devkit.fuzz import live, readers
from voxbus.devkit.fuzz.target import Target, spend

AGENTS = Path(__file__).parents[2] / "agents"

pytestmark = pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")


@pytest.mark.parametrize("target", readers.targets(AGENTS), ids=lambda target: target.name)
def test_nothing_that_is_read_does_more_than_refuse(target: Target) -> None:
    assert spend(target, 0.4, first_seed=1) > 0


def test_a_gateway_bears_strangers_and_its_call_does_not_notice() -> None:
    with live.gateway() as victim:
        targets = victim.targets()
        assert [target.name for target in targets] == list(live.NAMES)
        for target in targets:
            assert spend(target, 0.8, first_seed=1) > 0, target.name
        verdict = victim.verdict()
    assert verdict.sound, verdict.text


def test_a_crash_is_found_and_made_small() -> None:
    def check(value: Any) -> None:
        assert value < 1000

    with pytest.raises(AssertionError) as found:
        spend(Target("numbers", st.integers(), check), 30, first_seed=1)
    assert any("value=1000" in note for note in found.value.__notes__)


def test_what_fails_last_is_told_as_it_failed() -> None:
    def check(value: Any) -> None:
        time.sleep(0.3)
        raise ValueError("always")

    with pytest.raises(ValueError, match="always"):
        spend(Target("late", st.integers(), check), 0.2, first_seed=1)


def test_a_gateway_that_dies_is_noticed() -> None:
    with live.gateway() as victim:
        victim._child.signal(9)
        (target, *_) = victim.targets()
        with pytest.raises((AssertionError, OSError)):
            spend(target, 10, first_seed=1)
        assert not victim.verdict().sound

"""What follows a failure, and how long each provider may take."""

from __future__ import annotations

import pytest

from voxbus.llm.core_policy import Step, after, first_token_s


@pytest.mark.parametrize(
    ("said", "taken_over", "left", "step"),
    [
        (0, False, ["b"], "next"),
        (0, False, [], "fallback"),
        (2, False, ["b"], "cut_off"),
        (2, False, [], "cut_off"),
        (2, True, ["b"], "takeover"),
        (2, True, [], "takeover"),
    ],
)
def test_the_table(said: int, taken_over: bool, left: list[str], step: Step) -> None:
    assert after(said=said, taken_over=taken_over, left=left) == step


@pytest.mark.parametrize(
    ("spent_s", "slow_left", "wanted_s"),
    [
        (0.0, 1, 3.0),
        (0.0, 2, 1.5),  # one that stalls leaves the next as much
        (1.5, 1, 1.5),
        (0.1, 1, 2.9),  # one that was refused at once costs nothing
        (0.0, 3, 1.0),
        (3.2, 1, 0.1),
        (3.0, 0, 0.1),  # the scripted dialogue, which is instant
    ],
)
def test_all_of_them_together_stay_within_the_deadline(
    spent_s: float, slow_left: int, wanted_s: float
) -> None:
    assert first_token_s(3.0, spent_s, slow_left) == pytest.approx(wanted_s)

"""What follows a failure."""

from __future__ import annotations

import pytest

from voxbus.common.errors import ProviderError
from voxbus.llm.core_policy import Rest, Step, after


@pytest.mark.parametrize(
    ("said", "taken_over", "left", "step"),
    [
        (0, False, ["b"], "next"),
        (0, False, [], "fallback"),
        (2, False, ["b"], "next"),
        (2, False, [], "fallback"),
        (2, True, ["b"], "end"),
        (2, True, [], "end"),
    ],
)
def test_the_table(said: int, taken_over: bool, left: list[str], step: Step) -> None:
    assert after(said=said, taken_over=taken_over, left=left) == step


def test_a_provider_that_failed_rests_behind_the_others() -> None:
    rest = Rest().after("a", ProviderError("quota"), 100.0)
    assert rest.order(["a", "b", "c"], 159.0) == ("b", "c", "a")
    assert rest.order(["a", "b", "c"], 161.0) == ("a", "b", "c")
    assert rest.order(["a"], 101.0) == ("a",)


def test_load_passes_sooner_and_a_reply_of_its_own_says_nothing_about_the_next() -> None:
    assert Rest().after("a", ProviderError("overloaded"), 100.0).order(["a", "b"], 103.0) == ("a", "b")
    assert Rest().after("a", ProviderError("content_filter"), 100.0).order(["a", "b"], 100.0) == ("a", "b")

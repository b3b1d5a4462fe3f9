from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from voxbus.gateway.core_playout.words import expected_ms, heard_words, word_start_ms

TEXT = "Your appointment is on Monday, at three."


def test_words_are_heard_by_their_share_of_the_duration() -> None:
    assert heard_words(TEXT, 0, 4000) == ""
    assert heard_words(TEXT, 2000, 4000) == "Your appointment is"
    assert heard_words(TEXT, 4000, 4000) == TEXT


def test_a_word_that_was_cut_in_its_last_moment_is_heard() -> None:
    assert heard_words("one two", 480, 1000) == "one"


def test_going_on_begins_with_the_word_that_was_cut() -> None:
    assert word_start_ms("one two", 700, 1000) == 500
    assert word_start_ms("one two", 300, 1000) == 0


def test_a_sentence_without_words_has_none() -> None:
    assert heard_words("", 100, 1000) == ""
    assert word_start_ms("  ", 100, 1000) == 0


def test_expectation_follows_the_rate_of_the_voice() -> None:
    assert 2000 < expected_ms(TEXT, 165) < 3500
    assert expected_ms(TEXT, 330) == expected_ms(TEXT, 165) / 2


@given(st.text(max_size=80), st.floats(0, 10_000), st.floats(1, 10_000))
def test_what_was_heard_is_a_beginning_of_the_text(text: str, played: float, total: float) -> None:
    assert text.startswith(heard_words(text, played, total))
    assert 0 <= word_start_ms(text, played, total) <= played


@given(st.text(alphabet="ab ", min_size=1, max_size=40), st.floats(0, 1000), st.floats(0, 1000))
def test_more_playing_never_means_fewer_words(text: str, a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert len(heard_words(text, low, 1000)) <= len(heard_words(text, high, 1000))

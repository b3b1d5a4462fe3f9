"""Text for the ear: nothing to look at, numbers in words."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxbus.common.speech import for_ear


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # for the eye
        ("**Bold** and _soft_ and `code`.", "Bold and soft and code."),
        ("# A title", "A title"),
        ("- one\n- two", "one, two"),
        ("1. Open it\n2. Close it", "one. Open it, two. Close it"),
        ("1) Open it\n2) Close it", "one, Open it, two, Close it"),
        ("> quoted", "quoted"),
        ("See [the page](https://example.com/x) now.", "See the page now."),
        ("See https://example.com/x?y=1. Then go.", "See. Then go."),
        ("Go to www.example.com, please.", "Go to, please."),
        ("Great 🙂👍🏽 see you 🇩🇪!", "Great see you!"),
        ("<b>Now</b>", "Now"),
        ("---", ""),
        ("🙂", ""),
        ("snake_case stays", "snake case stays"),
        # money
        ("$20", "twenty dollars"),
        ("$1", "one dollar"),
        ("$1,234.56", "one thousand two hundred thirty-four dollars and fifty-six cents"),
        ("$0.99 or £5.01", "ninety-nine cents or five pounds and one pence"),
        ("$1.5 million, €3M", "one point five million dollars, three million euros"),
        # times
        ("at 3:30 PM.", "at three thirty p.m."),
        ("at 3pm, 9:05 a.m. or 15:05", "at three p.m., nine oh five a.m. or three oh five p.m."),
        ("at 12:00", "at twelve o'clock"),
        ("10 a.m.-5 p.m.", "ten a.m. to five p.m."),
        # dates
        ("2026-03-05", "March fifth, twenty twenty-six"),
        ("March 5th, May 21 and June 2, 2005", "March fifth, May twenty-first and June second, two thousand five"),
        ("3/15/2026", "March fifteenth, twenty twenty-six"),
        ("in 1987 and since 1905", "in nineteen eighty-seven and since nineteen oh five"),
        # phone numbers
        ("(555) 123-4567", "five five five, one two three, four five six seven"),
        ("call 555-0100 now", "call five five five, zero one zero zero now"),
        ("+15550100123", "plus one, five five five, zero one zero, zero one two three"),
        ("+1 555 010 0123", "plus one, five five five, zero one zero, zero one two three"),
        # numbers
        ("3.5%", "three point five percent"),
        ("1,000,000 and 42", "one million and forty-two"),
        ("code 007", "code zero zero seven"),
        ("account 12345678", "account one two three four five six seven eight"),
        ("3-5 days", "three to five days"),
        ("the 21st, 2nd, 30th, 112th", "the twenty-first, second, thirtieth, one hundred twelfth"),
        ("it is -5 °C", "it is minus five degrees Celsius"),
        ("version 2.0.1", "version two point zero point one"),
        ("B12", "B twelve"),
        ("#5", "number five"),
        ("open 24/7, 1/2 price", "open twenty-four seven, one half price"),
        ("123.4567", "one hundred twenty-three point four five six seven"),
        # symbols
        ("salt & pepper and/or both", "salt and pepper or both"),
        ("ann@example.com", "ann at example dot com"),
        ("e.g. this, i.e. that, etc.", "for example this, that is that, and so on."),
        ("Tuesday (the third) works (I think).", "Tuesday, the third, works, I think."),
        # what stays
        ("Don't worry: it's fine; really!", "Don't worry: it's fine; really!"),
        ("Well... maybe", "Well... maybe"),
    ],
)  # fmt: skip
def test_as_it_is_said(text: str, said: str) -> None:
    assert for_ear(text) == said


@pytest.mark.parametrize(
    "text", ["45. Is that all right?", "Your total is:\n45.", "45) Is that all right?", "- 45."]
)
def test_a_number_at_the_start_of_a_line_is_said(text: str) -> None:
    assert "forty-five" in for_ear(text)


def test_other_languages_keep_their_numbers() -> None:
    assert for_ear("**Am 3. Mai um 15:30** für 20 €.", "de-DE") == "Am 3. Mai um 15:30 für 20."


@given(
    st.text(
        alphabet=st.characters(max_codepoint=0x2FFF) | st.sampled_from("0123456789$%:-/.,+()#"), max_size=200
    )
)
def test_no_digit_and_no_mark_up_is_left(text: str) -> None:
    assert re.search(r"[0-9*#`|~<>{}\[\]\\]", for_ear(text)) is None


@given(st.lists(st.from_regex(r"[a-z]{2,8}", fullmatch=True).filter(lambda word: word != "etc")))
def test_plain_words_stay_as_they_are(words: list[str]) -> None:
    assert for_ear(" ".join(words)) == " ".join(words)

"""The sentence cutter: nothing is lost, chunks make no difference, and a period is not always an end."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxbus.common.speech import MAX_CHARACTERS, SentenceCutter, SpeechCutter, spoken
from voxbus.common.speech.numbers import cardinal
from voxbus.common.speech.sentences import fit

PARTS = (
    "Yes.",
    "Dr. ",
    "3.",
    "5",
    " p.m. ",
    "Well... ",
    "hello",
    " ",
    "\n",
    '"',
    "!",
    "? ",
    ", ",
    "J. ",
    "A",
    "no. ",
    "。",
)
#: Text that is full of the characters which matter, besides any text at all.
TEXTS = st.one_of(
    st.text(max_size=700),
    st.lists(
        st.sampled_from(PARTS),
        max_size=150,
    ).map("".join),
)  # fmt: skip


def cut(text: str, *, eager: bool = True) -> list[str]:
    cutter = SentenceCutter(eager=eager)
    return cutter.feed(text) + cutter.flush()


def without_blanks(text: str) -> str:
    return re.sub(r"\s+", "", text)


@given(TEXTS, st.booleans())
def test_no_text_is_dropped(text: str, eager: bool) -> None:
    assert without_blanks("".join(cut(text, eager=eager))) == without_blanks(text)


@given(TEXTS, st.data())
def test_chunks_make_no_difference(text: str, data: st.DataObject) -> None:
    cutter = SentenceCutter()
    pieces, rest = [], text
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        pieces += cutter.feed(rest[:size])
        rest = rest[size:]
    assert pieces + cutter.flush() == cut(text)


@given(TEXTS)
def test_pieces_are_short_and_never_empty(text: str) -> None:
    for piece in cut(text):
        assert 0 < len(piece) <= MAX_CHARACTERS
        assert piece == piece.strip()


@given(TEXTS)
def test_a_cutter_can_be_used_again_after_a_flush(text: str) -> None:
    cutter = SentenceCutter(eager=False)
    first = cutter.feed(text) + cutter.flush()
    assert cutter.feed(text) + cutter.flush() == first


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("I can do that. When would you like to come?", ["I can do that.", "When would you like to come?"]),
        ("Yes.", ["Yes."]),
        ("Yes. I can do that for you.", ["Yes. I can do that for you."]),
        ("I can do that for you. Yes.", ["I can do that for you.", "Yes."]),
        ("Ask for Dr. Lee or Mrs. Jones today.", ["Ask for Dr. Lee or Mrs. Jones today."]),
        ("It is 3.5 miles away. Turn left there.", ["It is 3.5 miles away.", "Turn left there."]),
        ("Come at 3 p.m. Tuesday or 9 a.m. Friday.", ["Come at 3 p.m. Tuesday or 9 a.m. Friday."]),
        ("That was J. R. R. Tolkien speaking.", ["That was J. R. R. Tolkien speaking."]),
        ("It is in the U.S. Capitol, e.g. downtown.", ["It is in the U.S. Capitol, e.g. downtown."]),
        ("Take bus No. 5 to the end.", ["Take bus No. 5 to the end."]),
        ("I have to say no. That will not work.", ["I have to say no.", "That will not work."]),
        ("Well then... maybe we could talk. Sure.", ["Well then... maybe we could talk.", "Sure."]),
        ("I was not sure... But now I am.", ["I was not sure...", "But now I am."]),
        ('"Are you really sure?" she asked. We were not.', ['"Are you really sure?" she asked.', "We were not."]),
        ("That is so great!!! What comes next?!", ["That is so great!!!", "What comes next?!"]),
        ("1. Open the door. 2. Close it.", ["1. Open the door.", "2. Close it."]),
        ("Two things to do\n- the first one\n- the other", ["Two things to do", "- the first one", "- the other"]),
        ("这是第一句话。", ["这是第一句话。"]),
    ],
)  # fmt: skip
def test_where_a_sentence_ends(text: str, sentences: list[str]) -> None:
    assert cut(text, eager=False) == sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("I can certainly help you with that, if you tell me more.",
         ["I can certainly help you with that,", "if you tell me more."]),
        ("Well, yes, of course, if you want, I can.", ["Well, yes, of course, if you want,", "I can."]),
        ("It costs about 1,000 dollars in all.", ["It costs about 1,000 dollars in all."]),
        ("I can do that. And now for something quite different, which is this, or that.",
         ["I can do that.", "And now for something quite different, which is this, or that."]),
    ],
)  # fmt: skip
def test_only_the_first_piece_leaves_at_a_clause(text: str, sentences: list[str]) -> None:
    assert cut(text) == sentences


def test_a_sentence_leaves_when_the_next_word_begins() -> None:
    cutter = SentenceCutter()
    assert cutter.feed("I can do that.") == []
    assert cutter.feed(" ") == []
    assert cutter.feed("W") == ["I can do that."]


def test_what_never_ends_is_cut_at_a_clause_or_a_word() -> None:
    words = "and so on " * 30
    pieces = cut("One two three, " + words, eager=False)
    assert all(len(piece) <= MAX_CHARACTERS for piece in pieces)
    assert len(pieces) == 2
    clause = "word " * 30 + "end, " + "word " * 30
    assert cut(clause, eager=False)[0].endswith("end,")
    assert [len(piece) for piece in cut("x" * 450)] == [200, 200, 50]


@given(st.text(max_size=600))
def test_fit_keeps_the_text(text: str) -> None:
    assert without_blanks("".join(fit(text))) == without_blanks(text)


@pytest.mark.parametrize(
    "text",
    [
        "For two adults and one small child, 45. Is that all right?",
        "Take these many tablets, once every day: 45. Never take more.",
        "I found your order and its number is — 45. Keep it safe.",
        "How many do you need? 45. Are you sure?",
        "Your total is:\n45. Thank you very much.",
    ],
)
def test_wherever_a_text_is_cut_its_numbers_are_said(text: str) -> None:
    cutter = SpeechCutter()
    for said in (cutter.feed(text) + cutter.flush(), spoken(text)):
        assert "forty-five" in " ".join(said)


def test_what_cannot_be_said_leaves_no_sentence() -> None:
    assert spoken("🙂 --- 🙂") == ()
    assert spoken("Look at this now: https://example.com/a.b 🙂. Thank you very much.") == (
        "Look at this now.",
        "Thank you very much.",
    )


WORDS = ("well", "your", "total", "is", "Dr.", "no.", "and")
SEPARATORS = (" ", ", ", ". ", "? ", ": ", "\n", " — ", "; ", "... ")


@given(
    st.lists(st.tuples(st.sampled_from(WORDS) | st.integers(0, 99), st.sampled_from(SEPARATORS)), max_size=60)
)
def test_every_word_and_every_number_is_said(parts: list[tuple[str | int, str]]) -> None:
    cutter = SpeechCutter()
    text = "".join(f"{part}{separator}" for part, separator in parts)
    said = re.findall(r"[A-Za-z-]+", " ".join(cutter.feed(text) + cutter.flush()))
    wanted = [cardinal(part) if isinstance(part, int) else part.strip(".") for part, _ in parts]
    assert [word for word in said if word in wanted] == wanted


@given(TEXTS)
def test_a_stream_and_a_line_agree(text: str) -> None:
    cutter = SpeechCutter(eager=False)
    pieces = [piece for character in text for piece in cutter.feed(character)]
    assert (*pieces, *cutter.flush()) == spoken(text)


def test_numbers_that_grow_stay_within_the_limit() -> None:
    long = "It is $1,234,567.89 and $7,654,321.98 and $3,333,333.33 and also $7,777,777.77 that you owe us."
    assert len(long) < MAX_CHARACTERS
    assert len(spoken(long)) > 1
    assert all(len(piece) <= MAX_CHARACTERS for piece in spoken(long))

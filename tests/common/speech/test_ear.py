"""Text for the ear: nothing to look at, numbers in words."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from voxbus.common.speech import for_ear
from voxbus.common.speech.numbers import MONTHS


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
        ("$0.99 or £5.01", "ninety-nine cents or five pounds and one penny"),
        ("$1.5 million, €3M", "one point five million dollars, three million euros"),
        ("-$5.00 today, or $-5", "minus five dollars today, or minus five dollars"),
        ("a change of -$20", "a change of minus twenty dollars"),
        ("100€, 20$ or 50¢", "one hundred euros, twenty dollars or fifty cents"),
        ("49.90 €", "forty-nine euros and ninety cents"),
        ("EUR 20, 35 EUR, USD 5, CA$5", "twenty euros, thirty-five euros, five US dollars, five Canadian dollars"),
        ("€1,50", "one euro and fifty cents"),
        ("€1.234,50", "one thousand two hundred thirty-four euros and fifty cents"),
        ("$5-10, $5–$10, 5-10 €", "five dollars to ten dollars, five dollars to ten dollars, five euros to ten euros"),
        ("$49/month, $3.50/hr", "forty-nine dollars per month, three dollars and fifty cents per hour"),
        ("5 $10 bills", "five ten dollars bills"),
        ("$.50 or $5-10k", "fifty cents or five thousand dollars to ten thousand dollars"),
        ("¥500 and ₹1", "five hundred yen and one rupee"),
        # times
        ("at 3:30 PM.", "at three thirty p.m."),
        ("at 3pm, 9:05 a.m. or 15:05", "at three p.m., nine oh five a.m. or three oh five p.m."),
        ("at 12:00", "at twelve o'clock"),
        ("10 a.m.-5 p.m.", "ten a.m. to five p.m."),
        ("3-5 pm, 8–10am", "three to five p.m., eight to ten a.m."),
        ("9:00-17:00, 10.30 a.m.", "nine o'clock to five p.m., ten thirty a.m."),
        ("8:05:30", "eight oh five and thirty seconds"),
        ("16:9", "sixteen to nine"),
        # dates
        ("You may 2 times, in May 2", "You may two times, in May second"),
        ("22/11/2026", "November twenty-second, twenty twenty-six"),
        ("10.11.2026 or 5-10-2026", "November tenth, twenty twenty-six or May tenth, twenty twenty-six"),
        ("2026-01-05T10:30:00Z", "January fifth, twenty twenty-six at ten thirty"),
        ("on 3/4, by 3/4/26, 12/24", "on March fourth, by March fourth, twenty twenty-six, December twenty-fourth"),
        ("Nov. 3, 3 November 2026, May 5-7", "November third, November third, twenty twenty-six, May fifth to seventh"),
        ("in 1500 meters", "in one thousand five hundred meters"),
        ("the 1990s and 80s, 2024-2026", "the nineteen nineties and eighties, twenty twenty-four to twenty twenty-six"),
        ("2026-03-05", "March fifth, twenty twenty-six"),
        ("March 5th, May 21 and June 2, 2005", "March fifth, May twenty-first and June second, two thousand five"),
        ("3/15/2026", "March fifteenth, twenty twenty-six"),
        ("in 1987 and since 1905", "in nineteen eighty-seven and since nineteen oh five"),
        # phone numbers
        ("(555) 123-4567", "five five five, one two three, four five six seven"),
        ("call 555-0100 now", "call five five five, zero one zero zero now"),
        ("+15550100123", "plus one, five five five, zero one zero, zero one two three"),
        ("+1 555 010 0123", "plus one, five five five, zero one zero, zero one two three"),
        ("1-800-555-0123", "one, eight zero zero, five five five, zero one two three"),
        ("1 (800) 555-0123", "one, eight zero zero, five five five, zero one two three"),
        ("call 1-800-FLOWERS, ext. 4", "call one, eight zero zero, FLOWERS, extension four"),
        ("4155550123", "four one five, five five five, zero one two three"),
        # codes
        ("code 482913, PIN: 0042", "code four eight two nine one three, PIN: zero zero four two"),
        ("confirmation number is 48-29-13", "confirmation number is four eight, two nine, one three"),
        ("room 405, room 12, order number 731", "room four zero five, room twelve, order number seven three one"),
        ("order 150 tablets, a number of 150", "order one hundred fifty tablets, a number of one hundred fifty"),
        ("4111 1111 1111 1111", "four one one one, one one one one, one one one one, one one one one"),
        ("4111-1111-1111-1111", "four one one one, one one one one, one one one one, one one one one"),
        ("dial 911 or call 112, text 112 people", "dial nine one one or call one one two, text one one two people"),
        ("482913", "four eight two nine one three"),
        ("100000 and 12500", "one hundred thousand and twelve thousand five hundred"),
        ("A320, B-12", "A three two zero, B twelve"),
        # parts
        (".5 percent, .25 mg, -.5", "zero point five percent, zero point two five milligrams, minus zero point five"),
        ("3/4 of a tablet, 1 1/2, 1½, ⅔", "three quarters of a tablet, one and one half, one and one half, two thirds"),
        ("120/80, 8/10", "one hundred twenty over eighty, eight out of ten"),
        ("10-20%, 10%-20%, it takes 3-5.", "ten to twenty percent, ten to twenty percent, it takes three to five."),
        ("5 km/h, 5 ft. long, 5'10\"", "five kilometers per hour, five feet long, five feet ten inches"),
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
        ("~5, №5, 24-hour", "about five, number five, twenty-four hour"),
        ("a -5% change, +5%", "a minus five percent change, plus five percent"),
        ("4.5/5 stars, 10 / 2, 12x14 ft", "four point five out of five stars, ten over two, twelve by fourteen feet"),
        ("10 000 people for 24h", "ten thousand people for twenty-four hours"),
        ("flight UA 1234, 555-HELP", "flight UA one two three four, five five five, HELP"),
        ("by 2026, mid-2026", "by twenty twenty-six, mid twenty twenty-six"),
        ("between 2019 and 2023", "between twenty nineteen and twenty twenty-three"),
        ("I have 2 May appointments", "I have two May appointments"),
        # symbols
        ("a<b and c>d, x < 5", "a less than b and c greater than d, x less than five"),
        ("use <your name>, <br/> </b> <p class='x'>now", "use your name, now"),
        ("C++ and A+", "C plus plus and A plus"),
        ("Go to example.com/book.", "Go to example dot com slash book."),
        ("https://example.com/a_(b).", ""),
        ("‼⁉™ℹ〰〽㊗㊙⤴⤵©®", ""),
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
    assert for_ear("**Am 3. Mai um 15:30** für 20 €.", "de-DE") == "Am 3. Mai um 15:30 für 20 €."


@given(
    st.text(
        alphabet=st.characters(max_codepoint=0x2FFF) | st.sampled_from("0123456789$%:-/.,+()#"), max_size=200
    )
)
def test_no_digit_and_no_mark_up_is_left(text: str) -> None:
    assert re.search(r"[0-9*#`|~<>{}\[\]\\]", for_ear(text)) is None


#: How numbers are written; said differently when they are different.
WRITTEN = (
    "{}", "It is {}.", "{}. Is that right?", "-{}", "${}", "-${}", "${}/month", "{}€", "EUR {}", "${}-99", "$7-{}",
    "7-{} €", "{}%", "7-{}%", ".{}", "7.{}", "${}k", "{} kg", "{} km/h", "room {}", "code {}", "code 77-{}", "#{}",
    "B{}", "~{}", "x<{}", "7/{}", "{}/7", "1 {}/7", "{}th", "{} times", "may {} times", "in {} minutes", "({})",
    "({}) 7", "{}-day", "{}'s", "{}+", "{}x", "call {} now", "- {}", "{}) next", "Total:\n{}", "version 1.{}",
    "1.2.{}", "7 x {}", "{}-7-9", "+1 555 {}", "IP 10.{}.1", "May 7-{}", "7:{}", "{}:7", "7 + {}", "{},", "{}!",
    "{}/7/9", "{} am", "–{}", "<b>{}</b>", "{}mg.", "a {}.",
)  # fmt: skip


@given(st.sampled_from(WRITTEN), st.integers(10, 10**12), st.integers(10, 10**12))
def test_different_numbers_are_said_differently(written: str, one: int, other: int) -> None:
    assume(one != other)
    assert for_ear(written.format(one)) != for_ear(written.format(other))


NUMBER_WORDS = re.compile(
    r"\b(?:zero|oh|half|halves|o'clock|nine?t\w+|"
    r"(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thir|for|fif|twen|quarter|first|second|"
    rf"{'|'.join(MONTHS)})\w*)"
)


@given(st.text(alphabet="0123456789 .,:;/-–$€%()+#<>!?\n'\"ab", max_size=60))
def test_no_number_is_lost(text: str) -> None:
    assert len(NUMBER_WORDS.findall(for_ear(text))) >= len(re.findall(r"\d[\d.,:/%-]*", text))


@given(st.lists(st.from_regex(r"[a-z]{2,8}", fullmatch=True).filter(lambda word: word != "etc")))
def test_plain_words_stay_as_they_are(words: list[str]) -> None:
    assert for_ear(" ".join(words)) == " ".join(words)

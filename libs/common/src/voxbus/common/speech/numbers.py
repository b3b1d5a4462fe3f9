"""English numbers in words."""

from __future__ import annotations

from typing import Final

_ONES: Final = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS: Final = ("zero", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES: Final = (
    (10**12, "trillion"),
    (10**9, "billion"),
    (10**6, "million"),
    (1000, "thousand"),
    (100, "hundred"),
)
_ORDINALS: Final = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


def cardinal(number: int) -> str:
    """``1234``: one thousand two hundred thirty-four. Above 999 trillion the digits are said one by one."""
    if number >= 10**15:
        return digits(str(number))
    if number < 20:
        return _ONES[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return f"{_TENS[tens]}-{_ONES[ones]}" if ones else _TENS[tens]
    for scale, name in _SCALES:
        if number >= scale:
            count, rest = divmod(number, scale)
            return f"{cardinal(count)} {name}" + (f" {cardinal(rest)}" if rest else "")
    raise AssertionError(number)


def ordinal(number: int) -> str:
    """``21``: twenty-first."""
    words = cardinal(number)
    for separator in ("-", " "):
        head, found, last = words.rpartition(separator)
        if found:
            return f"{head}{separator}{_ordinal_word(last)}"
    return _ordinal_word(words)


def _ordinal_word(word: str) -> str:
    if word in _ORDINALS:
        return _ORDINALS[word]
    return f"{word[:-1]}ieth" if word.endswith("y") else f"{word}th"


def digits(text: str) -> str:
    """One by one: ``"405"`` is four zero five."""
    return " ".join(_ONES[int(digit)] for digit in text)


def decimal(text: str) -> str:
    """``"1,204.50"``: the digits after each point one by one, and numbers that are codes (007, 482913) too."""
    whole, *parts = text.replace(",", "").split(".")
    is_code = "," not in text and _is_code(whole, fraction=any(parts))
    said = digits(whole) if is_code else cardinal(int(whole or "0"))
    return " ".join([said, *(f"point {digits(part)}" for part in parts if part)])


def _is_code(whole: str, *, fraction: bool) -> bool:
    """Nobody counts so far without commas, but for round numbers."""
    if whole.startswith("0"):
        return len(whole) > 1
    return len(whole) > 9 or (
        not fraction and len(whole) > 4 and not whole.endswith("00" if len(whole) == 5 else "000")
    )


def year(number: int) -> str:
    """``1987``: nineteen eighty-seven; ``2005``: two thousand five; ``2026``: twenty twenty-six."""
    if not 1100 <= number <= 2099 or 2000 <= number <= 2009:
        return cardinal(number)
    century, rest = divmod(number, 100)
    if not rest:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {'oh ' if rest < 10 else ''}{cardinal(rest)}"


def clock(hour: int, minute: int, half: str = "") -> str:
    """``(15, 5)``: three oh five p.m.; ``half``: "a" or "p" when it was written."""
    if not half and (hour > 12 or hour == 0):
        half = "p" if hour > 12 else "a"
    said = cardinal(hour % 12 or 12)
    if minute:
        said += f" {'oh ' if minute < 10 else ''}{cardinal(minute)}"
    elif not half:
        said += " o'clock"
    return f"{said} {half}.m." if half else said

"""Rewrites a text as it is said: nothing to look at is left, numbers are words.

A list of rules, applied in order: what is only for the eye goes first, then the specific (money, times, dates, phone
numbers), then what is left of numbers and symbols. Numbers become words in English only; other languages keep their
digits, which their voices read better than we would.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from re import Match
from typing import Final

from voxbus.common.speech import numbers

Rule = tuple[re.Pattern[str], str | Callable[[Match[str]], str]]


def for_ear(text: str, language: str = "en-US") -> str:
    """``text`` as a voice should read it; empty when there is nothing to say."""
    for pattern, put in _FOR_THE_EYE:
        text = pattern.sub(put, text)
    if language.lower().startswith("en"):
        for pattern, put in _ENGLISH:
            text = pattern.sub(put, text)
    for pattern, put in _TIDY:
        text = pattern.sub(put, text)
    return text.strip() if re.search(r"[^\W_]", text) else ""


def _rule(pattern: str, put: str | Callable[[Match[str]], str], flags: int = re.IGNORECASE) -> Rule:
    return re.compile(pattern, flags), put


_NUMBER: Final = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_MONTH: Final = "|".join(numbers.MONTHS)
_CURRENCIES: Final = {
    "$": ("dollar", "cent"),
    "€": ("euro", "cent"),
    "£": ("pound", "pence"),
}


def _money(found: Match[str]) -> str:
    unit, small = _CURRENCIES[found["currency"]]
    scale = {"k": "thousand", "m": "million", "b": "billion"}.get(
        (found["scale"] or "").lower(), found["scale"]
    )
    if scale:
        return f"{numbers.decimal(found['amount'])} {scale} {unit}s"
    whole, _, cents = found["amount"].replace(",", "").partition(".")
    said = f"{numbers.cardinal(int(whole))} {unit}{'' if int(whole) == 1 else 's'}"
    if len(cents) != 2:
        return said if not cents else f"{numbers.decimal(found['amount'])} {unit}s"
    coins = int(cents)
    plural = "" if coins == 1 or small == "pence" else "s"
    if not coins:
        return said
    return f"{numbers.cardinal(coins)} {small}{plural}" if not int(whole) else (
        f"{said} and {numbers.cardinal(coins)} {small}{plural}"
    )  # fmt: skip


def _time(found: Match[str]) -> str:
    hour, minute = int(found["hour"]), int(found["minute"] or 0)
    if hour > 24 or minute > 59:
        return found.group()
    half = (found["half"] or "").lower()
    # The point of "p.m." may be the sentence's too; the tidying rules make one of two.
    return numbers.clock(hour % 24, minute, half)


def _date(month: str, day: str, year: str | None) -> str:
    name = month if month.isalpha() else numbers.MONTHS[int(month) - 1]
    return f"{name} {numbers.ordinal(int(day))}" + (f", {numbers.year(int(year))}" if year else "")


def _phone(found: Match[str]) -> str:
    groups = re.findall(r"\d+", found.group())
    plus = "plus " if found.group().startswith("+") else ""
    if len(groups) == 1 and len(groups[0]) > 7:  # unbroken: the last four, before them threes
        head, tail = groups[0][:-4], groups[0][-4:]
        first = len(head) % 3
        threes = [head[i : i + 3] for i in range(first, len(head), 3)]
        groups = [part for part in (head[:first], *threes, tail) if part]
    return plus + ", ".join(numbers.digits(group) for group in groups)


def _range(found: Match[str]) -> str:
    return f"{numbers.decimal(found[1])} to {numbers.decimal(found[2])}"


def _spelled_address(found: Match[str]) -> str:
    return found.group().replace("@", " at ").replace(".", " dot ").replace("_", " underscore ")


_FOR_THE_EYE: Final[tuple[Rule, ...]] = (
    _rule(r"```[\w+-]*", " "),
    _rule(r"!?\[([^\]]*)\]\([^)]*\)", r"\1"),
    _rule(r"<(?:https?:|www\.)[^>]*>|(?:https?://|www\.)[^\s<>]*[^\s<>.,;:!?)\"']", ""),
    _rule(r"</?[a-z][^<>]*>", " "),
    _rule(r"^\s*(?:#{1,6}|>+|[-*+•‣·])\s+", "", re.MULTILINE),
    # Said, and not dropped: a text that was cut begins with numbers that are no marks of a list ("your total is: 45.").
    _rule(r"^(\s*\d{1,3})\)\s+(?=\S)", r"\1, ", re.MULTILINE),
    _rule(r"^\s*[-*_=|:]{3,}[-*_=|:\s]*$", "", re.MULTILINE),
    _rule(r"[*`~|]+|(?<!\w)_+|_+(?!\w)", " "),
    # Pictographs, dingbats, arrows and shapes, flags, skin tones, joiners and variation selectors.
    _rule(
        "[\U0001f000-\U0001faff\U00002190-\U000021ff\U00002300-\U000023ff\U000025a0-\U000027bf\U00002b00-\U00002bff"
        "\U0000fe00-\U0000fe0f\U0000200d\U000020e3\U000e0020-\U000e007f]+",
        " ",
    ),
    _rule(r"\s*\(([^()]*)\)(?=\s*[,.;:!?]|\s*$)", r", \1"),
    _rule(r"\s+\(([^()]*)\)(?!\s*\d)", r", \1,"),
)  # fmt: skip

_ENGLISH: Final[tuple[Rule, ...]] = (
    _rule(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", _spelled_address),
    _rule(
        rf"(?P<currency>[$€£])\s?(?P<amount>{_NUMBER})(?:\s?(?P<scale>thousand|million|billion|[kmb])\b)?", _money
    ),
    _rule(rf"({_NUMBER})\s?%", lambda m: f"{numbers.decimal(m[1])} percent"),
    _rule(r"\b(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::\d{2})?(?!\d)(?:\s?(?P<half>[ap])\.?\s?m\b\.?)?", _time),
    _rule(r"\b(?P<hour>1[0-2]|0?\d)(?P<minute>)\s?(?P<half>[ap])\.?\s?m\b\.?", _time),
    _rule(
        r"\b(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])(?:T[\d:.]+Z?)?\b", lambda m: _date(m[2], m[3], m[1])
    ),
    _rule(r"\b(0?[1-9]|1[0-2])/(0?[1-9]|[12]\d|3[01])/(\d{4})\b", lambda m: _date(m[1], m[2], m[3])),
    _rule(
        rf"\b({_MONTH})\s+(\d{{1,2}})(?:st|nd|rd|th)?\b(?!:)(?:,?\s+(\d{{4}})\b)?", lambda m: _date(m[1], m[2], m[3])
    ),
    _rule(
        rf"\b({_MONTH}|in|since|of|year)\s+((?:1[1-9]|20)\d\d)\b(?![.,]\d)",
        lambda m: f"{m[1]} {numbers.year(int(m[2]))}",
    ),
    _rule(
        r"(?<![\w.])(?:\+\d[\d\s().-]{5,17}\d|(?:\(\d{3}\)\s?|\d{3}[-. ])\d{3}[-. ]\d{4}|\d{3}-\d{4})(?![\w-])", _phone
    ),
    _rule(r"\d+(?:\.\d+){2,}", lambda m: " point ".join(numbers.decimal(part) for part in m.group().split("."))),
    _rule(r"(?<=[ap]\.m\.)\s?[-–]\s?(?=\w)", " to "),
    _rule(r"\b(\d+)(?:st|nd|rd|th)\b", lambda m: numbers.ordinal(int(m[1]))),
    _rule(r"\b24/7\b", "twenty-four seven"),
    _rule(r"\b1/2\b|½", "one half"),
    _rule(r"¼", "one quarter"),
    _rule(r"¾", "three quarters"),
    _rule(rf"(?<![\w.])({_NUMBER})\s?[-–]\s?({_NUMBER})(?![\w.-])", _range),
    _rule(r"(?:(?<=\s)|^)[-−](?=\d)", "minus "),
    _rule(r"#\s?(?=\d)", "number "),
    _rule(rf"({_NUMBER})(?:\.(?=\d))?", lambda m: f" {numbers.decimal(m[1])} "),
    _rule(r"\s?°\s?([CF])\b", lambda m: f" degrees {'Celsius' if m[1] in 'cC' else 'Fahrenheit'}"),
    _rule(r"\s?°", " degrees"),
    _rule(r"&", " and "),
    _rule(r"@", " at "),
    _rule(r"(?<=\S)\s*=\s*(?=\S)", " equals "),
    _rule(r"(?<=\s)\+(?=\s)", "plus"),
    _rule(r"\band\s?/\s?or\b", "or"),
    _rule(r"(?<=\w)\s*/\s*(?=\w)", " or "),
    _rule(r"\be\.g\.,?", "for example"),
    _rule(r"\bi\.e\.,?", "that is"),
    _rule(r"\betc\b\.?(?=\s*[A-Z]|\s*$)", "and so on."),
    _rule(r"\betc\b\.?", "and so on"),
)  # fmt: skip

_TIDY: Final[tuple[Rule, ...]] = (
    _rule(r"(?<=[^\s.,;:!?…])\s*\n\s*(?=\S)", ", "),
    _rule(r"[#^\\{}\[\]<>=+~|*`_$€£%/°]+", " "),
    _rule(r"\s+", " "),
    _rule(r"\s+(?=[,.;:!?])", ""),
    _rule(r"(?<=[ap]\.m)\.{2,}|(?<!\.)\.\.(?!\.)", "."),
    _rule(r"[,;:]+(?=[.!?])", ""),
    _rule(r"([,;:])(?:\s*[,;:])+", r"\1"),
    _rule(r"^[\s,.;:!?)-]+", ""),
)

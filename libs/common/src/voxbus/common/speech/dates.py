"""Dates, years and times of day as they are said in English."""

from __future__ import annotations

from re import Match
from typing import Final

from voxbus.common.speech import numbers
from voxbus.common.speech.rules import Rule, rule

_SHORT: Final = {name[:3]: name for name in numbers.MONTHS} | {"Sept": "September"}
#: Two of them are words, too: "you may 2 times a day".
_MONTH: Final = (
    rf"(?:(?-i:May|March)|{'|'.join(set(numbers.MONTHS) - {'May', 'March'})}|(?-i:{'|'.join(_SHORT)})\b\.?)"
)
_DAY: Final = r"(?:0?[1-9]|[12]\d|3[01])"
_NUMBER_OF_MONTH: Final = r"(?:0?[1-9]|1[0-2])"
_YEAR: Final = r"(?:1[1-9]|20)\d\d"
_HALF: Final = r"(?:\s?([ap])\.?\s?m\b\.?)"
#: What may follow a year; "in 1500 meters" is none.
_AFTER_YEAR: Final = (
    r"(?=\s*(?:[,;:!?)]|\.(?!\d)|$)"
    r"|\s+(?:and|or|to|the|a|we|i|he|she|it|they|you|was|is|when|for|with|at|by|on|but|as)\b)"
)


def _date(month: str, day: str, year: str | None) -> str:
    name = month.rstrip(".")
    name = numbers.MONTHS[int(name) - 1] if name.isdecimal() else _SHORT.get(name, name)
    if year and len(year) == 2:
        year = f"20{year}"
    return f"{name} {numbers.ordinal(int(day))}" + (f", {numbers.year(int(year))}" if year else "")


def _day_and_month(found: Match[str]) -> str:
    """``22/11/2026``: which of the two is the month; where both may be, as Americans write it."""
    first, second, year = found.groups()
    if int(first) > 12:
        first, second = second, first
    return _date(first, second, year) if int(first) <= 12 else found.group()


def _time(found: Match[str]) -> str:
    hour, minute, second, half = found.groups()
    if int(hour) > 24 or int(minute or 0) > 59:
        return found.group()
    said = numbers.clock(int(hour) % 24, int(minute or 0), (half or "").lower())
    # The point of "p.m." may be the sentence's too; the tidying rules make one of two.
    return f"{said} and {numbers.cardinal(int(second))} seconds " if second else said


def _decade(found: Match[str]) -> str:
    said = numbers.year(int(found[1]))
    return f"{said[:-1]}ies" if said.endswith("y") else f"{said}s"


RULES: Final[tuple[Rule, ...]] = (
    # From one time to another, and from one day of a month to another.
    rule(
        rf"(?<![\w.:/-])(\d{{1,2}}(?::\d\d)?{_HALF}?)\s?[-–—]\s?(?=\d{{1,2}}(?::\d\d(?!\d)|{_HALF}))",
        r"\1 to ",
    ),
    rule(
        rf"\b({_MONTH}\s+{_DAY})\s?[-–—]\s?({_DAY})(?![\d:]|-\d)",
        lambda m: f"{m[1]} to {numbers.ordinal(int(m[2]))}",
    ),
    rule(r"(\d(?:st|nd|rd|th))\s?[-–—]\s?(?=\d)", r"\1 to "),
    rule(rf"(?<![\w.:])(\d{{1,2}}):(\d\d)(?::(\d\d))?(?!\d){_HALF}?", _time),
    rule(rf"(?<![\w.:])(1[0-2]|0?\d)(?:\.([0-5]\d))?(){_HALF}", _time),
    rule(r"(?<![\w:])(\d+):(\d+)(?![\d:])", r"\1 to \2"),
    rule(
        rf"(?<![\w-])(\d{{4}})([-/])({_NUMBER_OF_MONTH})\2({_DAY})(?:T(\d\d):(\d\d)[\d:.]*Z?)?(?![\d/-])",
        lambda m: _date(m[3], m[4], m[1]) + (f" at {numbers.clock(int(m[5]), int(m[6]))}" if m[5] else ""),
    ),
    rule(r"(?<![\w/])(\d{1,2})/(\d{1,2})/((?:19|20)?\d\d)(?![\d/])", _day_and_month),
    rule(r"(?<![\w-])(\d{1,2})-(\d{1,2})-((?:19|20)\d\d)(?![\d-])", _day_and_month),
    rule(
        rf"(?<![\w.])({_DAY})\.({_NUMBER_OF_MONTH})\.((?:19|20)\d\d)(?![\d])", lambda m: _date(m[2], m[1], m[3])
    ),
    rule(
        rf"\b(on|by|until|since|due|before|after)\s+({_NUMBER_OF_MONTH})/({_DAY})(?![\d/])",
        lambda m: f"{m[1]} {_date(m[2], m[3], None)}",
    ),
    rule(
        rf"\b({_MONTH})\s+({_DAY})(?:st|nd|rd|th)?\b(?![:%/]|[.,]\d|\s+of\s+(?:them|us|you)\b)(?:,?\s+({_YEAR})\b)?",
        lambda m: _date(m[1], m[2], m[3]),
    ),
    rule(
        rf"(?<![\w.,:/$€£-])({_DAY})\s+({_MONTH})(?!\w)(?:,?\s+({_YEAR})\b|{_AFTER_YEAR})",
        lambda m: _date(m[2], m[1], m[3]),
    ),
    rule(
        rf"(?<![\w.,-])({_YEAR})\s?[-–—]\s?({_YEAR})\b(?![-.,]\d)",
        lambda m: f"{numbers.year(int(m[1]))} to {numbers.year(int(m[2]))}",
    ),
    rule(rf"['’]?\b({_YEAR[:-2]}0|[2-9]0)['’]?s\b", _decade),
    rule(
        rf"\b({_MONTH}|in|since|of|year|until|before|after|by|from|to|and|between|early|late|mid|Q[1-4]|spring|summer|fall|winter)"
        rf"[\s-]+({_YEAR})\b{_AFTER_YEAR}",
        lambda m: f"{_SHORT.get(m[1].rstrip('.'), m[1])} {numbers.year(int(m[2]))}",
    ),
    rule(r"(?<=[ap]\.m\.)\s?[-–—]\s?(?=\w)", " to "),
)  # fmt: skip

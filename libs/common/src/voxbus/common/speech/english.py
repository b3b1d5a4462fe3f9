"""Numbers and symbols as they are said in English. The specific goes first: money, times and dates, codes."""

from __future__ import annotations

import unicodedata
from re import Match
from typing import Final

from voxbus.common.speech import codes, dates, money, numbers
from voxbus.common.speech.rules import NUMBER, Rule, rule

_PARTS: Final = {
    2: ("half", "halves"), 3: ("third", "thirds"), 4: ("quarter", "quarters"), 5: ("fifth", "fifths"),
    6: ("sixth", "sixths"), 8: ("eighth", "eighths"),
}  # fmt: skip
_TIMES: Final = {
    "h": "hour", "hr": "hour", "min": "minute", "s": "second", "sec": "second", "d": "day", "wk": "week", "mo": "month",
    "yr": "year",
}  # fmt: skip
_UNITS: Final = {
    "mg": "milligram", "mcg": "microgram", "kg": "kilogram", "km": "kilometer", "cm": "centimeter", "mm": "millimeter",
    "ml": "milliliter", "lb": "pound", "lbs": "pound", "oz": "ounce", "ft": "foot",
}  # fmt: skip
_SPANS: Final = {
    "h": "hour", "hr": "hour", "hrs": "hour", "min": "minute", "mins": "minute", "sec": "second", "secs": "second",
    "wks": "week", "mos": "month", "yrs": "year",
}  # fmt: skip
_MEASURES: Final = _UNITS | _SPANS
_PER: Final = "|".join(
    [*_TIMES, *_TIMES.values(), *_UNITS, *"l dl unit person night visit mile dose call".split()]  # noqa: SIM905
)


def _fraction(found: Match[str]) -> str:
    """``3/4``; what is no part of a whole is a day of a month, or one over the other."""
    whole, above, below = found[1], int(found[2]), int(found[3])
    if above and above < below in _PARTS:
        one, several = _PARTS[below]
        said = f"{numbers.cardinal(above)} {one if above == 1 else several}"
        return f"{numbers.cardinal(int(whole))} and {said} " if whole else f"{said} "
    before = f"{numbers.decimal(whole)} " if whole else ""
    if above == below:
        return f"{before}{numbers.cardinal(above)} {numbers.cardinal(below)} "
    if below in (10, 100):
        return f"{before}{numbers.cardinal(above)} out of {numbers.cardinal(below)} "
    if 1 <= above <= 12 and 1 <= below <= 31:
        return f"{before}{numbers.MONTHS[above - 1]} {numbers.ordinal(below)} "
    return f"{before}{numbers.decimal(found[2])} over {numbers.decimal(found[3])} "


def _unit(found: Match[str]) -> str:
    one = found[1] == "1"
    name = _MEASURES[found[2].lower()]
    return f"{found[1]} {name if one else 'feet' if name == 'foot' else name + 's'}"


def _per(found: Match[str]) -> str:
    above, below = found[1], found[2].lower()
    return f"{above} per {_TIMES.get(below, _UNITS.get(below, below))}"


def _spelled_address(found: Match[str]) -> str:
    names = {"@": "at", ".": "dot", "_": "underscore", "/": "slash"}
    return "".join(f" {names[char]} " if char in names else char for char in found.group())


#: Between other things an angle bracket is no comparison.
_OPERAND: Final = r"(\b[a-z]\b|\d)"
_ADDRESSES: Final[tuple[Rule, ...]] = (
    rule(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", _spelled_address),
    rule(
        r"(?<![\w.-])(?:[a-z\d-]+\.)+(?:com|org|net|io|co|gov|edu|info|app|dev|ai|us|uk|de|eu)\b(?:/[\w./-]*\w)?",
        _spelled_address,
        0,
    ),
)
_SHAPES: Final[tuple[Rule, ...]] = (
    rule(rf"{_OPERAND}\s*<\s*(?={_OPERAND})", r"\1 less than "),
    rule(rf"{_OPERAND}\s*>\s*(?={_OPERAND})", r"\1 greater than "),
    rule(r"(?<![\w.])\.(?=\d)", "0."),
    rule(r"(?<=\d) (?=000(?: 000)*(?!\s?[\d-]))", ""),
    rule(r"[¼-¾⅐-⅞]", lambda m: f" {unicodedata.normalize('NFKC', m.group()).replace('⁄', '/')}"),
    rule(rf"(\d\s?(?:[kmbx]|km|m|mi|mg|mcg|g|ml|gb|mb|kb)?\s?[€$£]?)\s?/\s?({_PER})\b", _per),
)
_NUMBERS: Final[tuple[Rule, ...]] = (
    rule(r"\b24/7\b", "twenty-four seven"),
    rule(r"(?<![\w/.,])(?:(\d+)\s+)?(\d{1,3})/(\d{1,3})(?![\d/]|[.,]\d)", _fraction),
    rule(r"(?<=\d)\s+/\s+(?=\d)", " over "),
    rule(r"(\d\.\d+)/(?=\d)", r"\1 out of "),
    rule(rf"({NUMBER})\s?%?\s?[-–—]\s?({NUMBER})\s?%", r"\1 to \2%"),
    rule(rf"(?<![\w.])({NUMBER})\s?[-–—]\s?({NUMBER})(?![\w-]|\.\d)", r"\1 to \2"),
    rule(r"(?:(?<=\s)|(?<=\()|^)[-−](?=\d)", "minus "),
    rule(rf"({NUMBER})\s?%", lambda m: f" {numbers.decimal(m[1])} percent"),
    rule(r"(?<=\d)\s?x\s?(?=\d)", " by "),
    rule(r"(\d+)['′]\s?(\d+)[\"″]", r"\1 feet \2 inches"),
    rule(rf"\b(\d+(?:\.\d+)?)\s?({'|'.join(_MEASURES)})\b(?:\.(?=\s+[a-z]))?(?!/)", _unit),
    rule(r"\b(\d+)(?:st|nd|rd|th)\b", lambda m: numbers.ordinal(int(m[1]))),
    rule(
        r"\d+(?:\.\d+){2,}", lambda m: " point ".join(numbers.decimal(part) for part in m.group().split("."))
    ),
    rule(r"[#№]\s?(?=\d)", "number "),
    rule(r"~\s?(?=\d)", "about "),
    rule(r"(?<!\w)['’](?=\d\d\b)", ""),
    rule(r"(?<=\d)-(?=[a-z])|(?<=[a-z])-(?=\d)", " "),
    rule(rf"({NUMBER})(?:\.(?=\d))?", lambda m: f" {numbers.decimal(m[1])} "),
)
_SYMBOLS: Final[tuple[Rule, ...]] = (
    rule(r"\s?°\s?([CF])\b", lambda m: f" degrees {'Celsius' if m[1] in 'cC' else 'Fahrenheit'}"),
    rule(r"\s?°", " degrees"),
    rule(r"&", " and "),
    rule(r"@", " at "),
    rule(r"(?<=\S)\s*=\s*(?=\S)", " equals "),
    rule(r"(?:^|\s)\+\s*(?=\w)|\s\+\s|(?<=[\w+])\+(?!\w)", " plus "),
    rule(r"×", " times "),
    rule(r"²", " squared "),
    rule(r"³", " cubed "),
    rule(r"±", " plus or minus "),
    rule(r"\band\s?/\s?or\b", "or"),
    rule(r"(?<=\w)\s*/\s*(?=\w)", " or "),
    rule(r"\be\.g\.,?", "for example"),
    rule(r"\bi\.e\.,?", "that is"),
    rule(r"\betc\b\.?(?=\s*[A-Z]|\s*$)", "and so on."),
    rule(r"\betc\b\.?", "and so on"),
)

RULES: Final = (
    *_ADDRESSES, *_SHAPES, *money.RULES, *dates.RULES, *codes.RULES, *_NUMBERS, *_SYMBOLS
)  # fmt: skip

"""Amounts of money as they are said in English: sign before or behind, ranges, thousands, cents."""

from __future__ import annotations

import re
from re import Match
from typing import Final

from voxbus.common.speech import numbers
from voxbus.common.speech.rules import Rule, rule

#: One, several; of the small unit, too.
_UNITS: Final = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "€": ("euro", "euros", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "₹": ("rupee", "rupees", "paisa", "paise"),
    "¥": ("yen", "yen", "sen", "sen"),
    "CHF": ("Swiss franc", "Swiss francs", "centime", "centimes"),
}
_CODES: Final = {
    "USD": "US$", "CAD": "CA$", "AUD": "A$", "NZD": "NZ$", "EUR": "€", "GBP": "£", "INR": "₹", "JPY": "¥", "CHF": "CHF"
}  # fmt: skip
_COUNTRIES: Final = {
    "US": "US", "CA": "Canadian", "C": "Canadian", "AU": "Australian", "A": "Australian", "NZ": "New Zealand",
    "HK": "Hong Kong",
}  # fmt: skip
_SCALES: Final = {"k": "thousand", "m": "million", "b": "billion", "bn": "billion"}

_CODE: Final = rf"(?-i:\b(?:{'|'.join(_CODES)})\b)"
_SIGN: Final = rf"(?:(?:(?<![a-z])(?:{'|'.join(_COUNTRIES)}))?\$|[€£¥₹]|{_CODE})"
_BEHIND: Final = rf"(?:[$€£¥₹](?!\s?\d)|{_CODE})"
#: Also as the continent writes it: 1.234,50.
_AMOUNT: Final = (
    r"(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,3}(?:\.\d{3})+,\d\d(?!\d)|\d+,\d\d(?!\d|,\d)|\d+(?:\.\d+)?)"
)
_SCALE: Final = r"(?:\s?(thousand|million|billion|trillion|bn|[kmb])\b)?"


def _money(sign: str, amount: str, scale: str | None) -> str:
    sign = _CODES.get(sign, sign)
    country = "" if sign in _UNITS else sign.rstrip("$").upper()
    one, many, small, smalls = _UNITS[sign if not country else "$"]
    if country:
        one, many = f"{_COUNTRIES[country]} {one}", f"{_COUNTRIES[country]} {many}"
    if re.search(r",\d\d$", amount):
        amount = amount.replace(".", "").replace(",", ".")
    if scale:
        return f"{numbers.decimal(amount)} {_SCALES.get(scale.lower(), scale)} {many}"
    whole, _, cents = amount.replace(",", "").partition(".")
    if len(cents) not in (0, 2):
        return f"{numbers.decimal(amount)} {many}"
    said = f"{numbers.cardinal(int(whole))} {one if int(whole) == 1 else many}"
    coins = int(cents or "0")
    if not coins:
        return said
    of_coins = f"{numbers.cardinal(coins)} {small if coins == 1 else smalls}"
    return f"{said} and {of_coins}" if int(whole) else of_coins


def _range(sign: str, low: str, low_scale: str | None, high: str, high_scale: str | None) -> str:
    return f"{_money(sign, low, low_scale or high_scale)} to {_money(sign, high, high_scale)}"


def _negative(found: Match[str]) -> str:
    return f"minus {found[1] or ''}"


RULES: Final[tuple[Rule, ...]] = (
    rule(rf"(?:(?<=\s)|(?<=\()|^)[-−–](?={_SIGN}\s?\d)()", _negative),
    rule(rf"({_SIGN})\s?[-−](?=\d)", _negative),
    rule(
        rf"({_SIGN})\s?({_AMOUNT}){_SCALE}(?:\s?[-–—]\s?\1\s?|[-–—])({_AMOUNT}){_SCALE}(?![-–\d])",
        lambda m: _range(m[1], m[2], m[3], m[4], m[5]),
    ),
    rule(rf"({_SIGN})\s?({_AMOUNT}){_SCALE}", lambda m: f" {_money(m[1], m[2], m[3])} "),
    rule(
        rf"(?<![\d.,-])({_AMOUNT})\s?[-–—]\s?({_AMOUNT}){_SCALE}\s?({_BEHIND})",
        lambda m: _range(m[4], m[1], None, m[2], m[3]),
    ),
    rule(rf"(?<![\d.,])({_AMOUNT}){_SCALE}\s?({_BEHIND})", lambda m: f" {_money(m[3], m[1], m[2])} "),
    rule(r"(?<![\d.,])(\d+)\s?¢", lambda m: f"{numbers.cardinal(int(m[1]))} cent{'s' if m[1] != '1' else ''} "),
)  # fmt: skip

"""Telephone numbers: how they are written, and where they ring. Pure."""

from __future__ import annotations

import re
from typing import Final

import phonenumbers
from phonenumbers import timezone as numbering

# [0-9], because \d takes the digits of every script. https://www.itu.int/rec/T-REC-E.164
_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_NOWHERE: Final = "Etc/Unknown"


def is_e164(text: str) -> bool:
    """Whether it is written as E.164, and as long as numbers of that country are."""
    if _E164.fullmatch(text) is None:
        return False
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(text))
    except phonenumbers.NumberParseException:
        return False


def normalize(text: str) -> str:
    """E.164, of a number as people write it: spaces, brackets, hyphens. Raises ValueError, which does not repeat it."""
    try:
        number = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        raise ValueError("not a telephone number: expected + and the country code first") from None
    if number.extension:
        raise ValueError("a number with an extension cannot be dialled")
    if not phonenumbers.is_possible_number(number):
        raise ValueError("not a telephone number: its length is wrong for its country")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def is_assigned(number: str) -> bool:
    """Whether its country has numbers like this one. ``number`` is E.164."""
    return phonenumbers.is_valid_number(phonenumbers.parse(number))


def zones_of(number: str) -> tuple[str, ...]:
    """The time zones in which it may ring: one for a town, many for a toll-free number, none when nobody knows."""
    zones = numbering.time_zones_for_number(phonenumbers.parse(number))
    return tuple(sorted(zone for zone in zones if zone != _NOWHERE))

"""Telephone numbers: how they are written, and where they ring. Pure."""

from __future__ import annotations

import re
from typing import Final

import phonenumbers
from phonenumbers import timezone as numbering

# [0-9], because \d takes the digits of every script. https://www.itu.int/rec/T-REC-E.164
_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_NOWHERE: Final = "Etc/Unknown"
#: Numbers that no country has, but that somebody's telephone may show.
_SHOWN: Final = re.compile(r"\+[0-9]{7,15}")
_BETWEEN: Final = re.compile(r"[\s().-]")
#: What carriers show for a number that is withheld: a word, by the letters on the keys.
_KEYS: Final = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "22233344455566677778889999")
_WITHHELD: Final = frozenset(
    f"+{word.translate(_KEYS)}" for word in ("ANONYMOUS", "RESTRICTED", "BLOCKED", "UNKNOWN", "UNAVAILABLE")
)


def is_e164(text: str) -> bool:
    """Whether it is written as E.164, and as long as numbers of that country are. One number may be written in several
    such ways: ``normalize`` before it is kept or compared.
    """
    if _E164.fullmatch(text) is None:
        return False
    try:
        normalize(text)
    except ValueError:
        return False
    return True


def normalize(text: str) -> str:
    """E.164, of a number as people write it: with spaces, hyphens, or the zero that is dialled inside the country.

    Raises ValueError, which does not repeat it.
    """
    try:
        number = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        raise ValueError("not a telephone number: expected + and the country code first") from None
    if number.extension:
        raise ValueError("a number with an extension cannot be dialled")
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    if not phonenumbers.is_possible_number(number) or _E164.fullmatch(written) is None:
        raise ValueError("not a telephone number: its length is wrong for its country")
    # Of two such zeros one is taken away at a time.
    return written if written == text else normalize(written)


def kept_as(text: str) -> str:
    """How the number of somebody who called, or who is asked about, is kept and looked for. Raises ValueError.

    E.164; but carriers tell of callers with numbers that their country does not have, or no longer: those as they came.
    """
    plain = _BETWEEN.sub("", text)
    if plain in _WITHHELD:
        raise ValueError("not a telephone number: it says that the number is withheld")
    try:
        return normalize(text)
    except ValueError:
        if _SHOWN.fullmatch(plain) is None:
            raise
        return plain


def same(text: str, kept: str) -> bool:
    """Whether what a carrier, or a log, wrote is the number that we keep as ``kept``."""
    try:
        return kept_as(text) == kept
    except ValueError:
        return False


def is_assigned(number: str) -> bool:
    """Whether its country has numbers like this one. ``number`` is E.164."""
    return phonenumbers.is_valid_number(phonenumbers.parse(number))


def zones_of(number: str) -> tuple[str, ...]:
    """The time zones in which it may ring: one for a town, many for a toll-free number, none when nobody knows."""
    zones = numbering.time_zones_for_number(phonenumbers.parse(number))
    return tuple(sorted(zone for zone in zones if zone != _NOWHERE))

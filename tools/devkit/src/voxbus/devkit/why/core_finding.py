"""Something in a call that does not happen when all is well."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """``at_s``: Unix time. ``turn`` 0: of no turn. ``text``: plain words, and nothing of what anybody said."""

    at_s: float
    turn: int
    text: str


def count(number: int, noun: str) -> str:
    """``1 frame``, ``2 frames``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def seconds(value: float) -> str:
    return f"{value:.1f} s"

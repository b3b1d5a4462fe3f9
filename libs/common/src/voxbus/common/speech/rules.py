"""Rules that rewrite a text: a pattern, and what stands in its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from re import Match
from typing import Final

Rule = tuple[re.Pattern[str], str | Callable[[Match[str]], str]]

#: A number as English writes it.
NUMBER: Final = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"


def rule(pattern: str, put: str | Callable[[Match[str]], str], flags: int = re.IGNORECASE) -> Rule:
    return re.compile(pattern, flags), put


def rewrite(text: str, rules: Iterable[Rule]) -> str:
    for pattern, put in rules:
        text = pattern.sub(put, text)
    return text

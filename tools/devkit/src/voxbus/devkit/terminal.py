"""Colours and times for a person at a terminal. Nothing is coloured where nobody looks (a pipe, ``NO_COLOR``)."""

from __future__ import annotations

import os
import sys
import unicodedata
from datetime import datetime

_CODES = {
    "red": 31,
    "green": 32,
    "yellow": 33,
    "blue": 34,
    "magenta": 35,
    "cyan": 36,
    "grey": 90,
    "bold": 1,
}

#: One colour a service, the same in every command.
SERVICE_COLOURS = {"gateway": "cyan", "stt": "green", "llm": "magenta", "tts": "blue", "reporter": "yellow"}


def coloured(text: str, colour: str) -> str:
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):  # https://no-color.org
        return text
    return f"\x1b[{_CODES[colour]}m{text}\x1b[0m"


def plain(text: str) -> str:
    """``text`` that others wrote, as it may be shown: what a terminal would obey rather than show is written out.

    Lines too, so that nobody writes one that looks like ours, and marks that turn the direction of writing.
    """
    return "".join(
        char if char.isprintable() or unicodedata.category(char) == "Zs" else ascii(char)[1:-1]
        for char in text
    )


def service(name: str) -> str:
    """``llm-0`` in the colour of its service, padded to a column."""
    return coloured(f"{name:<10}", SERVICE_COLOURS.get(name.partition("-")[0], "grey"))


def clock(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s).astimezone().strftime("%H:%M:%S.%f")[:-3]

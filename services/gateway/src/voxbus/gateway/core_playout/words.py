"""Which words were in the part of a sentence that was played.

No carrier and few synthesizers say when a word sounds, so words share the sentence's duration in proportion to their
letters. That is a word off at worst, on sentences of this length; what counts is that history never holds more than
about what the caller heard.
"""

from __future__ import annotations

import re

_WORD = re.compile(r"\S+")

#: English text has about 5.7 characters a word, its space included.
_CHARACTERS_A_WORD = 5.7

#: A word whose end was cut by less is understood.
_TOLERANCE_MS = 60.0


def expected_ms(text: str, words_per_minute: int) -> float:
    """How long ``text`` will sound, before it is known."""
    return len(text) / _CHARACTERS_A_WORD * 60_000 / words_per_minute


def heard_words(text: str, played_ms: float, total_ms: float) -> str:
    """The words that had ended after ``played_ms``, as they stand in ``text``."""
    heard = 0
    for end, end_ms in _ends(text, total_ms):
        if end_ms > played_ms + _TOLERANCE_MS:
            break
        heard = end
    return text[:heard]


def word_start_ms(text: str, played_ms: float, total_ms: float) -> float:
    """Where the word that was cut at ``played_ms`` begins: to go on there leaves no word in halves."""
    start = 0.0
    for _, end_ms in _ends(text, total_ms):
        if end_ms > played_ms:
            break
        start = end_ms
    return min(start, played_ms)


def _ends(text: str, total_ms: float) -> list[tuple[int, float]]:
    """(index in the text, ms) of the end of each word."""
    words = [(found.end(), len(found.group()) + 1) for found in _WORD.finditer(text)]
    weight = sum(size for _, size in words)
    ends = []
    so_far = 0
    for end, size in words:
        so_far += size
        ends.append((end, total_ms * so_far / weight))
    return ends

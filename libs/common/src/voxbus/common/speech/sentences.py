"""Cuts a stream of text into sentences, as early as it is certain where one ends.

Where the chunks of the stream begin and end makes no difference, and no text is ever dropped: the pieces together are
the text. A terminator is believed once the next word has begun, so that "3." may still become "3.5".
"""

from __future__ import annotations

import re
from typing import Final

#: A piece is never longer: a TTS provider should begin to speak before it has read a paragraph.
MAX_CHARACTERS: Final = 200
#: The first piece of a reply may leave at a clause that has this many words: it is what the caller waits for.
EAGER_WORDS: Final = 6
#: Shorter sentences join the next one: by themselves they sound cut off, and each costs a synthesis.
_FRAGMENT_WORDS: Final = 3

_TERMINATORS: Final = ".!?…。！？"
_WIDE: Final = "。！？"  # no blank follows these
_CLAUSE: Final = ",;:—–"
_CLOSERS: Final = "\"'”’»)]}*_`"
_WORD = re.compile(r"[^\W_]+(?:['’.,:/@-][^\W_]+)*")
_DOTTED = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]")  # "J", "U.S", "p.m"
_LIST_MARK = re.compile(r"\d{1,3}")
_ABBREVIATIONS: Final = frozenset(
    """
    mr mrs ms mx dr prof rev hon capt lt sgt gen sr jr st ave blvd rd apt vs etc eg ie cf al approx est dept inc ltd
    co corp jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thurs fri hr hrs min mins sec tel
    ext fig vol
    """.split()  # noqa: SIM905 - a column of words would fill the screen
)
#: Abbreviations only before a number, else words: "No. 5" and "No. I can't."
_BEFORE_NUMBERS: Final = frozenset({"no", "nos", "p", "pp", "ch", "art"})


class SentenceCutter:
    """``eager``: the first piece may end at a clause, after six words."""

    def __init__(self, *, eager: bool = True) -> None:
        self._eager = eager
        self._text = ""  # what has not left yet; begins with a character that is no blank
        self._at = 0  # how far of it boundaries have been looked for
        self._ended = False

    def feed(self, text: str) -> list[str]:
        """The sentences that ``text`` completed."""
        self._text += text
        return self._pieces()

    def flush(self) -> list[str]:
        """The rest: the stream is over."""
        self._ended = True
        pieces = self._pieces()
        rest = self._text.strip()
        self._text, self._at, self._ended = "", 0, False
        return [*pieces, rest] if rest else pieces

    def _pieces(self) -> list[str]:
        pieces: list[str] = []
        while True:
            if not self._at:
                self._text = self._text.lstrip()
            end = self._next_end()
            if end is None:
                return pieces
            pieces.append(self._text[:end].strip())
            self._text, self._at, self._eager = self._text[end:], 0, False

    def _next_end(self) -> int | None:
        """Where the next piece ends; None: not certain yet."""
        while self._at < min(len(self._text), MAX_CHARACTERS):
            end = self._boundary(self._at)
            if end is None and not self._ended:
                return None  # a terminator, and what follows it has not come yet
            if end and len(self._text[:end].strip()) <= MAX_CHARACTERS and self._is_piece(end):
                return end
            self._at += 1
        return _cut_long(self._text) if len(self._text.rstrip()) > MAX_CHARACTERS else None

    def _is_piece(self, end: int) -> bool:
        piece = self._text[:end]
        if piece.rstrip()[-1] in _CLAUSE:
            return self._eager and len(_WORD.findall(piece)) >= EAGER_WORDS
        return len(_WORD.findall(piece)) >= _FRAGMENT_WORDS

    def _boundary(self, at: int) -> int | None:
        """The end of a sentence or clause whose last character is ``at``; 0: none ends here; None: not known yet."""
        text = self._text
        mark = text[at]
        if mark == "\n":
            return at + 1
        if mark in _WIDE:
            return at + 1
        if mark not in _TERMINATORS and mark not in _CLAUSE:
            return 0
        end = at + 1
        while end < len(text) and text[end] in _CLOSERS:
            end += 1
        if end == len(text):
            return None
        if not text[end].isspace():
            return 0
        following = text[end:].lstrip()
        if not following:
            return None
        if mark in _CLAUSE:
            return end
        return 0 if self._goes_on(at, end, following[0]) else end

    def _goes_on(self, at: int, end: int, following: str) -> bool:
        """Whether the terminator at ``at`` ends no sentence."""
        text = self._text
        if following.islower() and (end > at + 1 or text[at] == "…" or text[at - 1 : at] == "."):
            return True  # "Really?" she said; well... maybe
        if text[at] != ".":
            return False
        token = text[:at].split()[-1].lstrip("\"'(“‘[*_") if text[:at].strip() else ""
        if _DOTTED.fullmatch(token) or token.lower() in _ABBREVIATIONS:
            return True
        if token.lower() in _BEFORE_NUMBERS and following.isdigit():
            return True
        line = text[:at].rpartition("\n")[2].strip()
        return line == token and _LIST_MARK.fullmatch(token) is not None


def fit(text: str, limit: int = MAX_CHARACTERS) -> list[str]:
    """``text`` in pieces of at most ``limit`` characters; nothing for an empty text."""
    pieces = []
    while len(text) > limit:
        end = _cut_long(text, limit)
        pieces.append(text[:end].strip())
        text = text[end:].strip()
    return [*pieces, text] if text else pieces


def _cut_long(text: str, limit: int = MAX_CHARACTERS) -> int:
    """Where to cut what has no end in time: after a sentence, else a clause, else a word, else in the middle."""
    window = text[: limit + 1]
    for pattern in (r"[.!?…]\S{0,2}\s", rf"[{_CLAUSE}]\s", r"\s"):
        ends = [found.end() for found in re.finditer(pattern, window) if found.start() > limit // 3]
        if ends:
            return ends[-1]
    return limit

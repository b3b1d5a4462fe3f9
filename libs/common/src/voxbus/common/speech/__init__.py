"""Text for the ear: cut into sentences as it streams in, and written as it is said.

Whoever speaks and whoever renders ahead must come to the same sentences, because a clip is found by its text: both go
through ``spoken`` (a whole line) or ``SpeechCutter`` (a stream), which agree.
"""

from __future__ import annotations

from voxbus.common.speech.ear import for_ear
from voxbus.common.speech.sentences import MAX_CHARACTERS, SentenceCutter, fit

__all__ = ["MAX_CHARACTERS", "SentenceCutter", "SpeechCutter", "for_ear", "spoken"]


class SpeechCutter:
    """A stream of text in, sentences for the ear out. What cannot be said (a URL, an emoji) leaves no sentence."""

    def __init__(self, language: str = "en-US", *, eager: bool = True) -> None:
        self._cutter = SentenceCutter(eager=eager)
        self._language = language

    def feed(self, text: str) -> list[str]:
        return self._said(self._cutter.feed(text))

    def flush(self) -> list[str]:
        return self._said(self._cutter.flush())

    def _said(self, pieces: list[str]) -> list[str]:
        # Numbers grow when they become words, so what fitted before may not fit after.
        return [part for piece in pieces for part in fit(for_ear(piece, self._language))]


def spoken(text: str, language: str = "en-US") -> tuple[str, ...]:
    """The sentences in which a fixed line is said. Nobody waits for its first words: no piece ends at a clause."""
    cutter = SpeechCutter(language, eager=False)
    return (*cutter.feed(text), *cutter.flush())

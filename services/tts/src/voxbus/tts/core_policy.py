"""What to do when a voice fails in a sentence.

    asked voice -> (its process died: once more, from where it stopped) -> default voice -> spare voices -> clip

A sentence is never dropped in silence: at the end stands the agent's own prepared fallback line.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from voxbus.common.agents import Voice

#: Causes that say nothing about voice or text: the same again may well succeed.
CHANCE: Final = frozenset({"crashed", "stalled"})


#: No voice of the provider works now.
WHOLE_PROVIDER: Final = "unavailable"


@dataclass(frozen=True)
class Say:
    """Speak the sentence with ``voice`` and leave out the first ``skip_bytes``, which have left already."""

    voice: Voice
    skip_bytes: int = 0


@dataclass(frozen=True)
class SayClip:
    """No voice is left: the prepared fallback line."""


class Attempts:
    """One sentence's way through the voices. ``voices``: best first, repetitions are left out."""

    def __init__(self, voices: Iterable[Voice]) -> None:
        self._left = list(dict.fromkeys(voices))
        self._repeated = False
        if not self._left:
            raise ValueError("there is no voice to begin with")

    def first(self) -> Say:
        return Say(self._left[0])

    def failed(self, cause: str, sent_bytes: int) -> Say | SayClip:
        """What comes after a failure for ``cause`` (a ProviderError's), when ``sent_bytes`` were on their way."""
        if cause in CHANCE and not self._repeated:
            self._repeated = (
                True  # once a sentence: one that kills its process again has done so for a reason
            )
            return Say(self._left[0], skip_bytes=sent_bytes)
        failed = self._left.pop(0)
        if cause == WHOLE_PROVIDER:
            self._left = [voice for voice in self._left if voice.provider != failed.provider]
        # Another voice has another timing: it says the sentence from its beginning, as a person would.
        return Say(self._left[0]) if self._left else SayClip()

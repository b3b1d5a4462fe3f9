"""What to do when a voice fails in a sentence.

    failure                                            what says the sentence then
    -------------------------------------------------  -------------------------------------------------------------
    a process of the provider died, or hangs           the same voice, once, from where it stopped
    the voice cannot say this text, does not exist     another voice: the default one, spare ones, other providers'
    the provider refuses, stalls, is not there         another provider's voice
    the connection broke, and nobody else is there     the same voice, once, from the beginning
    nobody is left                                     the agent's own prepared fallback line

A sentence is never dropped in silence.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from voxbus.common.agents import Voice

#: Causes that say nothing about voice or text: the same again may well succeed.
CHANCE: Final = frozenset({"crashed", "stalled"})
#: A connection that broke says nothing about the next one.
BROKE: Final = frozenset({"connection", "cut_off", "malformed"})
#: No voice of the provider works now.
WHOLE_PROVIDER: Final = BROKE | {
    "unavailable", "auth", "quota", "rate_limited", "overloaded", "server_error", "timeout", "first_audio_timeout",
    "paused",
}  # fmt: skip


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
        if cause in WHOLE_PROVIDER:
            self._left = [voice for voice in self._left if voice.provider != failed.provider]
        # Another voice, and the same one of a vendor, has another timing: it says the sentence from its beginning, as a
        # person would.
        if self._left:
            return Say(self._left[0])
        if cause in BROKE and not self._repeated:
            self._repeated = True
            self._left = [failed]
            return Say(failed)
        return SayClip()

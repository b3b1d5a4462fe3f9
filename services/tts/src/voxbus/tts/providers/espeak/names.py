"""How voices are called: by language tag (``en-us``), identifier (``gmw/en-US``), file (``en-US``) or full name
(``English (America)``), each with an optional ``+variant`` (``en-us+f3``). Case does not count.
"""

from __future__ import annotations

from collections.abc import Iterable

from voxbus.tts.providers.espeak.wire import VoiceInfo

_LAST_RESORT = "gmw/en"


class Catalogue:
    def __init__(self, voices: Iterable[VoiceInfo], variants: Iterable[str]) -> None:
        self._voices = {voice.identifier: voice for voice in voices}
        self._variants = {variant.lower(): variant for variant in variants}
        self._by_name: dict[str, str] = {}
        # Later entries do not replace earlier ones: an exact identifier beats a language that several voices speak.
        for name_of in (_identifier, _file, _full_name):
            for voice in self._voices.values():
                self._by_name.setdefault(name_of(voice).lower(), voice.identifier)
        for rank in range(max((len(v.languages) for v in self._voices.values()), default=0)):
            for voice in self._voices.values():
                if rank < len(voice.languages):
                    self._by_name.setdefault(voice.languages[rank].lower(), voice.identifier)

    def find(self, name: str) -> str | None:
        """The identifier, with the variant if one was named; None when there is no such voice or variant."""
        base, plus, variant = name.strip().lower().partition("+")
        found = self._by_name.get(base)
        if found is None or not plus:
            return found
        known = self._variants.get(variant)
        return None if known is None else f"{found}+{known}"

    def spares(self, identifier: str) -> list[str]:
        """What may stand in for a voice: itself without its variant, another of its language, English."""
        base, plus, _ = identifier.partition("+")
        found = [base] if plus else []
        if base in self._voices:
            language = _primary(self._voices[base])
            others = (v for v in self._voices.values() if _primary(v) == language and v.identifier != base)
            found += [voice.identifier for voice in others][:1]
        if _LAST_RESORT in self._voices:
            found.append(_LAST_RESORT)
        return [spare for spare in dict.fromkeys(found) if spare != identifier]

    def known(self) -> str:
        """All there are, for a message."""
        tags = sorted({voice.languages[0] for voice in self._voices.values() if voice.languages})
        return (
            f"{', '.join(tags)}; each also as NAME+VARIANT with {', '.join(sorted(self._variants.values()))}"
        )


def _identifier(voice: VoiceInfo) -> str:
    return voice.identifier


def _file(voice: VoiceInfo) -> str:
    return voice.identifier.rpartition("/")[2]


def _full_name(voice: VoiceInfo) -> str:
    return voice.name


def _primary(voice: VoiceInfo) -> str:
    return voice.languages[0].partition("-")[0] if voice.languages else ""

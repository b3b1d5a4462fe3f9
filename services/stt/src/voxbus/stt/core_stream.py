"""A call's speech on a provider's stream: which words belong to which stretch of it.

Providers that stream hear one endless line of audio and number time by it. We give them speech only, with silence in
between, and read their words by where in that line they end.

    speech      ____aaaa________bbbbb______
    the line    aaaa____bbbbb__ ...            positions in ms of audio that was sent
    heard       until 400: a    until 1100: b

When a connection breaks the line begins anew, with what of the speech nobody has understood yet.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

BYTES_PER_MS: Final = 8
#: What is kept of a stretch, to be said again on a new connection: no turn is longer.
_KEPT_BYTES: Final = 60_000 * BYTES_PER_MS


@dataclass(frozen=True)
class Heard:
    """Words of a provider. ``turn``: whose text this is, all of it; a later text of the same turn takes its place.

    ``until_ms``: where on the line it ends; None = of the oldest stretch that is not over. ``ended``: the turn is over;
    ``confidence`` then is how sure the provider is of that, else of the words. ``flushed``: what was asked for (the end
    of a turn, or an early look) is answered with it. ``guessed``: the turn may be over; ``resumed``: it was not.
    """

    turn: int
    text: str
    until_ms: float | None = None
    ended: bool = False
    confidence: float = 1.0
    flushed: bool = False
    guessed: bool = False
    resumed: bool = False


@dataclass
class Stretch:
    """``start_ms`` on the line of the present connection. ``closed``: no more audio comes. ``done``: nothing more will
    be heard of it either. ``asked``, ``answered``: how often the provider was asked for what it has."""

    start_ms: float = 0.0
    audio: bytearray = field(default_factory=bytearray)
    closed: bool = False
    done: bool = False
    asked: int = 0
    answered: int = 0
    confidence: float = 1.0
    texts: dict[int, str] = field(default_factory=dict)
    open_turns: set[int] = field(default_factory=set)

    @property
    def text(self) -> str:
        return " ".join(text for _, text in sorted(self.texts.items()) if text)

    @property
    def understood(self) -> bool:
        """Everything that was heard of it so far has come to its end."""
        return bool(self.texts) and not self.open_turns


class Line:
    """Bookkeeping of one call; moves nothing."""

    def __init__(self) -> None:
        self.sent_ms = 0.0
        self.stretches: list[Stretch] = []

    def begin(self) -> Stretch:
        stretch = Stretch(self.sent_ms)
        self.stretches.append(stretch)
        return stretch

    def sent(self, size_bytes: int) -> None:
        """Audio, or silence, went out."""
        self.sent_ms += size_bytes / BYTES_PER_MS

    def keep(self, stretch: Stretch, audio: bytes) -> None:
        stretch.audio += audio
        del stretch.audio[:-_KEPT_BYTES]

    def forget(self, stretch: Stretch) -> None:
        """Nobody waits for it any more; what is heard of it from now on is nobody's."""
        stretch.done = True
        while self.stretches and self.stretches[0].done and len(self.stretches) > 1:
            self.stretches.pop(0)

    def take(self, heard: Heard) -> Stretch | None:
        """Whose words these are; None = nobody's."""
        stretch = self._asker() if heard.flushed else self._owner(heard.until_ms)
        if stretch is None or stretch.done:
            return None
        stretch.answered += heard.flushed
        stretch.texts[heard.turn] = heard.text
        if heard.ended:
            stretch.open_turns.discard(heard.turn)
        else:
            stretch.open_turns.add(heard.turn)
            stretch.confidence = heard.confidence
        return stretch

    def _asker(self) -> Stretch | None:
        return next((s for s in self.stretches if not s.done and s.answered < s.asked), None)

    def _owner(self, until_ms: float | None) -> Stretch | None:
        if until_ms is None:
            return next((stretch for stretch in self.stretches if not stretch.done), None)
        begun = [stretch for stretch in self.stretches if stretch.start_ms < until_ms]
        return begun[-1] if begun else None

    def renew(self) -> list[Stretch]:
        """The line begins anew: the stretches that have to be said again, in their order, as if nothing had been heard
        of them."""
        self.sent_ms = 0.0
        again = [stretch for stretch in self.stretches if not stretch.done]
        self.stretches = again
        for stretch in again:
            stretch.texts.clear()
            stretch.open_turns.clear()
            stretch.asked = stretch.answered = 0
        return again

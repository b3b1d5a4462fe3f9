"""The replies of a call: the one that is played, and the one that is due after it."""

from __future__ import annotations

from voxbus.common.codec import AudioOut
from voxbus.gateway.core_playout.assembly import MAX_SENTENCE_BYTES, SentenceAudio
from voxbus.gateway.core_playout.lines import Key, Reply


class Agenda:
    """``following`` is due, but held (tentative), or behind a sentence that may not be interrupted."""

    def __init__(self) -> None:
        self.current: Reply | None = None
        self.following: Reply | None = None
        self._passed: Key = (0, 0)
        self._early: dict[tuple[int, int, int], SentenceAudio] = {}

    def find(self, key: Key) -> Reply | None:
        return next((r for r in (self.current, self.following) if r is not None and r.key == key), None)

    def is_past(self, key: Key) -> bool:
        """Whatever comes for it is void."""
        return key <= self._passed

    def put(self, reply: Reply) -> None:
        """``reply`` is the next to be played."""
        if self.following is not None:
            self.pass_by(self.following.key)
        self.following = reply

    def pass_by(self, key: Key) -> None:
        """The reply ``key`` and those before it are over."""
        self._passed = max(self._passed, key)
        self._early = {at: audio for at, audio in self._early.items() if at[:2] > self._passed}

    def advance(self) -> bool:
        """Goes on to the following reply, if there is one and the current one is over."""
        if self.following is None or (self.current is not None and not self.current.over):
            return False
        if self.current is not None:
            self.pass_by(self.current.key)
        self.current, self.following = self.following, None
        return True

    # Audio and log are two connections: a sentence may be a moment behind its audio.

    def keep_early(self, piece: AudioOut, now_ms: float) -> bool:
        """False when there is no use, or no room, for it."""
        full = sum(audio.received for audio in self._early.values()) >= MAX_SENTENCE_BYTES
        if full or self.is_past((piece.turn, piece.attempt)):
            return False
        at = (piece.turn, piece.attempt, piece.sentence)
        return self._early.setdefault(at, SentenceAudio()).add(piece, now_ms)

    def early(self, turn: int, attempt: int, sentence: int) -> SentenceAudio | None:
        return self._early.get((turn, attempt, sentence))

    def take_early(self, turn: int, attempt: int, sentence: int) -> SentenceAudio | None:
        return self._early.pop((turn, attempt, sentence), None)

    def with_early(self, reply: Reply) -> Reply:
        """``reply`` with what was said of it before it was known here."""
        for line in reply.unsettled():
            line.audio = self.take_early(*reply.key, line.index) or line.audio
        return reply

"""Sentences and replies on their way to the caller."""

from __future__ import annotations

from collections.abc import Iterator

from voxbus.common.audio import bytes_of, ms_of
from voxbus.common.events import Sentence
from voxbus.common.turns import TurnState
from voxbus.gateway.core_playout.assembly import SentenceAudio
from voxbus.gateway.core_playout.clock import Run
from voxbus.gateway.core_playout.words import expected_ms, heard_words, word_start_ms

Key = tuple[int, int]
"""(turn, attempt): later replies have greater keys."""


class Line:
    """One sentence (``index``), or a clip that the player says by itself.

    ``sent``: all of it left, and its mark. ``settled``: its verdict is given. ``after_cut``: the next piece does not
    join on to the last, because that one was cut. ``notice``: it belongs to that of the recording.
    """

    __slots__ = (
        "after_cut", "audio", "index", "interruptible", "known_ms", "notice", "rate", "runs", "sent", "settled", "text",
        "turn", "underrun_ms",
    )  # fmt: skip

    def __init__(
        self, turn: int, index: int, text: str, rate: int, interruptible: bool, now_ms: float
    ) -> None:
        self.turn = turn
        self.index = index
        self.text = text
        self.rate = rate
        self.interruptible = interruptible
        self.known_ms = now_ms
        self.audio = SentenceAudio()
        self.runs: list[Run] = []
        self.underrun_ms = 0.0
        self.notice = ""
        self.sent = False
        self.settled = False
        self.after_cut = False

    @classmethod
    def of(cls, event: Sentence, now_ms: float) -> Line:
        line = cls(event.turn, event.index, event.text, event.voice.rate, event.interruptible, now_ms)
        line.notice = event.notice
        return line

    @property
    def total_ms(self) -> float:
        """How long it sounds: known once all of it is here, else guessed from the text."""
        received = ms_of(self.audio.received)
        return (
            received
            if self.audio.complete and not self.audio.closed
            else max(received, expected_ms(self.text, self.rate))
        )

    @property
    def first_ms(self) -> float:
        """When its first frame was to be heard."""
        return self.runs[0].start_ms

    def played(self, now_ms: float) -> int:
        """Bytes that were played, at most: a part that was said again counts once."""
        return max((run.played(now_ms) for run in self.runs), default=0)

    def finished(self, now_ms: float) -> bool:
        """All of it was played, by the clock."""
        return (
            self.sent
            and bool(self.runs)
            and self.runs[-1].end_ms <= now_ms
            and self.played(now_ms) >= self.audio.received
        )

    def heard_text(self, now_ms: float) -> str:
        return heard_words(self.text, ms_of(self.played(now_ms)), self.total_ms)

    def go_back_to_word(self, now_ms: float) -> None:
        """After a clear: the next piece begins with the word that was cut, or with the first one."""
        if not self.runs:
            return
        played = self.played(now_ms)
        start = bytes_of(word_start_ms(self.text, ms_of(played), self.total_ms))
        self.audio.rewind(start)
        self.runs = [run for run in self.runs if run.size]
        self.sent = False
        self.after_cut = True


class Reply:
    """The sentences of one (turn, attempt). ``held``: the utterance is tentative, nothing may sound yet.

    ``asked_ms``: since when it is waited for. ``spoke_ms``: the caller's last speech; ``prompted``: it is an answer to
    that. ``filled``: fillers so far, the last at ``filled_ms``; ``gave_up``: the fallback line was said.
    """

    __slots__ = (
        "asked_ms", "attempt", "cursor", "ended", "filled", "filled_ms", "gave_up", "held", "lines", "prompted",
        "spoke_ms", "turn",
    )  # fmt: skip

    def __init__(
        self,
        turn: int,
        attempt: int,
        *,
        asked_ms: float,
        spoke_ms: float,
        held: bool = False,
        prompted: bool = False,
    ) -> None:
        self.turn = turn
        self.attempt = attempt
        self.held = held
        self.prompted = prompted
        self.asked_ms = asked_ms
        self.spoke_ms = spoke_ms
        self.ended = False
        self.lines: dict[int, Line] = {}
        self.cursor = 0
        self.filled = 0
        self.filled_ms = 0.0
        self.gave_up = False

    @classmethod
    def restored(cls, turn: TurnState, now_ms: float) -> Reply:
        """As another gateway left it: what has no verdict will be spoken again, from its beginning."""
        held = not turn.confirmed
        reply = cls(turn.number, turn.attempt, asked_ms=now_ms, spoke_ms=now_ms, held=held)
        reply.ended = turn.reply_ended is not None
        for index, sentence in turn.sentences.items():
            reply.lines[index] = line = Line.of(sentence.event, now_ms)
            line.settled = sentence.verdict is not None
        return reply

    @property
    def key(self) -> Key:
        return self.turn, self.attempt

    def ordered(self) -> Iterator[Line]:
        for index in sorted(self.lines):
            yield self.lines[index]

    def unsettled(self) -> Iterator[Line]:
        return (line for line in self.ordered() if not line.settled)

    @property
    def begun(self) -> bool:
        """Some of it has left for the caller."""
        return any(line.runs for line in self.lines.values())

    @property
    def over(self) -> bool:
        """Nothing more comes, and every sentence has its verdict."""
        return self.ended and all(line.settled for line in self.lines.values())

    def current(self) -> Line | None:
        """The line to send next."""
        while (line := self.lines.get(self.cursor)) is not None and (line.sent or line.settled):
            self.cursor += 1
        return line

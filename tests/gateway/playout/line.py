"""A line on virtual time: a player, and a Twilio that plays what it gets exactly as its documentation says."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from voxbus.common import events as ev
from voxbus.common.agents import Voice
from voxbus.common.codec import AudioOut
from voxbus.common.events import Event
from voxbus.gateway.core_playout import Clear, Filled, Frames, Mark, Player, Publish, Timing

E = TypeVar("E", bound=Event)

CALL = "CA" + "0" * 32
STREAM = "MZ1"
TOKEN = 1_000_000


class Line:
    """Frames are heard in order and in real time; marks come back when their place was reached, or on clear."""

    def __init__(self, timing: Timing | None = None, *, inbound: bool = False) -> None:
        self.now = 1000.0
        self.player = Player(CALL, STREAM, lambda media_ms: 1000.0 + media_ms, timing)
        self.events: list[Event] = []
        self.filled: list[str] = []
        self.heard = bytearray()
        self.heard_at: list[float] = []  # when each frame in ``heard`` began
        self.marks_back: list[str] = []
        self.clears: list[float] = []
        self.most_ahead_ms = 0.0
        self._buffer: list[tuple[float, bytes | str]] = []
        self._free_at = 0.0
        self.keep_marks = False
        if inbound:
            self.player.expect_greeting(1, self.now)

    # What happens

    def log(self, *happened: Event) -> None:
        for event in happened:
            self.player.on_event(event, self.now)
            self._do()

    def audio(
        self,
        audio: bytes,
        *,
        turn: int = 1,
        attempt: int = 0,
        sentence: int = 0,
        offset: int = 0,
        last: bool = True,
        token: int = TOKEN,
    ) -> None:
        piece = AudioOut(turn, attempt, sentence, token, offset, last, 12.0, audio)
        self.player.on_audio(piece, self.now)
        self._do()

    def key(self) -> None:
        self.player.stop(self.now)
        self._do()

    def run(self, ms: float) -> None:
        """Time goes by, 20 ms a step."""
        for _ in range(round(ms / 20)):
            self.now += 20
            self._play()
            self.player.tick(self.now)
            self._do()

    # Shortcuts

    @staticmethod
    def sentence(
        index: int = 0, text: str = "One two three four.", turn: int = 1, **more: object
    ) -> ev.Sentence:
        event = ev.Sentence(call=CALL, turn=turn, index=index, text=text, voice=Voice())
        return replace(event, **more)  # type: ignore[arg-type]

    @staticmethod
    def utterance(turn: int = 2, **more: object) -> ev.Utterance:
        event = ev.Utterance(
            call=CALL, holder=1, turn=turn, text="hello", start_media_ms=0, end_media_ms=0, ended_by="silence"
        )
        return replace(event, **more)  # type: ignore[arg-type]

    @staticmethod
    def reply_ended(sentences: int = 1, turn: int = 1, attempt: int = 0) -> ev.ReplyEnded:
        return ev.ReplyEnded(call=CALL, turn=turn, attempt=attempt, sentences=sentences, reason="complete")

    @staticmethod
    def speech(media_ms: int = 0) -> ev.SpeechStarted:
        return ev.SpeechStarted(call=CALL, holder=1, media_ms=media_ms, over_agent=True)

    @staticmethod
    def barge_in(media_ms: int = 0) -> ev.BargeIn:
        return ev.BargeIn(call=CALL, holder=1, media_ms=media_ms, by="words")

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]

    # Twilio

    def _do(self) -> None:
        effects, self.player.effects[:] = list(self.player.effects), []
        for effect in effects:
            match effect:
                case Frames(audio):
                    assert audio, "nothing was sent"
                    assert len(audio) % 160 == 0
                    self._buffer += [(self.now, audio[at : at + 160]) for at in range(0, len(audio), 160)]
                case Mark(name):
                    self._buffer.append((self.now, name))
                case Clear():
                    self._clear()
                case Publish(event):
                    self.events.append(event)
                case Filled(kind):
                    self.filled.append(kind)
            self._play()
        waiting = sum(len(item) / 8 for _, item in self._buffer if isinstance(item, bytes))
        self.most_ahead_ms = max(self.most_ahead_ms, waiting + max(0.0, self._free_at - self.now))

    def _play(self) -> None:
        while self._buffer:
            arrived, item = self._buffer[0]
            starts = max(arrived, self._free_at)
            if starts > self.now:
                return
            del self._buffer[0]
            if isinstance(item, str):
                self._give_back(item)
            else:
                self.heard += item
                self.heard_at.append(starts)
                self._free_at = starts + 20

    def _clear(self) -> None:
        self.clears.append(self.now)
        unplayed = round(max(0.0, self._free_at - self.now) * 8)
        del self.heard[len(self.heard) - unplayed :]
        self._free_at = min(self._free_at, self.now)
        marks = [item for _, item in self._buffer if isinstance(item, str)]
        self._buffer.clear()
        for name in marks:
            self._give_back(name)

    def _give_back(self, name: str) -> None:
        if not self.keep_marks:
            self.marks_back.append(name)
            self.player.on_mark(name, self.now)
            self._do()

"""Lines to frames: at the pace of the line, a mark behind each sentence, faded where they are cut."""

from __future__ import annotations

from typing import Final

from voxbus.common.audio import FRAME_BYTES, FRAME_MS, SILENCE, bytes_of, fade_in, fade_out, ms_of
from voxbus.common.audio.fades import FADE_MS
from voxbus.gateway.core_playout.clock import PlayoutClock
from voxbus.gateway.core_playout.effects import Clear, Effect, Frames, Mark
from voxbus.gateway.core_playout.lines import Line, Reply
from voxbus.gateway.core_playout.timing import Timing

_PAD: Final = bytes([SILENCE])


class Sender:
    def __init__(self, effects: list[Effect], timing: Timing) -> None:
        self._effects = effects
        self._timing = timing
        self._marks: dict[str, Line] = {}
        self._marks_sent = 0
        self._marks_return = True
        self.clock = PlayoutClock()

    def may_send(self, now_ms: float) -> bool:
        return self.clock.ahead_ms(now_ms) <= self._timing.refill

    def feed(self, line: Line, now_ms: float) -> bool:
        """Sends of ``line`` what is there, as far ahead as is allowed. True when all of it has left."""
        audio = line.audio
        room = int((self._timing.ahead - self.clock.ahead_ms(now_ms)) / FRAME_MS) * FRAME_BYTES
        size = min(audio.available, max(room, 0))
        if not (audio.complete and size == audio.available):
            size -= size % FRAME_BYTES  # part of a frame waits for the rest of it
        if size:
            self._send(line, size, now_ms)
        return audio.done

    def _send(self, line: Line, size: int, now_ms: float) -> None:
        first = line.audio.taken
        audio = line.audio.take(size)
        if line.after_cut:
            audio = fade_in(audio) if first else audio
        elif line.runs:
            line.underrun_ms += max(0.0, now_ms - self.clock.end_ms)
        line.after_cut = False
        frames = audio.ljust(-(-size // FRAME_BYTES) * FRAME_BYTES, _PAD)
        run = self.clock.sent(now_ms, line, first, size, ms_of(len(frames)))
        if not line.runs or line.runs[-1] is not run:
            line.runs.append(run)
        self._effects.append(Frames(frames))

    def mark(self, reply: Reply, line: Line) -> None:
        """All of ``line`` was sent. A name is never used twice, so that a mark from before a clear is known as such."""
        line.sent = True
        self._marks_sent += 1
        name = f"{reply.turn}.{reply.attempt}.{line.index}.{self._marks_sent}"
        self._marks[name] = line
        self._effects.append(Mark(name))

    def audible(self, now_ms: float) -> Line | None:
        """What sounds now: by our clock, and after its end what has no mark back.

        A connection that stalls brings late, and all at once, what the caller's side heard meanwhile: the echo, too.
        The mark comes behind that.
        """
        run = self.clock.audible(now_ms)
        if run is not None:
            return run.line
        return next(iter(self._marks.values())) if self._marks and self._marks_return else None

    def returned(self, name: str) -> list[Line]:
        """The lines that were played, since this mark came back: its own and those before. None for a void mark."""
        if name not in self._marks:
            return []
        self._marks_return = True
        names = list(self._marks)
        return [self._marks.pop(one) for one in names[: names.index(name) + 1]]

    def overdue(self, now_ms: float) -> list[Line]:
        """Lines whose mark should have come back long ago."""
        late = [n for n, line in self._marks.items() if line.runs[-1].end_ms + self._timing.mark <= now_ms]
        if not late:
            return []
        lines = self.returned(late[-1])
        self._marks_return = False  # maybe none ever will: the next one is believed when it comes
        return lines

    @property
    def waits_for_marks(self) -> bool:
        return bool(self._marks)

    def clear(self, now_ms: float) -> None:
        """Stops what sounds, within 5 ms. Marks that are out come back now, and prove nothing any more."""
        run = self.clock.audible(now_ms)
        if self.clock.ahead_ms(now_ms) <= 0 and not self._marks:
            return
        self._effects.append(Clear())
        self._marks.clear()
        position = run.played(now_ms) if run is not None else 0
        self.clock.cut(now_ms)
        if run is not None and run.line is not None:
            tail = run.line.audio.peek(position, bytes_of(FADE_MS))
            if tail:
                self.clock.sent(now_ms, None, 0, 0, FRAME_MS)
                self._effects.append(Frames(fade_out(tail).ljust(FRAME_BYTES, _PAD)))

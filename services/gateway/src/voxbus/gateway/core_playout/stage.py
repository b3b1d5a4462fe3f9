"""The reply that is being played: its lines to the sender in order, and a verdict for each."""

from __future__ import annotations

from voxbus.common.audio import FRAME_BYTES
from voxbus.common.events import Paused
from voxbus.gateway.core_playout import guard, verdicts
from voxbus.gateway.core_playout.agenda import Agenda
from voxbus.gateway.core_playout.effects import Effect, Publish
from voxbus.gateway.core_playout.lines import Line, Reply
from voxbus.gateway.core_playout.patience import gave_up
from voxbus.gateway.core_playout.sender import Sender
from voxbus.gateway.core_playout.timing import Timing


class Stage:
    """``paused``: nothing may leave. ``cut_at_end``: the reply ends with the sentence that may not be interrupted.

    ``notified``: the caller has heard to its end that they are recorded. Who made the next reply could not know that
    while it was being said: what of it begins with the notice is left out.
    """

    def __init__(self, call: str, stream_sid: str, effects: list[Effect], timing: Timing) -> None:
        self._call = call
        self._stream_sid = stream_sid
        self._effects = effects
        self._timing = timing
        self.agenda = Agenda()
        self.sender = Sender(effects, timing)
        self.clip: Line | None = None
        self.paused: Paused | None = None
        self.cut_at_end = False
        self.notified = False
        self._notice_whole = False

    @property
    def reply(self) -> Reply | None:
        return self.agenda.current

    def pump(self, now_ms: float) -> None:
        """Sends what may be sent now."""
        reply, sender = self.reply, self.sender
        if self.paused is not None or not sender.may_send(now_ms):
            return
        if self.clip is not None:
            if not sender.feed(self.clip, now_ms):
                return
            self.clip = None
        if reply is None or reply.held:
            return
        while (line := reply.current()) is not None:
            if self.cut_at_end and line.interruptible:
                return
            if self.notified and line.notice and not line.runs:
                self.settle(line, now_ms, "")
                continue
            if sender.feed(line, now_ms):
                self._sent(reply, line, now_ms)
            elif line.audio.available >= FRAME_BYTES:
                return  # Twilio holds enough
            elif not gave_up(reply, line, sender.clock.end_ms, now_ms, self._timing):
                return

    def _sent(self, reply: Reply, line: Line, now_ms: float) -> None:
        """All that will ever be sent of ``line`` was."""
        if not line.audio.closed and line.runs:
            self.sender.mark(reply, line)
            return
        line.sent = True
        if line.audio.closed:  # the rest never came: a mark would not prove that it was heard
            self.settle(line, self.sender.clock.end_ms, "")
        else:  # there is nothing to be heard in it
            self.settle(line, now_ms, "clock")

    def say(self, audio: bytes, now_ms: float) -> None:
        turn, index = (self.reply.turn, self.reply.cursor) if self.reply is not None else (1, 0)
        self.clip = guard.clip_line(turn, index, audio, now_ms)
        self.pump(now_ms)

    def advance(self, now_ms: float) -> None:
        """Goes on to the next reply, if one is due and the current one is over."""
        if self.agenda.advance():
            self.pump(now_ms)

    def end(self, reply: Reply) -> None:
        """Nothing more of ``reply`` will be said."""
        self.agenda.pass_by(reply.key)
        self.agenda.current = None
        self.clip, self.paused, self.cut_at_end = None, None, False

    def must_finish(self, now_ms: float) -> bool:
        """A sentence that may not be interrupted has begun and is not over."""
        run = self.sender.clock.audible(now_ms)
        if run is not None and run.line is not None and not run.line.interruptible:
            return True
        line = self.reply.current() if self.reply is not None else None
        return line is not None and not line.interruptible and bool(line.runs)

    def settle(self, line: Line, now_ms: float, known_by: verdicts.KnownBy) -> None:
        """The verdict on ``line``, once."""
        if self.reply is not None and not line.settled:
            line.settled = True
            if line.notice and (line.audio.jumped or not line.runs or not line.audio.received):
                known_by = ""  # a mark says that what was sent was played, which is not all of it
            event = verdicts.heard(self._call, self._stream_sid, self.reply, line, now_ms, known_by)
            if line.notice:
                self._notice_whole = event.complete and (self._notice_whole or line.index == 0)
                self.notified |= self._notice_whole and line.notice == "end"
            self._effects.append(Publish(event))

    def settle_played(self, now_ms: float) -> None:
        """By the clock, for lines whose mark will not tell any more."""
        for line in list(self.reply.unsettled()) if self.reply is not None else ():
            if not line.finished(now_ms):
                return
            self.settle(line, now_ms, "clock")

"""The playout of one call: what leaves when, and the verdict on every sentence.

    utterance ---------> a reply is due ---> sentences, audio ---> frames, marks ---> heard
        |                      |                                       |
    tentative: held       dead air: clip                   speech over the agent: clear, hold
    until confirmed                                            |                  |
                                                      meant: interrupted   nothing: continued

Inputs are methods with the time (ms, monotonic); what is to be done lies in ``effects`` afterwards, in order. The
shell empties the list. Events must be those that count (``CallState.apply`` said True), in log order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from voxbus.common import events as ev
from voxbus.common.codec import AudioOut, AudioWanted
from voxbus.common.events import Event
from voxbus.common.fold import CallState
from voxbus.gateway.core_playout import guard, verdicts
from voxbus.gateway.core_playout.effects import Effect, Filled, Publish
from voxbus.gateway.core_playout.lines import Key, Line, Reply
from voxbus.gateway.core_playout.stage import Stage
from voxbus.gateway.core_playout.timing import Timing

_NOTHING: Final = (0, 0)


class Player:
    """``when``: at what time (ms, monotonic) the caller's frame with this media time came in.

    ``clips``: mu-law for dead air, by kind; may be filled at any time. ``dropped``: audio messages that were of no use.
    """

    def __init__(
        self, call: str, stream_sid: str, when: Callable[[int], float], timing: Timing | None = None
    ) -> None:
        self.effects: list[Effect] = []
        self.clips: dict[guard.Kind, tuple[bytes, ...]] = {}
        self.dropped = 0
        self._call = call
        self._stream_sid = stream_sid
        self._when = when
        self._timing = timing or Timing()
        self._stage = Stage(call, stream_sid, self.effects, self._timing)
        self._paused_ms = 0.0
        self._caller_speaks = False

    # What is known about the playout

    def audible(self, now_ms: float) -> tuple[int, int]:
        """(turn, sentence) that sounds now, or has no mark back yet; turn 0 = nothing."""
        line = self._stage.sender.audible(now_ms)
        return (line.turn, line.index) if line is not None else _NOTHING

    def silent_since(self, now_ms: float) -> float | None:
        """When the agent stopped, if it is silent and no clip is queued."""
        end = self._stage.sender.clock.end_ms
        return end if end <= now_ms and self._stage.clip is None else None

    @property
    def speaks(self) -> bool:
        """Some of the reply that is due has left for the caller, clips aside."""
        return self._stage.reply is not None and self._stage.reply.begun

    @property
    def busy(self) -> bool:
        """``tick`` has something to watch."""
        reply = self._stage.reply
        return (
            (reply is not None and not reply.over)
            or self._stage.agenda.following is not None
            or self._stage.clip is not None
            or self._stage.sender.waits_for_marks
        )

    # Inputs

    def expect_greeting(self, turn: int, now_ms: float) -> None:
        """A reply is due that nobody spoke for."""
        self._due(Reply(turn, 0, asked_ms=now_ms, spoke_ms=now_ms), now_ms)

    def restore(self, state: CallState, now_ms: float) -> None:
        """The call came from another gateway: TTS will speak again what has no verdict yet."""
        self._stage.notified = state.notified
        for number, turn in sorted(state.turns.items()):
            if not state.is_current(number, turn.attempt):
                self._stage.agenda.pass_by((number, turn.attempt))
            else:
                self._due(self._stage.agenda.with_early(Reply.restored(turn, now_ms)), now_ms)
        if not state.turns and state.started is not None and state.started.direction == "inbound":
            self.expect_greeting(1, now_ms)

    def on_event(self, event: Event, now_ms: float) -> None:
        match event:
            case ev.Utterance(backchannel=True):
                self._caller_speaks = False
                self._go_on(now_ms)
            case ev.Utterance():
                self._on_utterance(event, now_ms)
            case ev.UtteranceConfirmed():
                self._on_confirmed((event.turn, event.attempt), now_ms)
            case ev.UtteranceWithdrawn():
                self._on_withdrawn((event.turn, event.attempt), now_ms)
            case ev.Sentence():
                self._on_sentence(event, now_ms)
            case ev.ReplyEnded():
                reply = self._stage.agenda.find((event.turn, event.attempt))
                if reply is not None:
                    reply.ended = True
                    self._stage.advance(now_ms)
            case ev.SpeechStarted(over_agent=True):
                self._hold(event.media_ms, now_ms)
            case ev.SpeechStarted():
                self._caller_speaks = True
            case ev.BargeIn():
                reply = self._stage.reply
                if self._stage.paused is not None or (reply is not None and reply.begun):
                    self._interrupt(now_ms)
            case _:
                pass

    def on_audio(self, piece: AudioOut, now_ms: float) -> None:
        reply = self._stage.agenda.find((piece.turn, piece.attempt))
        line = reply.lines.get(piece.sentence) if reply is not None else None
        if line is None:
            used = self._stage.agenda.keep_early(piece, now_ms)
        else:
            used = not line.settled and line.audio.add(piece, now_ms)
            if used and reply is self._stage.reply:
                self._stage.pump(now_ms)
        self.dropped += not used

    def wanted_from(self, asked: AudioWanted) -> int | None:
        """See SentenceAudio.wanted_from; of a reply that is over nothing is wanted."""
        agenda = self._stage.agenda
        key = (asked.turn, asked.attempt)
        if agenda.is_past(key):
            return None
        reply = agenda.find(key)
        line = reply.lines.get(asked.sentence) if reply is not None else None
        if line is None:
            audio = agenda.early(*key, asked.sentence)
            return 0 if audio is None else audio.wanted_from(asked.token)
        return None if line.settled else line.audio.wanted_from(asked.token)

    def on_mark(self, name: str, now_ms: float) -> None:
        for line in self._stage.sender.returned(name):
            self._stage.settle(line, now_ms, "mark")
        self._stage.advance(now_ms)

    def stop(self, now_ms: float) -> None:
        """A key was pressed, or a machine is on the line: what was being said, or about to be, is over at once."""
        self._interrupt(now_ms)

    def say(self, audio: bytes, now_ms: float) -> None:
        """Plays a clip of the gateway's own, before anything else."""
        self._stage.say(audio, now_ms)

    def tick(self, now_ms: float) -> None:
        """Every 20 ms while ``busy``."""
        if self._stage.paused is not None and now_ms - self._paused_ms >= self._timing.hold:
            self._go_on(now_ms)
        for line in self._stage.sender.overdue(now_ms):
            self._stage.settle(line, now_ms, "clock")
        if self._stage.cut_at_end:
            self._interrupt(now_ms)
        self._stage.advance(now_ms)
        self._stage.pump(now_ms)
        self._watch_silence(now_ms)

    # Replies come and go

    def _on_utterance(self, event: ev.Utterance, now_ms: float) -> None:
        self._caller_speaks = False
        unprompted = event.ended_by in ("no_input", "time_limit")
        spoke = now_ms if unprompted else self._when(event.end_media_ms)
        held = not event.final
        reply = Reply(
            event.turn, event.attempt, asked_ms=spoke, spoke_ms=spoke, held=held, prompted=not unprompted
        )
        self._due(reply, now_ms)

    def _due(self, reply: Reply, now_ms: float) -> None:
        if not self._stage.agenda.is_past(reply.key):
            self._stage.agenda.put(reply)
            if not reply.held:
                self._make_way(reply, now_ms)
            self._stage.advance(now_ms)

    def _make_way(self, reply: Reply, now_ms: float) -> None:
        """The caller took the turn: what is left of the reply before is not wanted any more."""
        current = self._stage.reply
        if current is not None and not current.over and current is not reply:
            if current.turn == reply.turn:
                self._drop(current, now_ms)
            else:
                self._interrupt(now_ms)

    def _on_confirmed(self, key: Key, now_ms: float) -> None:
        reply = self._stage.agenda.find(key)
        if reply is not None:
            reply.held = False
            self._make_way(reply, now_ms)
            self._stage.advance(now_ms)
            self._stage.pump(now_ms)

    def _on_withdrawn(self, key: Key, now_ms: float) -> None:
        self._caller_speaks = True
        reply = self._stage.agenda.find(key)
        if reply is not None and reply is self._stage.agenda.following:
            self._stage.agenda.following = None
        elif reply is not None:
            self._drop(reply, now_ms)
        self._stage.agenda.pass_by(key)

    def _drop(self, reply: Reply, now_ms: float) -> None:
        """Nothing of it counts, not even what a race let out."""
        if reply.begun:
            self._stage.sender.clear(now_ms)
        self._stage.end(reply)

    def _on_sentence(self, event: ev.Sentence, now_ms: float) -> None:
        key = (event.turn, event.attempt)
        reply = self._stage.agenda.find(key)
        if reply is None:
            if self._stage.agenda.is_past(key):
                return
            # A reply without an utterance: the greeting of an outbound call.
            reply = Reply(*key, asked_ms=now_ms, spoke_ms=now_ms)
            self._due(reply, now_ms)
        line = Line.of(event, now_ms)
        line.audio = self._stage.agenda.take_early(*key, event.index) or line.audio
        reply.lines[event.index] = line
        self._stage.pump(now_ms)

    # The caller speaks over the agent

    def _hold(self, media_ms: int, now_ms: float) -> None:
        reply = self._stage.reply
        if reply is None or reply.over or self._stage.paused is not None or self._stage.must_finish(now_ms):
            return
        if not reply.begun and self._stage.sender.clock.ahead_ms(now_ms) <= 0:
            return  # neither the reply nor a clip is at Twilio
        self._stage.sender.clear(now_ms)
        self._stage.clip = None
        self._stage.settle_played(now_ms)
        if reply.over:
            return  # it was just about to end: there is nothing to hold
        cut = next(reply.unsettled(), None)
        for line in reply.unsettled():
            line.go_back_to_word(now_ms)
        if cut is not None:
            reply.cursor = cut.index
        reaction_ms = now_ms - self._when(media_ms)
        self._paused_ms = now_ms
        event = verdicts.paused(self._call, self._stream_sid, reply, cut, media_ms, now_ms, reaction_ms)
        self._stage.paused = event
        self.effects.append(Publish(event))

    def _go_on(self, now_ms: float) -> None:
        paused, self._stage.paused = self._stage.paused, None
        reply = self._stage.reply
        if paused is not None and reply is not None:
            self.effects.append(Publish(verdicts.continued(paused, reply)))
            reply.asked_ms = now_ms  # dead air counts from here
            self._stage.pump(now_ms)

    def _interrupt(self, now_ms: float) -> None:
        reply = self._stage.reply
        if reply is None or reply.over:
            self._stage.cut_at_end = False
            return
        if self._stage.must_finish(now_ms):
            self._stage.cut_at_end = True
            return
        self._stage.sender.clear(now_ms)
        self._stage.settle_played(now_ms)
        cut = next(reply.unsettled(), None)
        event = verdicts.interrupted(self._call, self._stream_sid, reply, now_ms)
        if cut is not None and cut.played(now_ms):
            self._stage.settle(cut, now_ms, "")
        self.effects.append(Publish(event))
        self._stage.end(reply)
        self._stage.advance(now_ms)

    def _watch_silence(self, now_ms: float) -> None:
        reply = self._stage.reply
        since = self.silent_since(now_ms)
        if reply is None or since is None or self._stage.paused is not None or self._caller_speaks:
            return
        kind = guard.overdue(reply, since, now_ms, self._timing)
        if kind is None:
            return
        audio = guard.clip(kind, self.clips.get(kind, ()), reply, now_ms)
        self.effects.append(Filled(kind if audio else "missing"))
        if audio:
            self.say(audio, now_ms)

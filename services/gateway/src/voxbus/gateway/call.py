"""One call on one media stream: frames in, events in, audio out.

    socket --media--> frames --> ring, audio.in            log, audio.out --> player --> socket
           --mark, dtmf--> player                                               |
                                                                                +--> events --> log

Everything runs on the loop, in callbacks: nothing on the way of a frame waits, and no lock is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, Literal, assert_never

import msgpack

from voxbus.common import events as ev
from voxbus.common import subjects
from voxbus.common.audio import FRAME_BYTES
from voxbus.common.bus import Bus
from voxbus.common.codec import pack, unpack_audio_out, unpack_audio_wanted
from voxbus.common.events import Event, Stored
from voxbus.common.fold import CallState
from voxbus.common.logs import Log
from voxbus.gateway import metrics
from voxbus.gateway.core_caller import CallerAudio
from voxbus.gateway.core_closing import Closing, Lacking, Limits, Reason
from voxbus.gateway.core_keys import Keys
from voxbus.gateway.core_media import Writer
from voxbus.gateway.core_playout import Clear, Filled, Frames, Mark, Player, Publish, Timing
from voxbus.gateway.core_ring import ReplayRing
from voxbus.gateway.outlet import Outlet
from voxbus.gateway.publisher import Publisher
from voxbus.gateway.recording import Recorder, Recordings

#: How often a call looks whether to leave, besides with every event of its log.
CHECK_MS: Final = 100.0

#: Why a call leaves its socket: a decision of ours, or what the socket did.
Leaving = Reason | Literal["stop", "lost", "hand_over", "failed"]

_REASONS: Final[dict[str, tuple[int, str]]] = {
    "hand_over": (1001, "the call goes on at another gateway"),
    "failed": (1011, "an error of ours"),
    "superseded": (1000, "the call is on another stream"),
}


class Call:
    """``left`` is called once, when the call is to leave the socket; the shell around does the rest.

    ``no_capacity_clip`` is what to say when no worker is there for the caller; empty = the carrier is asked to say it.
    """

    def __init__(
        self,
        bus: Bus,
        outlet: Outlet,
        publisher: Publisher,
        state: CallState,
        caller: CallerAudio,
        recordings: Recordings,
        *,
        sid: str,
        stream_sid: str,
        now_ms: Callable[[], float],
        left: Callable[[Leaving], None],
        log: Log,
        limits: Limits | None = None,
    ) -> None:
        self.state = state
        self.stream_sid = stream_sid
        self.no_capacity_clip = b""
        limits = limits or Limits()
        self.player = Player(sid, stream_sid, caller.when, Timing(dead_air=limits.filler))
        self.ring = ReplayRing()
        self._sid = sid
        self._bus = bus
        self._publish_audio = bus.audio.publish
        self._audio_in = subjects.audio_in(sid)
        self._outlet = outlet
        self._publisher = publisher
        self._caller = caller
        self._writer = Writer(stream_sid)
        self._closing = Closing(state, stream_sid, now_ms(), limits)
        self._now_ms = now_ms
        self._left = left
        self._log = log
        self._gone = False
        self._check_at_ms = 0.0
        self._apology: float | None = None  # since when we say that nobody can take the call
        self._lacking: Lacking = "stt"
        self._keys = Keys(state)
        self.recorder = Recorder(recordings, sid, stream_sid, self._publish, now_ms)
        self.recorder.follow(state)

    # From the socket

    def on_media(self, payload: bytes, timestamp_ms: int) -> None:
        now = self._now_ms()
        recorder = self.recorder
        for sequence, media_ms, audio in self._caller.feed(payload, timestamp_ms, now):
            if recorder.on:
                recorder.caller(media_ms, audio, now)
            turn, sentence = self.player.audible(now)
            message = pack((sequence, media_ms, turn, sentence, audio))
            self.ring.add(sequence, media_ms, message)
            metrics.FRAMES_IN.inc()
            if not self._publish_audio(self._audio_in, message):
                metrics.FRAMES_DROPPED.inc()

    def on_key(self, digit: str) -> None:
        media_ms = self._caller.media_ms
        if self._keys.cuts(digit, media_ms, speaks=self.player.speaks):
            # In the log before the key: whoever reads that knows what it did.
            self.player.stop(self._now_ms())
            self._do()
        number = self._keys.count
        self._publish(
            ev.Dtmf(
                call=self._sid, stream_sid=self.stream_sid, sequence=number, digit=digit, media_ms=media_ms
            )
        )

    def on_mark(self, name: str) -> None:
        self.player.on_mark(name, self._now_ms())
        self._do()

    def on_stop(self) -> None:
        """The carrier ended the stream: the caller hung up."""
        if not self._gone:
            self._publish(ev.Ended(call=self._sid, reason="caller_hung_up"))
            self._leave("stop")

    def on_lost(self, code: int) -> None:
        """The socket is gone; the call may come back."""
        if not self._gone:
            self._publish(ev.Disconnected(call=self._sid, stream_sid=self.stream_sid, code=code))
            self._leave("lost")

    # From the bus

    def on_event(self, stored: Stored) -> None:
        """An event of the log, our own among them."""
        if not self.state.apply(stored):
            return
        now = self._now_ms()
        event = stored.event
        match event:
            case ev.Started() if event.direction == "inbound":
                self.player.expect_greeting(1, now)
            case ev.Resumed() if event.stream_sid == self.stream_sid:
                self.player.restore(self.state, now)
            case ev.Utterance(backchannel=False, final=True):
                self.ring.turn_ended(event.end_media_ms)
            case ev.Status() if event.answered_by and self.state.to_machine:
                self.player.stop(now)
            case ev.UtteranceConfirmed():
                turn = self.state.turns.get(event.turn)
                if turn is not None and turn.utterance is not None:
                    self.ring.turn_ended(turn.utterance.end_media_ms)
            case _:
                pass
        self.recorder.follow(self.state)
        self._closing.on_event(event, now)
        self.player.on_event(event, now)
        self._do()
        self._check(now)

    def on_audio(self, data: bytes) -> None:
        try:
            piece = unpack_audio_out(data)
        except (ValueError, TypeError, msgpack.UnpackException):
            metrics.AUDIO_DROPPED.inc()
            return
        dropped = self.player.dropped
        self.player.on_audio(piece, self._now_ms())
        if self.player.dropped != dropped:
            metrics.AUDIO_DROPPED.inc()
        self._do()

    def wanted(self, question: bytes) -> bytes | None:
        """What a TTS worker asks when it has sent a whole sentence; None: it makes no sense."""
        try:
            asked = unpack_audio_wanted(question)
        except (ValueError, TypeError, msgpack.UnpackException):
            return None
        return bytes(pack(self.player.wanted_from(asked)))

    # The clock

    def tick(self, now_ms: float) -> None:
        if self.player.busy and not self._outlet.blocked:
            self.player.tick(now_ms)
            self._do()
        if now_ms >= self._check_at_ms:
            self._check_at_ms = now_ms + CHECK_MS
            self.recorder.tick(now_ms)
            self._check(now_ms)

    def tick_failed(self) -> None:
        """Our fault: the call comes back on another stream, with a state that is read from the log again."""
        self._publish(ev.Disconnected(call=self._sid, stream_sid=self.stream_sid, code=1011))
        self._leave("failed")

    def hand_over(self, by_ms: float) -> None:
        """The gateway stops: the socket is closed when nobody says anything, or at ``by_ms``."""
        self._closing.hand_over(self._now_ms(), by_ms)

    def _check(self, now_ms: float) -> None:
        """Whether it is time to leave."""
        if self._gone:
            return
        if self.player.speaks:
            self._closing.heard()
        if not self._bus.connected:
            self._closing.wait(now_ms)
        silent_since = self.player.silent_since(now_ms)
        reason = self._closing.due(now_ms, silent_since)
        match reason:
            case None:
                if self._closing.hands_over(now_ms, None if self.player.busy else silent_since):
                    self._publish(ev.Disconnected(call=self._sid, stream_sid=self.stream_sid, code=1001))
                    self._leave("hand_over")
            case "no_capacity":
                self._apologize(now_ms, silent_since)
            case "time_limit":
                self._publish(ev.Ended(call=self._sid, reason="time_limit"))
                self._leave(reason)
            case "unheard":  # the log must say that it was waited for: nobody is to wait once more
                self._publish(ev.Ended(call=self._sid, reason="agent_hung_up", detail="goodbye not heard"))
                self._leave(reason)
            case "agent_done" | "superseded" | "ended":
                self._leave(reason)
            case _:
                assert_never(reason)

    def _apologize(self, now_ms: float, silent_since_ms: float | None) -> None:
        """Nobody is there for the caller: say so, and end."""
        if self._apology is None:
            self._apology = now_ms
            self._lacking = self._closing.lacking
            metrics.NO_CAPACITY.labels(self._lacking).inc()
            if self.no_capacity_clip:
                self.player.say(self.no_capacity_clip, now_ms)
                self._do()
                return
        if silent_since_ms is not None:
            detail = f"no {self._lacking.upper()} worker took it"
            unsaid = not self.no_capacity_clip
            self._publish(ev.Ended(call=self._sid, reason="no_capacity", detail=detail, unsaid=unsaid))
            self._leave("no_capacity")

    def _leave(self, why: Leaving) -> None:
        if not self._gone:
            self._gone = True
            self._left(why)

    # What the player decided

    def _do(self) -> None:
        effects = self.player.effects
        if not effects:
            return
        outlet, writer, recorder = self._outlet, self._writer, self.recorder
        for effect in effects:
            match effect:
                case Frames(audio):
                    for at in range(0, len(audio), FRAME_BYTES):
                        outlet.queue(writer.media(audio[at : at + FRAME_BYTES]))
                    if recorder.on:
                        recorder.sent(audio)
                case Mark(name):
                    outlet.queue(writer.mark(name))
                case Clear():
                    outlet.queue(writer.clear)
                    recorder.cleared()
                case Publish(event):
                    self._publish(event)
                case Filled(kind):
                    metrics.DEAD_AIR.labels(kind).inc()
                    self._log.warning("dead air", kind=kind)
                case _:
                    assert_never(effect)
        effects.clear()
        outlet.flush()

    def _publish(self, event: Event) -> None:
        metrics.observe(event)
        trace = self.state.started.trace if self.state.started is not None else ""
        self._publisher.put(replace(event, trace=trace))


def close_frame(why: Leaving) -> tuple[int, str]:
    """(code, reason) for the socket that the call leaves."""
    return _REASONS.get(why, (1000, why.replace("_", " ")))

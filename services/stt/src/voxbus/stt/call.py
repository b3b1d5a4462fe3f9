"""One call in this worker's hands: frames in, events out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

from voxbus.common import events as ev
from voxbus.common import subjects
from voxbus.common.audio import mulaw_decode, rms_dbfs
from voxbus.common.bus import Bus, Subscription
from voxbus.common.codec import AudioIn
from voxbus.common.events import Stored
from voxbus.common.fold import CallState
from voxbus.common.logs import get_logger
from voxbus.stt.core_echo import EchoGate
from voxbus.stt.core_frames import FrameLine, late_ms
from voxbus.stt.core_machine import is_loud
from voxbus.stt.core_outputs import CancelRecognition, FinishRecognition, Look, Output, StartRecognition
from voxbus.stt.core_rules import Rules
from voxbus.stt.core_speech import WINDOW_MS, Onset, Window
from voxbus.stt.core_turns import TurnTaker
from voxbus.stt.incoming import DROPPED, Incoming
from voxbus.stt.line_watch import LineWatch
from voxbus.stt.outbox import Outbox
from voxbus.stt.recognizer import Hearing, Listener, Recognition, Recognizer, Transcript
from voxbus.stt.ticker import Ticker
from voxbus.stt.transcripts import Transcripts

log = get_logger(__name__)

#: How often the gateway is told of audio in which nothing was said.
TELL_MS = 1000


class Call:
    """Owns a call from ``attached`` until it ends, or somebody else holds it. ``over`` is set then.

    A Listener of the ticker: next_window and on_probability are the path of every 32 ms of audio.
    """

    def __init__(
        self, bus: Bus, ticker: Ticker, recognizer: Recognizer, rules: Rules, row: int, state: CallState
    ) -> None:
        assert state.started is not None
        self.row = row
        self.over = asyncio.Event()
        self.caught_up = asyncio.Event()  # with the caller, once
        self.error: BaseException | None = None  # why it is over, when it failed here
        self.on_kept: Callable[[], None] = lambda: None  # another worker was given our job, and left it to us
        self.sid = state.started.call
        self._bus = bus
        self._ticker = ticker
        self._recognizer = recognizer
        self._rules = rules
        self._agent = state.started.agent
        self._state = state
        self._line = FrameLine()
        self._incoming = Incoming(bus, self.sid, self._put, self._line.next_wanted)
        self._leaving = False
        self._told_ms = 0
        self._busy_since_s: float | None = None  # there has been a window to take since then
        self._burst_ms = 0  # the longest backlog in that time
        self._taker: TurnTaker | None = None
        self._holder = 0
        self._window_start_ms = 0
        self._window = b""
        self._echo = EchoGate()
        self._onset = Onset(rules.speech_end_prob, rules.barge_in_prob_threshold)
        self._hearing: Hearing | None = None
        self._recognition: Recognition | None = None
        self._answering: Subscription | None = None
        self._outbox = Outbox(bus, self.sid)
        self._transcripts = Transcripts(self.sid)
        self._tasks: list[asyncio.Task[None]] = []
        self._watch = LineWatch(bus, self.sid, state, self.over.set, time.monotonic())

    # -- life --------------------------------------------------------------------------------------------------

    async def attach(self, worker: str, nonce: str) -> None:
        """Takes the call: from here on our events count and those of a holder before us do not."""
        self._holder = await self._bus.append(ev.Attached(call=self.sid, worker=worker, nonce=nonce))
        listener = Listener(
            self._on_partial,
            self._on_turn(TurnTaker.end_of_turn),
            self._lost,
            on_provider=self._on_provider,
            on_guess=self._on_turn(TurnTaker.guess),
            on_resumed=self._on_turn(TurnTaker.resumed),
        )
        self._hearing = self._recognizer.attend(self._agent, self._rules.ends, listener)
        self._taker = TurnTaker(self.sid, self._holder, self._rules, self._state)
        self._tasks = [
            asyncio.create_task(self._publish(), name="publish"),
            asyncio.create_task(self._transcripts.run(self._on_transcript), name="transcribe"),
        ]
        for task in self._tasks:
            task.add_done_callback(self._task_ended)
        answering = self._bus.answer(subjects.holder(self.sid), self._say_that_we_hold)
        self._answering, _ = await asyncio.gather(answering, self._incoming.start())

    def _say_that_we_hold(self, _question: bytes) -> bytes:
        """To a worker that was given our job: it leaves the call to us, unless we gave it away."""
        if self.over.is_set() or self._leaving:
            return b""
        self.on_kept()
        return b"%d" % self._holder

    def leave(self) -> None:
        """The next worker may have it; until one does, we go on. It hears nothing again that need not be."""
        self._leaving = True
        self._say_what_was_heard(every_ms=1)

    @property
    def idle(self) -> bool:
        """Nobody has begun to say anything that is not in the log."""
        return self._taker is not None and self._taker.idle_since_ms is not None and self._outbox.empty

    @property
    def superseded(self) -> bool:
        """It is over for us alone: somebody else holds it."""
        return self.over.is_set() and self._state.ended is None and self.error is None

    def fail(self, error: BaseException) -> None:
        """Something went wrong in our own house: another worker may do better."""
        if not self.over.is_set():
            self.error = error
            self.over.set()

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)

    async def close(self) -> None:
        """Stops at once. Nothing more is published."""
        self.over.set()
        self._ticker.forget(self)
        await self._watch.close()
        await self._incoming.close()
        if self._answering is not None:
            await self._answering.close()
        if self._recognition is not None:
            self._recognition.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._hearing is not None:
            await self._hearing.close()

    def on_event(self, stored: Stored) -> None:
        """A later event of the log."""
        if not self._state.apply(stored):
            return
        event = stored.event
        if isinstance(event, ev.Ended) or (
            isinstance(event, ev.Attached) and 0 < self._holder < stored.sequence
        ):
            self.over.set()
        elif isinstance(event, ev.Dtmf) and self._taker is not None:
            self._do(self._taker.digit(event.digit, event.media_ms))

    def watch(self) -> None:
        """Called now and then: tells the gateway what nobody needs again, and ends a line without any frames."""
        self._say_what_was_heard()
        if not self.over.is_set():
            self._watch.look(time.monotonic())

    def _say_what_was_heard(self, every_ms: int = TELL_MS) -> None:
        """A successor has to hear again only what the gateway keeps: the less, the sooner it is there."""
        if self._taker is None or self.over.is_set() or not self.idle:
            return  # what is decided and not in the log, a successor would have to decide again
        heard_ms = self._taker.idle_since_ms
        if heard_ms is not None and heard_ms >= self._told_ms + every_ms:
            self._told_ms = heard_ms
            self._bus.audio.publish(subjects.audio_heard(self.sid), b"%d" % heard_ms)

    # -- audio -------------------------------------------------------------------------------------------------

    def _put(self, frame: AudioIn) -> None:
        line = self._line
        if not line.put(frame):
            return
        now_s = self._watch.heard_at_s = time.monotonic()
        if self._busy_since_s is None and line.backlog_ms() >= WINDOW_MS:
            self._busy_since_s = now_s
            self._ticker.ready(self)

    def next_window(self) -> bytes | None:
        if self.over.is_set():
            return None
        line = self._line
        if self._busy_since_s is not None:
            waiting_ms = (time.monotonic() - self._busy_since_s) * 1000
            backlog_ms = line.backlog_ms()
            self._burst_ms = max(self._burst_ms, backlog_ms)
            if skipped_ms := late_ms(backlog_ms, waiting_ms, self._burst_ms):
                line.skip(skipped_ms)
                self._lost(skipped_ms // 20, "late")
        window = line.window()
        if window is None:
            self._busy_since_s, self._burst_ms = None, 0
            self.caught_up.set()
            return None
        self._window_start_ms, self._window = window
        audio = self._window
        if self._recognition is not None:
            self._recognition.feed(audio)
        return audio

    def on_probability(self, probability: float) -> None:
        assert self._taker is not None
        if self._line.missing_frames:
            self._lost(self._line.missing_frames, "missing")
            self._line.missing_frames = 0
        start_ms = self._window_start_ms
        turn, sentence = self._line.audible_at(start_ms + WINDOW_MS // 2)
        if not self._is_caller(probability, audible=turn > 0):
            probability = 0.0
        if self._onset.within(probability) and turn and self._recognition is None:
            self._line.step_back(WINDOW_MS // 2)
        window = Window(probability, start_ms, start_ms + WINDOW_MS, turn, sentence, self._is_loud())
        if outputs := self._taker.window(window, time.time() - self._state.started_s):
            self._do(outputs)

    def _is_loud(self) -> bool | None:
        if not self._state.to_machine:
            return None
        return is_loud(rms_dbfs(mulaw_decode(self._window)), self._line.backlog_ms())

    def _is_caller(self, probability: float, *, audible: bool) -> bool:
        """Or, as far as the level tells, the agent's own echo."""
        if self._echo.is_open(self._window_start_ms + WINDOW_MS, audible=audible):
            return True
        level_dbfs = rms_dbfs(mulaw_decode(self._window))
        speech, speaking = probability >= self._rules.speech_start_prob, self._recognition is not None
        return self._echo.passes(level_dbfs, speech=speech, speaking=speaking)

    def _lost(self, frames: int, why: str) -> None:
        if self._taker is not None:
            self._taker.utterances.dropped_frames += frames
        DROPPED.labels(why).inc(frames)

    # -- decisions ---------------------------------------------------------------------------------------------

    def _do(self, outputs: list[Output]) -> None:
        for output in outputs:
            match output:
                case StartRecognition(from_ms=from_ms):
                    assert self._hearing is not None
                    self._recognition = self._hearing.open()
                    self._recognition.feed(self._line.since(from_ms))
                case Look():
                    assert self._recognition is not None
                    self._recognition.look()
                case FinishRecognition(looked=looked):
                    assert self._recognition is not None
                    recognition, self._recognition = self._recognition, None
                    self._transcripts.finish(recognition, looked=looked)
                case CancelRecognition():
                    if self._recognition is not None:
                        self._recognition.cancel()
                        self._recognition = None
                case _:
                    if isinstance(output, ev.Utterance):
                        self._echo.judged(caller=bool(output.text) or not output.backchannel)
                    self._outbox.put(output)

    def _on_partial(self, text: str) -> None:
        if self.over.is_set() or self._taker is None:
            return
        self._bus.audio.publish(subjects.partial(self.sid), text.encode())
        self._do(self._taker.partial(text))

    def _on_turn(self, tell: Callable[..., list[Output]]) -> Callable[..., None]:
        """What a provider says of the turn that runs goes to this method of the turn taker."""

        def told(*what: str | float) -> None:
            if not self.over.is_set() and self._taker is not None:
                self._do(tell(self._taker, *what))

        return told

    def _on_provider(self, ends_turns: bool) -> None:
        self._rules = replace(self._rules, provider_ends_turns=ends_turns)
        if self._taker is not None:
            self._taker.follow(self._rules)

    async def _publish(self) -> None:
        await self._outbox.run(self._holder)
        log.info("somebody else holds the call", call_sid=self.sid)
        self.over.set()

    def _on_transcript(self, transcript: Transcript, recognition_ms: float) -> None:
        assert self._taker is not None
        self._do(self._taker.transcript(transcript.text, transcript.confidence, recognition_ms))

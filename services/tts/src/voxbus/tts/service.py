"""Jobs in, audio out: ``sentence`` and ``resumed`` events become ``audio.out`` messages.

No lease is checked here: of two workers that say the same sentence the gateway takes the one with the higher token.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import aclosing
from typing import Final

from voxbus.common.bus import Bus, Follower, Job, JobRunner, Peers
from voxbus.common.errors import BusError, ProviderError
from voxbus.common.events import Resumed, Sentence, Started, Stored
from voxbus.common.fold import fold
from voxbus.common.logs import get_logger
from voxbus.common.telemetry import counter, histogram_ms
from voxbus.tts.clips import Clips
from voxbus.tts.core_cancel import KINDS, Cancellations
from voxbus.tts.core_jobs import Skip, Speak, needs_log, plan_resumed, plan_sentence
from voxbus.tts.core_pieces import PieceCutter
from voxbus.tts.delivery import Delivery
from voxbus.tts.providers import Provider
from voxbus.tts.settings import TtsSettings
from voxbus.tts.speaker import Speaker

log = get_logger(__name__)

_SENTENCES = counter("tts_sentences", "Sentences that were said, by where their audio came from.", "source")
_SKIPPED = counter("tts_skipped", "Jobs, or parts of one, that nobody wanted any more, by why.", "why")
_FIRST_AUDIO = histogram_ms("tts_first_audio", "Job received to its first audio sent.", "source")
_FAILED_JOBS = counter("tts_failed_jobs", "Jobs that were handed over because of an error.", "error")

#: A job that fails again is not thrown back and forth as fast as it will go.
_FAILED_AGAIN_S: Final = 0.25
_MAX_APOLOGIES: Final = 1_000


class _Saying:
    """A sentence that is being said. ``scope``: a timeout without a time, for the live events to set."""

    def __init__(self, sentence: Sentence) -> None:
        self.sentence = sentence
        self.scope = asyncio.timeout(None)
        self.cancelled = False

    def cancel(self) -> None:
        if not self.cancelled:
            self.cancelled = True
            self.scope.reschedule(asyncio.get_running_loop().time())


class TtsService:
    """``providers``: best first."""

    def __init__(self, settings: TtsSettings, bus: Bus, providers: Mapping[str, Provider]) -> None:
        self._bus = bus
        self._providers = providers
        self._cancellations = Cancellations()
        self._saying: dict[str, list[_Saying]] = {}  # by call
        self._apologized: dict[tuple[str, int, int], None] = {}
        self._follower: Follower | None = None
        self.clips = Clips(bus)
        self.speaker = Speaker(providers, self.clips, self._prepared_line)
        self.jobs = JobRunner(
            bus, "tts", self._handle, capacity=settings.sentences, on_failure=self._on_failure
        )
        self._peers = Peers(bus, "tts", self.jobs.leases)

    async def start(self) -> None:
        await asyncio.gather(*(provider.start() for provider in self._providers.values()))
        self._follower = await self._bus.follow(self._on_event, KINDS)
        await self.clips.start(self.speaker.render, " | ".join(p.identity for p in self._providers.values()))
        await self._peers.start()
        await self.jobs.start()

    async def drain(self) -> None:
        await self._peers.leave()
        await self.jobs.drain()
        await self.clips.close()
        if self._follower is not None:
            await self._follower.close()
        await asyncio.gather(*(provider.close() for provider in self._providers.values()))

    def not_ready(self) -> str:
        reasons = [provider.not_ready() for provider in self._providers.values()]
        return reasons[0] if all(reasons) else ""

    async def _handle(self, job: Job) -> None:
        started_s = time.monotonic()
        try:
            match job.event:
                case Sentence() | Resumed() as event:
                    plan = await self._plan(job, event)
                case _:
                    await job.refuse("not a job for tts")
                    return
            if isinstance(plan, Skip):
                _SKIPPED.labels(plan.why).inc()
                return
            for sentence in plan.sentences:
                await self._say(job, sentence, started_s)
        except Exception:
            if job.redelivered:
                await asyncio.sleep(_FAILED_AGAIN_S)
            raise

    async def _plan(self, job: Job, event: Sentence | Resumed) -> Speak | Skip:
        age_s = job.received_ms / 1000 - job.stored.time_s
        if isinstance(event, Resumed):
            return plan_resumed(event, fold(await self._log(job)), age_s)
        if needs_log(age_s, redelivered=job.redelivered):
            return plan_sentence(event, fold(await self._log(job)), age_s)
        return Speak((event,))

    async def _log(self, job: Job) -> list[Stored]:
        """All that is known of the call by now, which is more than the log up to the job."""
        events = await self._bus.read_log(job.event.call)
        if events and events[-1].sequence >= job.stored.sequence:
            return events
        # A replica that is behind answered: it is asked until it has the job itself.
        return await self._bus.read_log(job.event.call, through=job.stored.sequence)

    async def _say(self, job: Job, sentence: Sentence, started_s: float) -> None:
        if self._cancellations.covers(sentence.call, sentence.turn, sentence.attempt):
            _SKIPPED.labels("cancelled").inc()
            return
        saying = _Saying(sentence)
        self._saying.setdefault(sentence.call, []).append(saying)
        try:
            async with saying.scope:
                await self._send_audio(job, sentence, started_s)
        except TimeoutError:
            if not saying.cancelled:
                raise
            _SKIPPED.labels("cancelled").inc()
        finally:
            self._saying[sentence.call].remove(saying)
            if not self._saying[sentence.call]:
                del self._saying[sentence.call]

    def _on_event(self, stored: Stored) -> None:
        call = stored.event.call
        if self._cancellations.apply(stored.event):
            for saying in self._saying.get(call, ()):
                if self._cancellations.covers(call, saying.sentence.turn, saying.sentence.attempt):
                    saying.cancel()

    async def _send_audio(self, job: Job, sentence: Sentence, started_s: float) -> None:
        cutter = PieceCutter()
        delivery = Delivery(self._bus, job, sentence, started_s)
        source = ""
        try:
            async with aclosing(self.speaker.speak(sentence)) as chunks:
                async for chunk in chunks:
                    job.progress()
                    for piece in cutter.feed(chunk.audio):
                        await delivery.send(piece)
                    if not source and cutter.offset:
                        _FIRST_AUDIO.labels(chunk.source).observe((time.monotonic() - started_s) * 1000)
                    source = chunk.source if cutter.offset else source
        except ProviderError as error:
            # Without a last piece: the gateway gives it up, and does not take it for heard.
            log.error("a notice stays unsaid", call_sid=sentence.call, turn=sentence.turn, error=error)
            return
        await delivery.send(cutter.finish())
        await delivery.arrive()
        _SENTENCES.labels(source or "none").inc()

    async def _prepared_line(self, sentence: Sentence) -> bytes | None:
        """The fallback line of the call's agent, once a reply: nobody wants to hear it for each sentence."""
        reply = (sentence.call, sentence.turn, sentence.attempt)
        if reply in self._apologized:
            return b""
        self._apologized[reply] = None
        if len(self._apologized) > _MAX_APOLOGIES:
            del self._apologized[next(iter(self._apologized))]
        try:
            for stored in await self._bus.read_log(sentence.call, kinds=(Started.kind,)):
                if isinstance(stored.event, Started):
                    agent = stored.event.agent
                    return await self.clips.line(agent, agent.lines.fallback)
        except BusError as error:
            log.warning("no prepared line", call_sid=sentence.call, error=error)
        return None

    def _on_failure(self, job: Job, error: Exception) -> None:
        _FAILED_JOBS.labels(type(error).__name__).inc()
        log.error("job handed over", call_sid=job.event.call, kind=job.event.kind, error=type(error).__name__)

"""Speaks one sentence: the right voice, the next one when it fails, and at last the agent's prepared line."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, Literal

from voxbus.common.agents import Voice
from voxbus.common.errors import ProviderError
from voxbus.common.events import Sentence
from voxbus.common.logs import get_logger
from voxbus.common.providers.breaker import Breakers
from voxbus.common.telemetry import counter
from voxbus.tts.clips import Clips, Rendered
from voxbus.tts.core_policy import Attempts, Say, SayClip
from voxbus.tts.providers import Provider

log = get_logger(__name__)

_FAILURES = counter(
    "tts_failures", "Sentences that a voice could not say, by provider and cause.", "provider", "cause"
)
_UNKNOWN = counter(
    "tts_unknown_voices", "Sentences whose voice does not exist here; the default voice said them."
)
_FALLBACKS = counter("tts_fallback_clips", "Sentences in whose place the prepared line was played.", "found")

_MAX_UNKNOWN: Final = 100

#: Finds the prepared line for a sentence that no voice could say; None when there is none.
Prepared = Callable[[Sentence], Awaitable[bytes | None]]


@dataclass(frozen=True)
class Chunk:
    """Audio of a sentence: mu-law at 8 kHz."""

    audio: bytes
    source: Literal["clip", "voice", "fallback"]


class Speaker:
    """``providers``: best first; the first one's default voice speaks for agents that name none."""

    def __init__(self, providers: Mapping[str, Provider], clips: Clips, prepared: Prepared) -> None:
        self._providers = providers
        self._default = next(iter(providers.values()))
        self._clips = clips
        self._prepared = prepared
        self._breakers = Breakers()
        self._unknown: set[tuple[str, str]] = set()

    async def speak(self, sentence: Sentence) -> AsyncGenerator[Chunk, None]:
        """The audio of the sentence, as it is made. Close the generator to cancel.

        Raises ProviderError where no voice says all of a notice: no other words may stand in its place.
        """
        if (clip := self._clips.get(sentence.voice, sentence.text)) is not None:
            self._warm(sentence.voice)
            yield Chunk(clip, "clip")
            return
        attempts = Attempts(self._in_order(self._voices(sentence.voice)))
        step: Say | SayClip = attempts.first()
        while isinstance(step, Say):
            said = bytearray()
            try:
                self._breakers.asking(step.voice.provider, time.monotonic())
                async with aclosing(self._provider(step).speak(sentence.text, step.voice)) as spoken:
                    async for audio in spoken:
                        sent_already = max(0, step.skip_bytes - len(said))
                        said += audio
                        if fresh := audio[sent_already:]:
                            yield Chunk(fresh, "voice")
            except ProviderError as error:
                log.warning("a voice failed", call_sid=sentence.call, turn=sentence.turn, error=error)
                self._count(step, error)
                step = attempts.failed(error.cause, max(len(said), step.skip_bytes))
            else:
                self._breakers.succeeded(step.voice.provider)
                self._clips.keep(sentence.voice, sentence.text, bytes(said))
                return
        if sentence.notice:
            raise ProviderError("unsaid")
        clip = await self._prepared(sentence)
        _FALLBACKS.labels("yes" if clip else "no").inc()
        if clip is None:
            log.error("a sentence stays unsaid: no voice and no prepared line", call_sid=sentence.call)
        else:
            yield Chunk(clip, "fallback")

    async def render(self, text: str, voice: Voice, *, alone: bool = False) -> Rendered:
        """All of a line, in the background, by the voice it asks for or the default one; where that fails by the next
        one, unless it is to be ``alone``. Raises ProviderError, the last one's."""
        voices = self._voices(voice)
        attempts = Attempts(voices[:1] if alone else self._in_order(voices))
        step = attempts.first()
        while True:
            try:
                self._breakers.asking(step.voice.provider, time.monotonic())
                speaking = self._provider(step).speak(text, step.voice, background=True)
                async with aclosing(speaking) as spoken:
                    audio = b"".join([audio async for audio in spoken])
            except ProviderError as error:
                if error.cause == "preempted":
                    continue
                self._count(step, error)
                following = attempts.failed(error.cause, 0)
                if isinstance(following, SayClip):
                    raise
                step = following
            else:
                self._breakers.succeeded(step.voice.provider)
                return Rendered(audio, own=step.voice == voices[0])

    def _count(self, step: Say, error: ProviderError) -> None:
        _FAILURES.labels(step.voice.provider, error.cause).inc()
        self._breakers.failed(step.voice.provider, error, time.monotonic())

    def _warm(self, asked: Voice) -> None:
        """Most calls begin with a greeting that needs no voice; what comes after it does."""
        best = self._in_order(self._voices(asked))[0]
        self._providers[best.provider].warm(best)

    def _in_order(self, voices: list[Voice]) -> list[Voice]:
        """Those whose provider rests come last, rather than never."""
        order = self._breakers.order(tuple(dict.fromkeys(v.provider for v in voices)), time.monotonic())
        return sorted(voices, key=lambda voice: order.index(voice.provider)) if voices else voices

    def _provider(self, step: Say) -> Provider:
        return self._providers[step.voice.provider]

    def _voices(self, asked: Voice) -> list[Voice]:
        """Everything that may say a sentence, best first."""
        found: list[Voice] = []
        provider = self._providers.get(asked.provider) if asked.provider else self._default
        own = provider.resolve(asked) if provider is not None else None
        if provider is not None and own is not None:
            found += [own, *provider.spares(own)]
        else:
            self._say_unknown(asked)
        for other in self._providers.values():
            standard = other.resolve(asked.model_copy(update={"name": ""}))
            if standard is not None:
                found += [standard, *other.spares(standard)]
        return found

    def _say_unknown(self, voice: Voice) -> None:
        _UNKNOWN.inc()
        if (name := (voice.provider, voice.name)) not in self._unknown and len(self._unknown) < _MAX_UNKNOWN:
            self._unknown.add(name)  # named once, not with every sentence
            log.warning("no such voice, the default one speaks", provider=voice.provider, voice=voice.name)

"""Several recognizers, best first: where one cannot be reached, the next one hears the call, from this turn on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from voxbus.common.agents import Agent
from voxbus.common.errors import AgentError, ProviderError
from voxbus.common.logs import get_logger
from voxbus.common.providers.breaker import Breakers
from voxbus.common.telemetry import counter
from voxbus.stt.recognizer import Hearing, Listener, Recognition, Recognizer, Transcript, TurnEnds

log = get_logger(__name__)

_SWITCHES: Final = counter(
    "stt_provider_switches", "Calls that went on with another recognizer, by why.", "cause"
)
#: No turn is longer, at 8 bytes a millisecond.
_KEPT_BYTES: Final = 60_000 * 8


class Chain:
    """``recognizers`` by name, best first; more than one. ``breakers``: of the worker."""

    def __init__(self, recognizers: Mapping[str, Recognizer], breakers: Breakers) -> None:
        self._recognizers = recognizers
        self._breakers = breakers
        self.ends_turns = next(iter(recognizers.values())).ends_turns

    async def start(self) -> None:
        return None

    def check(self, agent: Agent) -> None:
        """One that can serve the agent is enough."""
        if not self._fit(agent):
            next(iter(self._recognizers.values())).check(agent)

    def attend(self, agent: Agent, ends: TurnEnds, listener: Listener) -> ChainHearing:
        fit = {name: self._recognizers[name] for name in self._fit(agent)}
        return ChainHearing(fit, self._breakers, agent, ends, listener)

    async def close(self) -> None:
        return None

    def _fit(self, agent: Agent) -> list[str]:
        fit = []
        for name, recognizer in self._recognizers.items():
            try:
                recognizer.check(agent)
            except AgentError:
                continue
            fit.append(name)
        return fit


class ChainHearing:
    def __init__(
        self,
        recognizers: Mapping[str, Recognizer],
        breakers: Breakers,
        agent: Agent,
        ends: TurnEnds,
        listener: Listener,
    ) -> None:
        self._recognizers = recognizers
        self._breakers = breakers
        self._agent = agent
        self._ends = ends
        self._listener = listener
        self._left = list(breakers.order(tuple(recognizers), time.monotonic()))
        self._open: dict[ChainRecognition, None] = {}  # not over yet, the oldest first
        self._leaving: set[asyncio.Task[None]] = set()
        self._hearing = self._attend(self._left.pop(0))

    def _attend(self, name: str) -> Hearing:
        def failed(failure: ProviderError) -> None:
            self._failed(name, failure)

        def lost(frames: int, why: str) -> None:
            if name == self._name:  # else the next one hears them
                self._listener.on_lost(frames, why)

        def partial(text: str) -> None:
            self._breakers.succeeded(name)
            if name == self._name:
                self._listener.on_partial(text)

        self._name = name
        recognizer = self._recognizers[name]
        self._breakers.asking(name, time.monotonic())
        self._listener.on_provider(recognizer.ends_turns)
        listener = replace(self._listener, on_failed=failed, on_lost=lost, on_partial=partial)
        return recognizer.attend(self._agent, self._ends, listener)

    def _failed(self, name: str, failure: ProviderError) -> None:
        if name != self._name:
            return  # it was left already: that one of its requests ends late says nothing of who hears the call now
        self._breakers.failed(name, failure, time.monotonic())
        if not self._left:
            return  # it goes on trying
        log.warning("another recognizer hears the call", failed=name, cause=failure.cause, next=self._left[0])
        _SWITCHES.labels(failure.cause).inc()
        # From the task of the one that failed: it is closed by another.
        leaving = asyncio.create_task(_leave(name, self._hearing), name="leave a recognizer")
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)
        self._hearing = self._attend(self._left.pop(0))
        for recognition in tuple(self._open):
            recognition.move_to(self._hearing.open())

    async def ready(self) -> None:
        await self._hearing.ready()

    def open(self) -> ChainRecognition:
        recognition = ChainRecognition(self._hearing.open(), on_over=self._over)
        self._open[recognition] = None
        return recognition

    def _over(self, recognition: ChainRecognition) -> None:
        self._open.pop(recognition, None)

    async def close(self) -> None:
        self._left.clear()
        await asyncio.gather(self._hearing.close(), *self._leaving)


async def _leave(name: str, hearing: Hearing) -> None:
    try:
        await hearing.close()
    except Exception as error:
        # Broad: whatever comes of a goodbye, another one hears the call by now.
        log.exception("a recognizer was not closed", error, left=name)


class ChainRecognition:
    """Keeps what it was fed, for whoever may have to hear it again. ``on_over(self)``: nobody has to any more."""

    def __init__(self, recognition: Recognition, on_over: Callable[[ChainRecognition], None]) -> None:
        self._recognition = recognition
        self._on_over = on_over
        self._audio = bytearray()
        self._moved: asyncio.Future[None] | None = None  # done when another one is to finish it

    def move_to(self, recognition: Recognition) -> None:
        self._recognition.cancel()
        self._recognition = recognition
        recognition.feed(bytes(self._audio))
        if self._moved is not None and not self._moved.done():
            self._moved.set_result(None)

    def feed(self, audio: bytes) -> None:
        self._audio += audio
        del self._audio[:-_KEPT_BYTES]
        self._recognition.feed(audio)

    def look(self) -> None:
        self._recognition.look()

    async def finish(self, *, looked: bool) -> Transcript:
        try:
            while True:
                asked = self._recognition
                self._moved = asyncio.get_running_loop().create_future()
                finishing = asyncio.create_task(asked.finish(looked=looked), name="finish a recognition")
                try:
                    await asyncio.wait((finishing, self._moved), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    finishing.cancel()
                    await asyncio.wait((finishing,))
                if asked is self._recognition:
                    return finishing.result()
                if not finishing.cancelled():
                    finishing.exception()  # of one that was left
                looked = False  # another one hears it now, and has not looked
        finally:
            self._on_over(self)

    def cancel(self) -> None:
        self._on_over(self)
        self._recognition.cancel()

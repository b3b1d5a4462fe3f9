"""What a recognizer is. One file a provider in ``providers/``, chosen by name.

Recognizer   a provider, one a worker
 +-- Hearing       one call: a connection, where the provider has such a thing
      +-- Recognition   one stretch of speech of that call
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from voxbus.common.agents import Agent
from voxbus.common.errors import ProviderError


@dataclass(frozen=True)
class Transcript:
    """``text``: words as the provider writes them; empty = there were none, or none that the agent's grammar knows."""

    text: str
    confidence: float = 1.0


@dataclass(frozen=True)
class Listener:
    """What a call is told, on the loop.

    ``on_partial(text)``: a trustworthy hypothesis of the stretch of speech that runs, never an empty one.
    ``on_end_of_turn(confidence)``: it is over, says a provider that ends turns; ``on_guess(text, confidence)``: it may
    well be, with these words, and ``on_resumed()``: it was not, after all. ``on_lost(frames, why)``: frames of 20 ms
    that nobody will recognize. ``on_failed(error)``: the provider cannot be reached, and will be tried again.
    ``on_provider(ends_turns)``: another provider hears the call from now on.
    """

    on_partial: Callable[[str], None]
    on_end_of_turn: Callable[[float], None]
    on_lost: Callable[[int, str], None]
    on_failed: Callable[[ProviderError], None] = lambda _: None
    on_provider: Callable[[bool], None] = lambda _: None
    on_guess: Callable[[str, float], None] = lambda *_: None
    on_resumed: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class TurnEnds:
    """At which confidence a provider that ends turns is to end one (``sure``), and to say that one may be over
    (``likely``; 0 = never)."""

    sure: float
    likely: float = 0.0


class Recognition(Protocol):
    """One stretch of speech of one call."""

    def feed(self, audio: bytes) -> None:
        """More audio: mu-law at 8 kHz, any length. Never blocks; what cannot be taken in time is dropped."""

    def look(self) -> None:
        """The caller may be done: a good moment to find out what was said so far. May come again."""

    async def finish(self, *, looked: bool) -> Transcript:
        """No more audio comes. ``looked``: there was no speech after the last look. Raises ProviderError."""

    def cancel(self) -> None:
        """The result is not wanted. Harmless after ``finish``."""


class Hearing(Protocol):
    """One call."""

    async def ready(self) -> None:
        """Returns once speech can be recognized. Raises ProviderError. Nobody need wait for it."""

    def open(self) -> Recognition:
        """Speech begins. One after the other; the last one may not be finished yet."""

    async def close(self) -> None:
        """The call is over, or somebody else's."""


class Recognizer(Protocol):
    #: It tells the end of turns itself (``Listener.on_end_of_turn``).
    ends_turns: bool

    async def start(self) -> None:
        """Models and processes up, before the first call."""

    def check(self, agent: Agent) -> None:
        """Raises AgentError, with what to do, when it cannot serve this agent."""

    def attend(self, agent: Agent, ends: TurnEnds, listener: Listener) -> Hearing:
        """A call begins: connections are opened now, not at the first word."""

    async def close(self) -> None: ...

"""What a recognizer is. One file a provider in ``providers/``, chosen by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from voxbus.common.agents import Agent


@dataclass(frozen=True)
class Transcript:
    """``text``: lower-case words; empty = there were none, or none that the agent's grammar knows."""

    text: str
    confidence: float = 1.0


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


class Recognizer(Protocol):
    #: It tells the end of turns itself (``TurnTaker.end_of_turn``).
    ends_turns: bool

    async def start(self) -> None:
        """Models and processes up, before the first call."""

    def check(self, agent: Agent) -> None:
        """Raises AgentError, with what to do, when it cannot serve this agent."""

    def open(self, agent: Agent, on_partial: Callable[[str], None]) -> Recognition:
        """``on_partial(text)`` is called on the loop with each trustworthy hypothesis so far, never an empty one."""

    async def close(self) -> None: ...

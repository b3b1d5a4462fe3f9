"""One reply that a worker makes: what it is about, and what came of it so far."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from voxbus.common.agents import Agent
from voxbus.common.bus import Job
from voxbus.common.events import Started
from voxbus.common.fold import CallState
from voxbus.common.speech import spoken
from voxbus.llm.core_trail import Step, words_begin
from voxbus.llm.core_turn import Ask
from voxbus.llm.live import LiveTurn
from voxbus.llm.writer import ReplyWriter

#: How long effects wait for a guess to be confirmed or withdrawn. The turn that it is about ends after the agent's
#: ``max_turn_ms`` at the latest, however long its silences may be, or after the worker's, which is at most this.
_MAX_TURN_MS: Final = 120_000
#: On top of it: another STT worker may have to take the call over first.
_TAKEOVER_S: Final = 10.0


@dataclass
class Work:
    """``state``: the log as it was when the work began. ``steps``: what tools did in this reply, also since."""

    job: Job
    ask: Ask
    state: CallState
    live: LiveTurn
    writer: ReplyWriter
    steps: list[Step]

    @property
    def started(self) -> Started:
        assert self.state.started is not None
        return self.state.started

    @property
    def agent(self) -> Agent:
        return self.started.agent

    @property
    def caller_said(self) -> str:
        utterance = self.state.turns[self.ask.turn].utterance
        return utterance.text if utterance is not None else ""

    @property
    def words(self) -> list[str]:
        """The sentences since the last answer of a tool. What was said meanwhile is none: it answers nothing."""
        last = self.steps[-1] if self.steps else None
        return self.writer.published[words_begin(self.writer.meanwhile, last) :]

    async def confirmed(self) -> bool:
        """Whether the caller is through: until then nothing is done that has effects."""
        if self.ask.final or self.live.confirmed.is_set():
            return True
        within_s = (self.agent.turn.max_turn_ms or _MAX_TURN_MS) / 1000 + _TAKEOVER_S
        self.job.progress(for_s=within_s + 0.5)
        try:
            with self.job.standing_by():
                async with asyncio.timeout(within_s):
                    await self.live.confirmed.wait()
        except TimeoutError:
            return False
        return True

    async def at_least(self, line: str) -> None:
        """Models may call a tool and say nothing; the caller hears ``line`` then."""
        if not self.words:
            for text in spoken(line, self.agent.language):
                await self.writer.say(text)

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
from voxbus.llm.wish import Wish
from voxbus.llm.writer import ReplyWriter

#: How long effects wait for a guess to be confirmed or withdrawn. The turn that it is about ends after the agent's
#: ``max_turn_ms`` at the latest, however long its silences may be, or after the worker's, which is at most this.
_MAX_TURN_MS: Final = 120_000
#: On top of it: another STT worker may have to take the call over first.
_TAKEOVER_S: Final = 10.0


@dataclass
class Work:
    """``state``: the log as it was when the work began. ``steps``: what tools did in this reply, also since.

    ``wish``: not to be called again.
    """

    job: Job
    ask: Ask
    state: CallState
    live: LiveTurn
    writer: ReplyWriter
    steps: list[Step]
    wish: Wish

    @property
    def started(self) -> Started:
        assert self.state.started is not None
        return self.state.started

    @property
    def agent(self) -> Agent:
        return self.started.agent

    @property
    def words(self) -> list[str]:
        """The sentences since the last answer of a tool. What was said meanwhile is none: it answers nothing."""
        last = self.steps[-1] if self.steps else None
        return self.writer.published[words_begin(self.writer.meanwhile, last) :]

    @property
    def certain(self) -> bool:
        """Whether the caller is known to be through."""
        return self.ask.final or self.live.confirmed.is_set()

    async def confirmed(self) -> bool:
        """Whether the caller is through: until then nothing is done that has effects."""
        return self.certain or await through(self.job, self.live, self.agent)

    async def at_least(self, line: str) -> None:
        """Models may call a tool and say nothing; the caller hears ``line`` then."""
        if not self.words:
            for text in spoken(line, self.agent.language):
                await self.writer.say(text)


async def through(job: Job, live: LiveTurn, agent: Agent) -> bool:
    """Whether a caller whose words are a guess is through. Meanwhile the worker may take another job."""
    within_s = (agent.turn.max_turn_ms or _MAX_TURN_MS) / 1000 + _TAKEOVER_S
    job.progress(for_s=within_s + 0.5)
    try:
        with job.standing_by():
            async with asyncio.timeout(within_s):
                return await live.through()
    except TimeoutError:
        return False

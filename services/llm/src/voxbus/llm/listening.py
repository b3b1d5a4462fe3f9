"""Finds out whether somebody wants no more calls where their words got no whole answer: nobody hears anything of it."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from dataclasses import replace
from typing import Final

from voxbus.common.bus import Job
from voxbus.common.errors import ProviderError
from voxbus.common.fold import CallState
from voxbus.common.logs import get_logger
from voxbus.common.providers.breaker import Breakers
from voxbus.llm import metrics
from voxbus.llm.core_effects import DO_NOT_CALL
from voxbus.llm.core_policy import first_token_s
from voxbus.llm.core_turn import Listen
from voxbus.llm.core_wish import in_script, question
from voxbus.llm.limits import Limits, limited
from voxbus.llm.providers import Providers
from voxbus.llm.providers.base import Provider, Request, ToolCall

#: A provider that has just failed is given so long, as the breaker does.
_REST_S: Final = 2.0
#: A word, or the name of a tool.
_ANSWER_S: Final = 5.0

log = get_logger(__name__)


class Listening:
    """``limits.first_s``: of all providers together."""

    def __init__(self, providers: Providers, limits: Limits, breakers: Breakers) -> None:
        self._providers = providers
        self._limits = replace(limits, reply_s=min(limits.reply_s, _ANSWER_S))
        self._breakers = breakers

    async def hears(self, job: Job, listen: Listen, state: CallState) -> bool:
        """Whether what was said in the turn is such a wish."""
        assert state.started is not None
        if in_script(state, listen.turn):
            return True
        if not listen.models:
            return False
        if listen.after_failure:
            await self._rest(job)
        began_s = time.monotonic()
        agent = state.started.agent
        # Behind one that cannot fail nobody would have been asked.
        left = [name for name in self._asked(agent.llm) if not self._providers[name].deterministic]
        for number, name in enumerate(self._breakers.order(left, began_s)):
            first_s = first_token_s(self._limits.first_s, time.monotonic() - began_s, len(left) - number)
            model = agent.model if name == self._providers.for_agent(agent.llm)[0] else ""
            request = Request(agent, question(state, listen.turn), (), model)
            self._breakers.asking(name, time.monotonic())
            try:
                wanted = await self._ask(
                    self._providers[name], request, replace(self._limits, first_s=first_s), job
                )
            except ProviderError as failure:
                self._breakers.failed(name, failure, time.monotonic())
                metrics.PROVIDER_ERRORS.labels(name, failure.cause).inc()
                continue
            self._breakers.succeeded(name)
            return wanted
        if left:
            log.warning("nobody knows whether they want no more calls", call_sid=job.event.call)
        return False

    def _asked(self, wanted: str) -> list[str]:
        names = self._providers.for_agent(wanted)
        sure = next((at for at, name in enumerate(names) if self._providers[name].deterministic), len(names))
        return list(names[:sure])

    @staticmethod
    async def _rest(job: Job) -> None:
        """A worker that drains does not wait."""
        job.progress(for_s=_REST_S + 1.0)
        with job.standing_by():
            try:
                async with asyncio.timeout(_REST_S):
                    await job.draining.wait()
            except TimeoutError:
                return

    @staticmethod
    async def _ask(provider: Provider, request: Request, limits: Limits, job: Job) -> bool:
        lease_s = max(limits.first_s, limits.silence_s) + 0.5
        job.progress(for_s=lease_s)
        async with aclosing(limited(provider.stream(request), limits)) as deltas:
            async for delta in deltas:
                job.progress(for_s=lease_s)
                if isinstance(delta, ToolCall) and delta.name == DO_NOT_CALL:
                    return True
        return False

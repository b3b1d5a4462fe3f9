"""Uses tools for a reply: the log is told before and after, and the caller hears something when it takes long.

The log is what makes a takeover honest: a call that is in it without an answer may have been made, or not.

    tool_called in the log   tool_returned   a worker that takes over
    -----------------------  --------------  -----------------------------------------------------------
    no                       -               asks the model again
    yes                      yes             goes on with the answer
    yes                      no              idempotent: asks once more, with the same Idempotency-Key;
                                             else tells the model that nobody knows what came of it
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Final

from voxbus.common.agents import Agent, Tool
from voxbus.common.logs import get_logger
from voxbus.common.speech import spoken
from voxbus.common.tools.template import Request
from voxbus.llm.core_trail import UNKNOWN, Step, invocation, is_whole, kept, redacted_text
from voxbus.llm.providers.base import ToolCall
from voxbus.llm.tools.core_outcome import Outcome, unfit
from voxbus.llm.tools.toolbox import Toolbox, idempotency_key
from voxbus.llm.work import Work
from voxbus.llm.writer import Overtaken, ReplyWriter

#: Of one round. A model that wants more at a time has lost the thread.
_MOST_CALLS: Final = 8
_NAME_CHARACTERS: Final = 64
#: For the events before and after.
_LEASE_S: Final = 2.0

log = get_logger(__name__)


class ToolRounds:
    """``meanwhile_s``: a tool that takes longer has its line said."""

    def __init__(self, toolbox: Toolbox, meanwhile_s: float) -> None:
        self._toolbox = toolbox
        self._meanwhile_s = meanwhile_s
        self._under_way: set[asyncio.Task[Outcome]] = set()

    def offered(self, agent: Agent) -> tuple[Tool, ...]:
        return self._toolbox.offered(agent)

    @staticmethod
    def next_index(work: Work) -> int:
        return max((step.index + 1 for step in work.steps), default=0)

    async def settle(self, work: Work) -> None:
        """What another worker called, and of which no answer came. Raises Overtaken when one came after all."""
        with work.writer.using_tools():
            for at, step in enumerate(work.steps):
                if step.result is None:
                    work.steps[at] = await self._again(work, step)

    async def _again(self, work: Work, step: Step) -> Step:
        tool = self._tool(work, step.invocation.name)
        whole = is_whole(step.invocation.arguments)
        if tool is not None and tool.idempotent and whole:
            prepared = self._toolbox.prepare(tool, step.invocation.arguments, work.started)
            if isinstance(prepared, Request):
                return await self._request(work, step, tool, prepared)
        outcome = Outcome("unknown", UNKNOWN)
        if tool is not None:
            self._toolbox.count(tool, outcome, work.started.call)
        return await self._without_asking(work, step, outcome)

    async def use(self, work: Work, calls: list[ToolCall], number: int) -> None:
        """One round, in the order that the model wants. Raises Overtaken when somebody else is at it."""
        confirmed = await work.confirmed()
        with work.writer.using_tools():
            for call in calls[:_MOST_CALLS]:
                name = call.name[:_NAME_CHARACTERS]
                index = self.next_index(work)
                made = invocation(work.ask.turn, work.ask.attempt, index, name, call.arguments)
                step = Step(made, index, number, said=len(work.writer.published))
                work.steps.append(await self._use(work, step, call, confirmed))

    async def _use(self, work: Work, step: Step, call: ToolCall, confirmed: bool) -> Step:
        tool = self._tool(work, call.name)
        prepared: Request | Outcome
        if tool is None:
            known = ", ".join(known.name for known in self.offered(work.agent)) or "none"
            prepared = unfit([f"there is no such tool; there are: {known}"])
        elif call.malformed:
            prepared = unfit(["they are no object of JSON"])
        else:
            prepared = self._toolbox.prepare(tool, call.arguments, work.started)
        if not confirmed:
            prepared = Outcome("unconfirmed", "Not done: the caller has not finished speaking.")
        arguments = kept(work.agent, call.name, call.arguments)
        await work.writer.called(step, json.dumps(arguments, sort_keys=True))
        if isinstance(prepared, Request) and tool is not None:
            return await self._request(work, step, tool, prepared)
        assert isinstance(prepared, Outcome)
        if tool is not None:
            self._toolbox.count(tool, prepared, work.started.call)
        return await self._without_asking(work, step, prepared)

    @staticmethod
    async def _without_asking(work: Work, step: Step, outcome: Outcome) -> Step:
        if not await work.writer.returned(step, outcome.text, 0.0):
            raise Overtaken
        return replace(step, result=outcome.text)

    async def _request(self, work: Work, step: Step, tool: Tool, request: Request) -> Step:
        """What was begun is finished, also when the call goes on without this reply: it is done, and somebody knows."""
        key = idempotency_key(work.started.call, work.ask.turn, tool.name, step.invocation.arguments)
        work.job.progress(for_s=tool.timeout_ms / 1000 + self._meanwhile_s + _LEASE_S)
        task = asyncio.create_task(self._exchange(work.writer, step, tool, request, key, work.started.call))
        self._under_way.add(task)
        task.add_done_callback(self._gone)
        await asyncio.wait((task,), timeout=self._meanwhile_s)
        if not task.done() and not work.writer.own:
            for text in spoken(tool.meanwhile, work.agent.language):
                await work.writer.say(text, meanwhile=True)
        outcome = await asyncio.shield(task)
        work.live.check()
        return replace(step, ok=outcome.ok, result=outcome.text)

    async def _exchange(
        self, writer: ReplyWriter, step: Step, tool: Tool, request: Request, key: str, call: str
    ) -> Outcome:
        outcome, took_ms = await self._toolbox.ask(tool, request, key, call)
        theirs = outcome.cause in ("ok", "client_error")
        told = redacted_text(outcome.text, tool.redact) if theirs else outcome.text
        if not await writer.returned(replace(step, ok=outcome.ok), told, took_ms):
            raise Overtaken
        return outcome

    def _gone(self, task: asyncio.Task[Outcome]) -> None:
        self._under_way.discard(task)
        if (
            not task.cancelled()
            and (error := task.exception()) is not None
            and not isinstance(error, Overtaken)
        ):
            log.warning("what came of a tool is not in the log", error=error)

    def _tool(self, work: Work, name: str) -> Tool | None:
        return next((tool for tool in self.offered(work.agent) if tool.name == name), None)

    async def close(self) -> None:
        """What is under way is waited for: it has its own limits."""
        if self._under_way:
            await asyncio.wait(tuple(self._under_way))
        await self._toolbox.close()

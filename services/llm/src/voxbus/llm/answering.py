"""Answers what a caller said: asks a provider, uses the tools that it calls for, asks again; and does what ends a call.

    ask ---> words ---------------------------> the effects: hang up, transfer ---> end
     ^         |
     |         +---> tools of the agent's own ---+
     +------------------ what they answered -----+     LLM_TOOL_ROUNDS times; then no tool is offered any more

A reply that calls for both its own tools and an effect gets the answers first: it may think otherwise then. Not so the
wish not to be called again: it is written when it is known (``voxbus.llm.wish``), and the call ends with this reply.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, assert_never

from voxbus.common.bus import Job
from voxbus.common.fold import CallState
from voxbus.common.tools import BUILT_IN
from voxbus.llm import metrics
from voxbus.llm.asking import Asking
from voxbus.llm.core_effects import DO_NOT_CALL, DoNotCall, Hangup, Refused, Transfer, effect
from voxbus.llm.core_trail import kept, steps_of
from voxbus.llm.core_turn import NEVER_AGAIN, Ask
from voxbus.llm.live import LiveTurn
from voxbus.llm.providers.base import ToolCall
from voxbus.llm.tools import ToolRounds
from voxbus.llm.wish import Wish
from voxbus.llm.work import Work
from voxbus.llm.writer import By, EndReason, ReplyWriter

_CUT: Final[dict[str, EndReason]] = {"length": "length", "content_filter": "cut_off"}


class Answering:
    """``most_rounds``: how often the model may ask for tools in a reply."""

    def __init__(self, asking: Asking, tool_rounds: ToolRounds, most_rounds: int) -> None:
        self._asking = asking
        self._tool_rounds = tool_rounds
        self._most_rounds = most_rounds

    async def answer(
        self, job: Job, ask: Ask, state: CallState, live: LiveTurn, writer: ReplyWriter, wish: Wish
    ) -> None:
        turn = state.turns[ask.turn]
        if any(sentence.event.fallback for sentence in turn.sentences.values()):
            await writer.end("fallback")  # whoever had the job before had got as far as that
            return
        work = Work(job, ask, state, live, writer, steps_of(turn.tools()), wish)
        if writer.published or work.steps:
            metrics.TAKEN_OVER.inc()
        await writer.give_notice()
        await self._tool_rounds.settle(work)
        made = By()
        while True:
            number = work.steps[-1].round + 1 if work.steps else 0
            tools = self._tool_rounds.offered(work.agent) if number < self._most_rounds else ()
            reply = await self._asking.reply(work, tools)
            if reply is None:
                return
            made = _sum(made, reply.by)
            own = [call for call in reply.calls if call.name not in BUILT_IN]
            if own and number < self._most_rounds:
                await self._tool_rounds.use(work, own, number)
                continue
            await self._do(reply.calls, work)
            await writer.end(_CUT.get(reply.finish.reason, "complete"), made)
            return

    async def _do(self, wanted: list[ToolCall], work: Work) -> None:
        """The effects, after the words. The first that can be done counts: one call ends only once."""
        agent, writer = work.agent, work.writer
        calls = [ToolCall(DO_NOT_CALL, {}), *wanted] if work.wish.noted else wanted
        never_again = done = False
        for index, call in enumerate(calls, self._tool_rounds.next_index(work)):
            meant = Refused("the call ends already") if done else effect(call.name, call.arguments, agent)
            if not isinstance(meant, Refused) and not await work.confirmed():
                meant = Refused("the caller went on")
            arguments = kept(agent, call.name, call.arguments)
            match meant:
                case Refused(why):
                    await writer.tool(index, call.name, arguments, ok=False, result=why)
                case DoNotCall():
                    await work.wish.kept()
                    await writer.tool(index, call.name, arguments, ok=True, result="never called again")
                    never_again = True
                case Hangup(reason):
                    await work.at_least(agent.lines.do_not_call if never_again else agent.lines.goodbye)
                    await writer.tool(index, call.name, arguments, ok=True, result="hangs up")
                    await writer.hang_up(NEVER_AGAIN if never_again else reason)
                    done = True
                case Transfer(target):
                    await work.at_least(
                        agent.lines.fillers[0] if agent.lines.fillers else agent.lines.goodbye
                    )
                    await writer.tool(index, call.name, arguments, ok=True, result="transfers")
                    await writer.transfer(target)
                    done = True
                case _:
                    assert_never(meant)
        if never_again and not done:
            await work.at_least(agent.lines.do_not_call)
            await writer.hang_up(NEVER_AGAIN)
        elif calls:
            await work.at_least(agent.lines.fallback)


def _sum(made: By, more: By) -> By:
    """Of two rounds: who spoke last, and all of what it cost."""
    return replace(
        more,
        input_tokens=made.input_tokens + more.input_tokens,
        output_tokens=made.output_tokens + more.output_tokens,
    )

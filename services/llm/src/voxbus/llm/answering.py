"""Answers what a caller said: asks a provider, says its sentences as they complete, does what its tools ask for."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import assert_never

from voxbus.common.agents import Agent
from voxbus.common.bus import Job
from voxbus.common.errors import ProviderError
from voxbus.common.fold import CallState
from voxbus.common.logs import get_logger
from voxbus.common.providers.breaker import Breakers
from voxbus.common.speech import SpeechCutter, spoken
from voxbus.llm import metrics
from voxbus.llm.core_messages import conversation, messages, repeats
from voxbus.llm.core_policy import after, first_token_s
from voxbus.llm.core_tools import DoNotCall, Hangup, Refused, Transfer, effect
from voxbus.llm.core_turn import Ask
from voxbus.llm.limits import Limits, limited
from voxbus.llm.live import LiveTurn
from voxbus.llm.providers import Providers
from voxbus.llm.providers.base import Finish, Provider, Request, Text, ToolCall, Usage
from voxbus.llm.writer import By, ReplyWriter

#: How long effects wait for a guess to be confirmed. STT decides within POST_UTTERANCE_SILENCE_MS, 1.5 s by default.
_CONFIRM_S = 5.0

log = get_logger(__name__)


@dataclass
class _Reply:
    """What came of asking one provider. ``broken_off``: a continuation that only repeated what had been said."""

    calls: list[ToolCall] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    finish: Finish = field(default_factory=Finish)
    broken_off: bool = False


class _Repeated(Exception):
    pass


class Answering:
    """``limits.first_s``: of all providers together."""

    def __init__(self, providers: Providers, limits: Limits) -> None:
        self._providers = providers
        self._limits = limits
        self._breakers = Breakers()

    async def answer(self, job: Job, ask: Ask, state: CallState, live: LiveTurn, writer: ReplyWriter) -> None:
        assert state.started is not None
        agent = state.started.agent
        turn = state.turns[ask.turn]
        if any(sentence.event.fallback for sentence in turn.sentences.values()):
            await writer.end("fallback")  # whoever had the job before had got as far as that
            return
        taken_over = bool(writer.published)
        if taken_over:
            metrics.TAKEN_OVER.inc()
        began_s = time.monotonic()
        wanted = self._providers.for_agent(agent.llm)
        left = list(self._breakers.order(wanted, began_s))
        while True:
            slow_left = sum(not self._providers[name].deterministic for name in left)
            provider = self._providers[left.pop(0)]
            # The agent's model is a name that the agent's provider knows.
            asked = agent.model if provider.name == wanted[0] and not provider.deterministic else ""
            by = By(provider.name, asked or provider.model)
            spent_s = time.monotonic() - began_s
            limits = replace(self._limits, first_s=first_token_s(self._limits.first_s, spent_s, slow_left))
            self._breakers.asking(provider.name, time.monotonic())
            try:
                reply = await self._ask(provider, by, limits, job, ask, state, writer)
                self._check(reply, writer)
            except ProviderError as failure:
                self._note(failure, provider, job, ask)
                match after(said=len(writer.published), taken_over=taken_over, left=left):
                    case "next":
                        continue
                    case "cut_off" | "takeover" as reason:
                        await writer.end(reason, by)
                    case "fallback":
                        for text in spoken(agent.lines.fallback, agent.language):
                            await writer.say(text, fallback=True, cause=failure.cause)
                        await writer.end("fallback", by)
                return
            self._breakers.succeeded(provider.name)
            if reply.broken_off:
                await writer.end("takeover", by)
                return
            said = turn.utterance.text if turn.utterance is not None else ""
            await self._do(reply.calls, job, ask, agent, said, live, writer)
            by = By(by.provider, by.model, reply.usage.input_tokens, reply.usage.output_tokens)
            await writer.end("length" if reply.finish.reason == "length" else "complete", by)
            return

    async def _ask(
        self,
        provider: Provider,
        by: By,
        limits: Limits,
        job: Job,
        ask: Ask,
        state: CallState,
        writer: ReplyWriter,
    ) -> _Reply:
        """Says the sentences of the provider's reply as they complete."""
        assert state.started is not None
        agent = state.started.agent
        before = tuple(writer.published)
        request = Request(
            agent=agent,
            messages=messages(state, ask.turn, published=() if provider.deterministic else before),
            conversation=conversation(state, ask.turn),
            model=by.model,
        )
        sayer = _Sayer(writer, before, again=provider.deterministic)
        cutter = SpeechCutter(agent.language)
        reply = _Reply()
        lease_s = max(limits.first_s, limits.silence_s) + 0.5
        job.progress(for_s=lease_s)
        async with aclosing(limited(provider.stream(request), limits)) as deltas:
            try:
                async for delta in deltas:
                    job.progress(for_s=lease_s)
                    match delta:
                        case Text(text):
                            writer.first_token()
                            await sayer.say(cutter.feed(text))
                        case ToolCall():
                            reply.calls.append(delta)
                        case Usage():
                            reply.usage = delta
                        case Finish():
                            reply.finish = delta
                            await sayer.say(cutter.flush())
                        case _:
                            assert_never(delta)
            except _Repeated:
                reply.broken_off = True
        return reply

    @staticmethod
    def _check(reply: _Reply, writer: ReplyWriter) -> None:
        """A caller must not be left in silence: a reply that is nothing at all is a failure."""
        if not writer.published and not reply.calls:
            cause = "content_filter" if reply.finish.reason == "content_filter" else "empty"
            raise ProviderError(cause, retry=False)

    def _note(self, failure: ProviderError, provider: Provider, job: Job, ask: Ask) -> None:
        self._breakers.failed(provider.name, failure, time.monotonic())
        metrics.PROVIDER_ERRORS.labels(provider.name, failure.cause).inc()
        log.warning(
            "provider failed",
            call_sid=job.event.call,
            turn=ask.turn,
            provider=provider.name,
            cause=failure.cause,
            error=failure,
        )

    async def _do(
        self,
        calls: list[ToolCall],
        job: Job,
        ask: Ask,
        agent: Agent,
        said: str,
        live: LiveTurn,
        writer: ReplyWriter,
    ) -> None:
        """The effects, after the words. The first that can be done counts: one call ends only once.

        ``said``: what the caller said.
        """
        done = False
        for index, call in enumerate(calls):
            arguments = dict(call.arguments)
            wanted = Refused("the call ends already") if done else effect(call.name, arguments, agent)
            if not isinstance(wanted, Refused) and not await self._confirmed(job, ask, live):
                wanted = Refused("the caller went on")
            match wanted:
                case Refused(why):
                    await writer.tool(index, call.name, arguments, ok=False, result=why)
                    continue
                case Hangup(reason):
                    await self._at_least(agent.lines.goodbye, agent, writer)
                    await writer.tool(index, call.name, arguments, ok=True, result="hangs up")
                    await writer.hang_up(reason)
                case Transfer(target):
                    filler = agent.lines.fillers[0] if agent.lines.fillers else agent.lines.goodbye
                    await self._at_least(filler, agent, writer)
                    await writer.tool(index, call.name, arguments, ok=True, result="transfers")
                    await writer.transfer(target)
                case DoNotCall():
                    await self._at_least(agent.lines.do_not_call, agent, writer)
                    await writer.tool(index, call.name, arguments, ok=True, result="never called again")
                    await writer.do_not_call(said)
                    await writer.hang_up("do_not_call")
                case _:
                    assert_never(wanted)
            done = True
        if calls:
            await self._at_least(agent.lines.fallback, agent, writer)

    @staticmethod
    async def _at_least(line: str, agent: Agent, writer: ReplyWriter) -> None:
        """Models may call a tool and say nothing; the caller hears ``line`` then."""
        if not writer.published:
            for text in spoken(line, agent.language):
                await writer.say(text)

    @staticmethod
    async def _confirmed(job: Job, ask: Ask, live: LiveTurn) -> bool:
        if ask.final or live.confirmed.is_set():
            return True
        job.progress(for_s=_CONFIRM_S + 0.5)
        try:
            async with asyncio.timeout(_CONFIRM_S):
                await live.confirmed.wait()
        except TimeoutError:
            return False
        return True


class _Sayer:
    """Leaves out what is in the log. ``again``: the provider says the whole reply again, from its beginning."""

    def __init__(self, writer: ReplyWriter, before: tuple[str, ...], *, again: bool) -> None:
        self._writer = writer
        self._before = before
        self._again = list(before) if again else []
        self._goes_on = bool(before) and not again

    async def say(self, texts: list[str]) -> None:
        """Raises _Repeated when the reply does not go on where it stopped."""
        for text in texts:
            if self._again:
                if self._again.pop(0) != text:
                    raise _Repeated
            elif self._goes_on and repeats(text, self._before):
                raise _Repeated
            else:
                await self._writer.say(text)

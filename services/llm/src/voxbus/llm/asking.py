"""Asks the providers for a reply, one after the other while they fail, and says its sentences as they complete."""

from __future__ import annotations

import time
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import assert_never

from voxbus.common.agents import Tool
from voxbus.common.errors import ProviderError
from voxbus.common.logs import get_logger
from voxbus.common.providers.breaker import Breakers
from voxbus.common.speech import SpeechCutter, spoken
from voxbus.llm import metrics
from voxbus.llm.core_effects import DO_NOT_CALL
from voxbus.llm.core_messages import conversation, messages, repeats
from voxbus.llm.core_policy import after, first_token_s
from voxbus.llm.limits import Limits, limited
from voxbus.llm.providers import Providers
from voxbus.llm.providers.base import Finish, Provider, Request, Text, ToolCall, Usage
from voxbus.llm.work import Work
from voxbus.llm.writer import By, ReplyWriter

log = get_logger(__name__)


@dataclass
class Reply:
    """What came of asking one provider. ``broken_off``: a continuation that only repeated what had been said.

    ``calls``: without the wish not to be called again, which was noted when it came.
    """

    by: By
    calls: list[ToolCall] = field(default_factory=list)
    finish: Finish = field(default_factory=Finish)
    broken_off: bool = False


class _Repeated(Exception):
    pass


class Asking:
    """``limits.first_s``: of all providers together."""

    def __init__(self, providers: Providers, limits: Limits, breakers: Breakers) -> None:
        self._providers = providers
        self._limits = limits
        self._breakers = breakers

    async def reply(self, work: Work, tools: tuple[Tool, ...]) -> Reply | None:
        """``tools``: that may be called. None: it came to nothing, and was ended as well as could be."""
        agent, writer = work.agent, work.writer
        taken_over = bool(work.words)
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
                reply = await self._ask(provider, by, limits, work, tools)
                self._check(reply, work)
            except ProviderError as failure:
                self._note(failure, provider, work)
                if work.wish.noted:  # nothing that could still come matters more
                    return Reply(by)
                match after(said=len(work.words), taken_over=taken_over, left=left):
                    case "next":
                        continue
                    case "cut_off" | "takeover" as reason:
                        await writer.end(reason, by)
                    case "fallback":
                        for text in spoken(agent.lines.fallback, agent.language):
                            await writer.say(text, fallback=True, cause=failure.cause)
                        await writer.end("fallback", by)
                return None
            self._breakers.succeeded(provider.name)
            if reply.broken_off and not work.wish.noted:
                await writer.end("takeover", by)
                return None
            return reply

    async def _ask(
        self, provider: Provider, by: By, limits: Limits, work: Work, tools: tuple[Tool, ...]
    ) -> Reply:
        """Says the sentences of the provider's reply as they complete."""
        writer, turn = work.writer, work.ask.turn
        # A deterministic one says all of it again.
        published = (
            writer.published[: -len(work.words) or None] if provider.deterministic else writer.published
        )
        request = Request(
            agent=work.agent,
            messages=messages(
                work.state, turn, published=tuple(published), meanwhile=writer.meanwhile, steps=work.steps
            ),
            conversation=conversation(work.state, turn, work.steps),
            model=by.model,
            tools=tools,
        )
        sayer = _Sayer(writer, tuple(work.words), again=provider.deterministic)
        cutter = SpeechCutter(work.agent.language)
        reply = Reply(by)
        lease_s = max(limits.first_s, limits.silence_s) + 0.5
        work.job.progress(for_s=lease_s)
        async with aclosing(limited(provider.stream(request), limits)) as deltas:
            try:
                async for delta in deltas:
                    work.job.progress(for_s=lease_s)
                    match delta:
                        case Text(text):
                            writer.first_token()
                            await sayer.say(cutter.feed(text))
                        case ToolCall(name=name) if name == DO_NOT_CALL:
                            work.wish.note(certain=work.certain)
                        case ToolCall():
                            reply.calls.append(delta)
                        case Usage(input_tokens, output_tokens):
                            reply.by = By(by.provider, by.model, input_tokens, output_tokens)
                        case Finish():
                            reply.finish = delta
                            # Cut in a sentence, maybe in a number: "$1" of "$1,200".
                            if not (delta.cut and work.words):
                                await sayer.say(cutter.flush())
                        case _:
                            assert_never(delta)
            except _Repeated:
                reply.broken_off = True
        return reply

    @staticmethod
    def _check(reply: Reply, work: Work) -> None:
        """A caller must not be left in silence: a reply that is nothing at all is a failure."""
        if not work.words and not reply.calls and not work.wish.noted:
            cause = "content_filter" if reply.finish.reason == "content_filter" else "empty"
            raise ProviderError(cause, retry=False)

    def _note(self, failure: ProviderError, provider: Provider, work: Work) -> None:
        self._breakers.failed(provider.name, failure, time.monotonic())
        metrics.PROVIDER_ERRORS.labels(provider.name, failure.cause).inc()
        log.warning(
            "provider failed",
            call_sid=work.started.call,
            turn=work.ask.turn,
            provider=provider.name,
            cause=failure.cause,
            error=failure,
        )


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

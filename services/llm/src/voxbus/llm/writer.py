"""Writes one reply into the log, sentence by sentence."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from voxbus.common import subjects
from voxbus.common.agents import Voice
from voxbus.common.bus import Bus, Condition
from voxbus.common.errors import ConditionFailed, Conflict
from voxbus.common.events import (
    Event,
    HangupRequested,
    ReplyEnded,
    Sentence,
    ToolCalled,
    ToolReturned,
    TransferRequested,
)
from voxbus.llm import metrics
from voxbus.llm.core_trail import Step
from voxbus.llm.live import LiveTurn

EndReason = Literal["complete", "fallback", "cancelled", "takeover", "length", "cut_off"]


@dataclass(frozen=True)
class By:
    """Who made the reply, and what it cost; nobody for the agent's own lines."""

    provider: str = ""
    model: str = ""
    input_tokens: int = 0
    output_tokens: int = 0


class _Of(TypedDict):
    """What every event of a reply carries."""

    call: str
    trace: str
    turn: int
    attempt: int


class Overtaken(Exception):
    """Somebody else has written into this reply, or ended it: that has to be read before anything is added."""


class ReplyWriter:
    """``published``: the sentences of the reply that are in the log already; ``meanwhile``: which of them were said
    while a tool was under way. ``received_s`` is monotonic.

    ``ended``: why it did, by us.

    ``notice``: the sentences that the reply begins with, which the caller must hear to their end. They answer nothing,
    as what is said meanwhile does not.

    All but ``end`` and ``returned`` raise Stopped when the call has gone on without this reply.
    """

    def __init__(
        self,
        bus: Bus,
        live: LiveTurn,
        trace: str,
        voice: Voice,
        published: list[str],
        meanwhile: frozenset[int],
        received_s: float,
        notice: Sequence[str] = (),
    ) -> None:
        self._bus = bus
        self._live = live
        self._of: _Of = {"call": live.call, "trace": trace, "turn": live.turn, "attempt": live.attempt}
        # A worker that is woken after its reply was taken over, and ended, adds nothing to it.
        ended = ReplyEnded(**self._of, sentences=0, reason="complete")
        self._unended = Condition(subjects.event(live.call, ended.kind, ended.key()), 0)
        self._voice = voice
        self._received_s = received_s
        self._first_token_ms = 0.0
        self._tools_ms = 0.0
        self._tools_since_ms: float | None = None
        self._notice = notice
        self.ended: EndReason | None = None
        self.published = published
        self.meanwhile = meanwhile | frozenset(range(len(notice)))

    @property
    def own(self) -> list[str]:
        """``published`` without the notice."""
        return self.published[len(self._notice) :]

    def elapsed_ms(self) -> float:
        """Since the job was received."""
        return (time.monotonic() - self._received_s) * 1000

    def first_token(self) -> None:
        if not self._first_token_ms:
            self._first_token_ms = self.elapsed_ms()
            metrics.FIRST_TOKEN_MS.observe(self._first_token_ms)

    async def give_notice(self) -> None:
        """First, and as far as it is not in the log."""
        for text in self._notice[len(self.published) :]:
            await self.say(text)

    @contextmanager
    def using_tools(self) -> Iterator[None]:
        """Before the first token of the reply it is not the model's time."""
        self._tools_since_ms = self.elapsed_ms()
        try:
            yield
        finally:
            self._tools_ms, self._tools_since_ms = self._in_tools_ms(), None

    def _in_tools_ms(self) -> float:
        if self._tools_since_ms is None or self._first_token_ms:
            return self._tools_ms
        return self._tools_ms + self.elapsed_ms() - self._tools_since_ms

    async def say(
        self, text: str, *, fallback: bool = False, cause: str = "", meanwhile: bool = False
    ) -> None:
        """Raises Overtaken when the log holds another sentence at this place, or the end of the reply."""
        ready_ms = self.elapsed_ms()
        left = len(self._notice) - len(self.published)
        # Of what is said meanwhile no model has made a token.
        first_ms = self._first_token_ms or (ready_ms if meanwhile else 0.0)
        sentence = Sentence(
            **self._of, index=len(self.published), text=text, voice=self._voice, fallback=fallback, cause=cause,
            meanwhile=meanwhile, first_token_ms=first_ms, tools_ms=self._in_tools_ms(), ready_ms=ready_ms,
            interruptible=left <= 0, notice="" if left <= 0 else "end" if left == 1 else "part",
        )  # fmt: skip
        try:
            await self._bus.append(sentence, only_if=self._unended)
        except ConditionFailed:
            raise Overtaken from None
        except Conflict:
            stored = await self._bus.stored(sentence)
            if stored is None or not isinstance(stored.event, Sentence) or stored.event.text != text:
                raise Overtaken from None
        if meanwhile:
            self.meanwhile |= {len(self.published)}
        self.published.append(text)
        metrics.SENTENCE_READY_MS.observe(ready_ms)
        self._live.check()

    async def tool(
        self, index: int, name: str, arguments: Mapping[str, Any], *, ok: bool, result: str
    ) -> None:
        """A built-in tool takes no time: called and returned are stored together."""
        called = ToolCalled(
            **self._of, index=index, name=name, arguments=json.dumps(dict(arguments), sort_keys=True)
        )
        returned = ToolReturned(**self._of, index=index, name=name, ok=ok, result=result)
        await self._add(called)
        await self._add(returned)

    async def called(self, step: Step, arguments: str) -> None:
        """Of a tool of the agent's own, before it is asked. Raises Overtaken when somebody else called one as this."""
        called = ToolCalled(
            **self._of, index=step.index, name=step.invocation.name, arguments=arguments,
            round=step.round, said=step.said,
        )  # fmt: skip
        try:
            await self._bus.append(called, only_if=self._unended)
        except (ConditionFailed, Conflict):
            raise Overtaken from None
        self._live.check()

    async def returned(self, step: Step, result: str, duration_ms: float) -> bool:
        """Also for a reply that was stopped meanwhile: it is done. False when the log has another outcome."""
        returned = ToolReturned(
            **self._of, index=step.index, name=step.invocation.name, ok=step.ok, result=result,
            duration_ms=duration_ms,
        )  # fmt: skip
        try:
            await self._bus.append(returned)
        except Conflict:
            return False
        return True

    async def hang_up(self, reason: str) -> None:
        await self._add(HangupRequested(**self._of, reason=reason))

    async def transfer(self, target: str) -> None:
        await self._add(TransferRequested(**self._of, target=target))

    async def end(self, reason: EndReason, by: By | None = None) -> None:
        """The last event of a reply, whatever it was: a job that comes back sees by it that nothing is left to do."""
        by = by or By()
        ended = ReplyEnded(
            **self._of, sentences=len(self.published), reason=reason, provider=by.provider, model=by.model,
            input_tokens=by.input_tokens, output_tokens=by.output_tokens, total_ms=self.elapsed_ms(),
        )  # fmt: skip
        await self._append(ended)
        self.ended = reason
        metrics.REPLIES.labels(reason).inc()

    async def _add(self, event: Event) -> None:
        try:
            await self._append(event, self._unended)
        except ConditionFailed:
            raise Overtaken from None
        self._live.check()

    async def _append(self, event: Event, only_if: Condition | None = None) -> None:
        """One that is there already is as good: who wrote it had the same reason."""
        try:
            await self._bus.append(event, only_if=only_if)
        except Conflict:
            metrics.WRITTEN_BEFORE.inc()

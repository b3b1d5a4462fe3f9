"""What tools did in a reply: from the log to the words that a model is told.

    user       when is my appointment
    assistant  Let me see.            get_next_appointment({})        round 0
    tool       {"day": "Thursday"}
    assistant  It is on Thursday.

A model is told of all calls, also of those whose outcome nobody knows, so that it does not simply make them again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Final

from voxbus.common.agents import Agent
from voxbus.common.json_text import loads
from voxbus.common.tools import BUILT_IN
from voxbus.common.turns import ToolUse, TurnState
from voxbus.llm.core_chat import Invocation, Message

#: What is told of a call that was made, and of which no answer came back.
UNKNOWN: Final = (
    "Nobody knows whether this was done: the line broke off before the answer came. Do not do it again by yourself."
    " Tell the caller honestly, and offer to look it up, or to hand the call to a person."
)
#: Stands in the log for what is not kept there.
REDACTED: Final = "(not kept)"


@dataclass(frozen=True)
class Step:
    """One call. ``said``: sentences of the reply before it. ``result`` None: not known (yet)."""

    invocation: Invocation
    index: int
    round: int
    said: int
    ok: bool = False
    result: str | None = None


def invocation(turn: int, attempt: int, index: int, name: str, arguments: Mapping[str, Any]) -> Invocation:
    return Invocation(f"call_{turn}_{attempt}_{index}", name, arguments)


def steps_of(uses: Iterable[ToolUse]) -> list[Step]:
    """From the log, without the tools that every agent has: those end a call, and nothing comes after."""
    return [_step(use) for use in uses if use.called.name not in BUILT_IN]


def steps_of_turn(turn: TurnState) -> list[Step]:
    return steps_of(turn.uses())


def _step(use: ToolUse) -> Step:
    called, returned = use.called, use.returned
    found = invocation(called.turn, called.attempt, called.index, called.name, _object(called.arguments))
    step = Step(found, called.index, called.round, called.said)
    return step if returned is None else replace(step, ok=returned.ok, result=returned.result)


def _object(text: str) -> dict[str, Any]:
    try:
        found = loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def calls_and_answers(steps: Sequence[Step]) -> list[Message]:
    """Calls that were made outside of the words of a reply: in one go, and their answers."""
    if not steps:
        return []
    return [Message("assistant", "", calls=tuple(step.invocation for step in steps)), *map(_answer, steps)]


def trail(sentences: Sequence[str], meanwhile: frozenset[int], steps: Sequence[Step]) -> list[Message]:
    """The reply so far, up to its last answer of a tool. ``meanwhile``: which sentences were said while one worked."""
    messages: list[Message] = []
    begin = 0
    for _, group in groupby(steps, key=lambda step: step.round):
        made = list(group)
        end = words_begin(meanwhile, made[-1])
        messages.append(
            Message("assistant", " ".join(sentences[begin:end]), tuple(step.invocation for step in made))
        )
        messages += map(_answer, made)
        begin = end
    return messages


def words_begin(meanwhile: frozenset[int], last: Step | None) -> int:
    """The index of the first sentence that was said with the last answer known."""
    begin = last.said if last is not None else 0
    while begin in meanwhile:
        begin += 1
    return begin


def _answer(step: Step) -> Message:
    return Message("tool", UNKNOWN if step.result is None else step.result, call=step.invocation)


@dataclass(frozen=True)
class ToolAnswer:
    """What a tool answered, as the scripted dialogue sees it. ``fields``: of an answer that is an object."""

    ok: bool
    fields: Mapping[str, str]


def learned(steps: Iterable[Step]) -> dict[str, ToolAnswer]:
    """By tool; of several calls the last."""
    found = {}
    for step in steps:
        answer = _object(step.result or "")
        fields = {name: v if isinstance(v, str) else json.dumps(v) for name, v in answer.items()}
        found[step.invocation.name] = ToolAnswer(step.ok, fields)
    return found


def redacted(value: Any, names: Sequence[str]) -> Any:
    """JSON without what is called one of ``names``, however deep."""
    if isinstance(value, Mapping):
        return {name: REDACTED if name in names else redacted(inner, names) for name, inner in value.items()}
    return [redacted(inner, names) for inner in value] if isinstance(value, list) else value


def kept(agent: Agent, name: str, arguments: Mapping[str, Any]) -> Any:
    """The arguments of a call as the log has them. What they mean to a tool that there is not, nobody knows."""
    if name in BUILT_IN:
        return arguments
    tool = next((tool for tool in agent.tools if tool.name == name), None)
    return redacted(arguments, tool.redact) if tool is not None else {}


def is_whole(value: Any) -> bool:
    """Whether nothing of it was left out when it was kept."""
    if isinstance(value, Mapping):
        return all(map(is_whole, value.values()))
    return all(map(is_whole, value)) if isinstance(value, list) else value != REDACTED


def redacted_text(text: str, names: Sequence[str]) -> str:
    """``text`` as it is kept. Where it is no object, nothing of it can be told apart, and nothing is kept."""
    if not names:
        return text
    try:
        found = loads(text)
    except ValueError:
        return REDACTED
    return json.dumps(redacted(found, names), ensure_ascii=False) if isinstance(found, dict) else REDACTED

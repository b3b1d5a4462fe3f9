"""The simulated model: the agent's scripted dialogue, told from nothing but the messages of the request.

Which agent it is shows in the system prompt, and so do the values of the call.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from voxbus.common.agent_texts import PLACEHOLDER, resolve
from voxbus.common.agents import Agent
from voxbus.llm.core_dialogue import Said, answer
from voxbus.llm.core_trail import ToolAnswer

_KEYS = re.compile(r"\(pressed the keys ([^)]*)\)")
#: An instruction, whoever says it: some vendors take those of the system from the user only.
_GO_ON = re.compile(r"\bgo on\b", re.IGNORECASE)
_ASIDE = re.compile(r"\([^)]*\)\s*")


@dataclass(frozen=True)
class Message:
    """``tool``: whose answer the text is, where the role is ``tool``."""

    role: str
    text: str
    tool: str = ""


@dataclass(frozen=True)
class Thought:
    """``tool``: called after ``say``; empty = none."""

    say: str
    tool: str = ""
    arguments: Mapping[str, str] | None = None


class Mind:
    """``otherwise``: what is said to a prompt that is no agent's."""

    def __init__(self, agents: Iterable[Agent], otherwise: str = "I see. Tell me more.") -> None:
        self._known = [_Known(agent) for agent in agents]
        self._otherwise = otherwise

    def think(self, messages: Sequence[Message], tools: Collection[str] = ()) -> Thought:
        """``tools``: that are offered."""
        prompt = messages[0].text if messages and messages[0].role == "system" else ""
        agent = next((found for known in self._known if (found := known.fits(prompt)) is not None), None)
        if agent is None:
            return Thought(self._otherwise)
        given = answer(agent, _conversation(messages), tools)
        if given.arguments is not None:
            return Thought("", given.reply.tool, given.arguments)
        say = _rest(given.say, messages)
        match given.reply.action:
            case "end_call":
                return Thought(say, "end_call", {})
            case "transfer_call":
                return Thought(say, "transfer_call", {"target": given.reply.target})
        return Thought(say)


@dataclass
class _Known:
    agent: Agent

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        seen: set[str] = set()
        parts = []
        for index, part in enumerate(PLACEHOLDER.split(self.agent.prompt)):
            if index % 2 == 0:
                parts.append(re.escape(part))
            else:
                parts.append(f"(?P={part})" if part in seen else f"(?P<{part}>.+?)")
                seen.add(part)
        return re.compile("".join(parts) + r"\s*", re.DOTALL)

    def fits(self, prompt: str) -> Agent | None:
        found = self._pattern.fullmatch(prompt)
        return None if found is None else resolve(self.agent, found.groupdict())


def _conversation(messages: Sequence[Message]) -> list[Said]:
    """What the caller said after the agent's first words: "hello?" on the telephone is answered by the greeting."""
    first = next((index for index, message in enumerate(messages) if message.role == "assistant"), 0)
    said: list[Said] = []
    for message in messages[first:]:
        if message.role == "tool" and said:
            said[-1] = replace(said[-1], answers={**said[-1].answers, message.tool: _answer_of(message.text)})
        if message.role != "user" or _GO_ON.search(message.text):
            continue
        if keys := _KEYS.search(message.text):
            said.append(Said(keys[1].replace(" ", ""), keys=True))
        elif text := _ASIDE.sub("", message.text).strip():
            said.append(Said(text))
    return said


def _answer_of(text: str) -> ToolAnswer:
    """An answer that is no object is a failure, in words."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        return ToolAnswer(False, {})
    return ToolAnswer(True, {name: str(value) for name, value in found.items()})


def _rest(say: str, messages: Sequence[Message]) -> str:
    """Without what the assistant has said of it already, where the request asks to go on."""
    *_, before, last = (Message("", ""), Message("", ""), *messages)
    if before.role != "assistant" or not _GO_ON.search(last.text):
        return say
    return say[len(before.text) :].lstrip() if say.startswith(before.text) else ""

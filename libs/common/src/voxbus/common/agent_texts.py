"""The placeholders in an agent's texts: ``{name}`` stands for a variable, a slot or memory of the dialogue."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from voxbus.common.agents import Agent, Dialogue, Reply
from voxbus.common.errors import AgentError

PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")


def resolve(agent: Agent, variables: Mapping[str, str]) -> Agent:
    """``agent`` with every ``{variable}`` filled in, from ``variables`` first and then its own defaults.

    Slots and memory of the dialogue stay: they are filled as the caller speaks. Raises AgentError naming what is
    missing.
    """
    values = {**agent.variables, **variables}
    own = own_names(agent.dialogue)

    def fill(field: str, text: str) -> str:
        def value(found: re.Match[str]) -> str:
            name = found.group(1)
            if name in own and field.startswith("dialogue"):
                return found.group()
            if name not in values:
                hint = "give it in the call's context, or a default under variables"
                raise AgentError(f"{agent.name}: {field}: no value for {{{name}}}; {hint}")
            return values[name]

        return PLACEHOLDER.sub(value, text)

    return with_texts(agent, fill).model_copy(update={"variables": values})


def own_names(dialogue: Dialogue) -> frozenset[str]:
    """The placeholders that the dialogue itself fills."""
    return frozenset(dialogue.slots) | frozenset(dialogue.memory)


_Fill = Callable[[str, str], str]


def texts(agent: Agent) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []

    def collect(field: str, text: str) -> str:
        found.append((field, text))
        return text

    with_texts(agent, collect)
    return found


def with_texts(agent: Agent, fill: _Fill) -> Agent:
    """``agent`` with ``fill(field, text)`` in the place of every text that may hold placeholders."""

    def each(field: str, value: Any) -> Any:
        if isinstance(value, str):
            return fill(field, value)
        return tuple(each(f"{field}.{i}", item) for i, item in enumerate(value))

    lines = agent.lines.model_copy(
        update={
            name: each(f"lines.{name}", getattr(agent.lines, name)) for name in type(agent.lines).model_fields
        }
    )
    tools = tuple(
        tool.model_copy(
            update={
                name: fill(f"tools.{tool.name}.{name}", getattr(tool, name))
                for name in ("description", "meanwhile")
            }
        )
        for tool in agent.tools
    )
    targets = {name: fill(f"transfer_targets.{name}", to) for name, to in agent.transfer_targets.items()}
    return agent.model_copy(
        update={
            "prompt": fill("prompt", agent.prompt),
            "lines": lines,
            "dialogue": _with_replies(agent.dialogue, fill),
            "transfer_targets": targets,
            "tools": tools,
        }
    )


def _with_replies(dialogue: Dialogue, fill: _Fill) -> Dialogue:
    def said(at: str, reply: Reply) -> Reply:
        filled = {
            field: {name: fill(f"{at}.{field}.{name}", text) for name, text in getattr(reply, field).items()}
            for field in ("remember", "arguments")
        }
        texts = {field: fill(f"{at}.{field}", getattr(reply, field)) for field in ("say", "failed")}
        return reply.model_copy(update={**texts, **filled})

    intents = tuple(
        intent.model_copy(update={"reply": said(f"dialogue.intents.{intent.name}.reply", intent.reply)})
        for intent in dialogue.intents
    )
    memory = {name: fill(f"dialogue.memory.{name}", text) for name, text in dialogue.memory.items()}
    otherwise = said("dialogue.otherwise", dialogue.otherwise)
    return dialogue.model_copy(update={"intents": intents, "memory": memory, "otherwise": otherwise})

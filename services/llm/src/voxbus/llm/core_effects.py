"""The tools that every agent has: hanging up, handing the call to a person, and never calling again. And how a model is
told of these and of the agent's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from voxbus.common.agents import Agent, Tool
from voxbus.common.tools.arguments import closed

END_CALL = "end_call"
TRANSFER_CALL = "transfer_call"
DO_NOT_CALL = "do_not_call"


@dataclass(frozen=True)
class Hangup:
    reason: str = "agent"


@dataclass(frozen=True)
class Transfer:
    target: str


@dataclass(frozen=True)
class DoNotCall:
    """The number goes onto the list of those who are never called, and the call ends."""


@dataclass(frozen=True)
class Refused:
    """``why`` is short and free of user data: it goes into the log of the call."""

    why: str


def effect(name: str, arguments: Mapping[str, Any], agent: Agent) -> Hangup | Transfer | DoNotCall | Refused:
    """What a tool call means, once it has been checked. A single transfer target need not be named."""
    targets = agent.transfer_targets
    if name == END_CALL:
        return Hangup()
    if name == DO_NOT_CALL:
        return DoNotCall()
    if name != TRANSFER_CALL:
        return Refused("no such tool")
    target = str(arguments.get("target", "")) or (next(iter(targets)) if len(targets) == 1 else "")
    return Transfer(target) if target in targets else Refused("no such target")


def schemas(agent: Agent, own: Sequence[Tool] = ()) -> list[dict[str, Any]]:
    """The tools in the form of chat completions. ``own``: those of the agent file that may be called now. Without
    targets nothing can be transferred.
    """
    tools = [
        _schema(
            END_CALL,
            "Hang up, after you have said goodbye in the same answer. Only when the caller is done.",
            {},
        ),
        _schema(
            DO_NOT_CALL,
            "The other person does not want to be called again. Confirm it and say goodbye in the same answer; the "
            "call ends then. Only when they said so themselves.",
            {},
        ),
    ]
    if agent.transfer_targets:
        target = {"type": "string", "enum": sorted(agent.transfer_targets), "description": "Who takes over."}
        say = "Hand the call to a person, after you have said so in the same answer."
        tools.append(_schema(TRANSFER_CALL, say, {"target": target}))
    return [*(_form(tool.name, tool.description, closed(tool.arguments)) for tool in own), *tools]


def _schema(name: str, description: str, properties: dict[str, Any]) -> dict[str, Any]:
    parameters = {
        "type": "object",
        "properties": properties,
        "required": sorted(properties),
        "additionalProperties": False,
    }
    return _form(name, description, parameters)


def _form(name: str, description: str, parameters: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": parameters},
    }

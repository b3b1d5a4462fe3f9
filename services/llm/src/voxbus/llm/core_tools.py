"""The tools that every agent has: hanging up, handing the call to a person, and never calling again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from voxbus.common.agents import Agent

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


def effect(name: str, arguments: dict[str, str], agent: Agent) -> Hangup | Transfer | DoNotCall | Refused:
    """What a tool call means, once it has been checked. A single transfer target need not be named."""
    targets = agent.transfer_targets
    if name == END_CALL:
        return Hangup()
    if name == DO_NOT_CALL:
        return DoNotCall()
    if name != TRANSFER_CALL:
        return Refused("no such tool")
    target = arguments.get("target", "") or (next(iter(targets)) if len(targets) == 1 else "")
    return Transfer(target) if target in targets else Refused("no such target")


def schemas(agent: Agent) -> list[dict[str, Any]]:
    """The tools in the form of chat completions. Without targets nothing can be transferred."""
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
    return tools


def _schema(name: str, description: str, properties: dict[str, Any]) -> dict[str, Any]:
    parameters = {
        "type": "object",
        "properties": properties,
        "required": sorted(properties),
        "additionalProperties": False,
    }
    function = {"name": name, "description": description, "parameters": parameters}
    return {"type": "function", "function": function}

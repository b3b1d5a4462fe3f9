"""What is wrong with the tools of an agent file: each with the tool's name, the field, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from voxbus.common.agents import Agent, Reply, Tool
from voxbus.common.errors import AgentError
from voxbus.common.tools import BUILT_IN, template
from voxbus.common.tools.arguments import schema_problem

_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
#: Written by the worker itself.
_OURS: Final = frozenset(
    """
    host content-length content-type content-encoding transfer-encoding connection upgrade te trailer expect
    accept-encoding idempotency-key
    """.split()  # noqa: SIM905 - a list of words
)


def tool_problems(agent: Agent) -> Iterator[tuple[str, str]]:
    """(field, what is wrong and what to do)."""
    seen: set[str] = set()
    for tool in agent.tools:
        at = f"tools.{tool.name}"
        if tool.name in BUILT_IN:
            yield (
                at,
                f"every agent has a tool of this name ({', '.join(sorted(BUILT_IN))}); give it another one",
            )
        if tool.name in seen:
            yield at, "two tools have this name"
        seen.add(tool.name)
        yield from _of_tool(agent, tool, at)


def _of_tool(agent: Agent, tool: Tool, at: str) -> Iterator[tuple[str, str]]:
    if wrong := schema_problem(tool.arguments):
        yield f"{at}.arguments", wrong
        return
    try:
        base, _ = template.parts(tool.url)
        if "{" not in base:
            template.check_open(template.origin(base), tool)
        elif template.PLACEHOLDER.search(base):
            yield (
                f"{at}.url",
                "an argument may not name the host; write the host down, or ${NAME} for all of it",
            )
        elif not base.startswith("${"):
            yield (
                f"{at}.url",
                "a variable may not be part of the host; put all of the origin into it: ${NAME}/path",
            )
    except AgentError as error:
        yield f"{at}.url", str(error)
    for name, value in tool.headers.items():
        if not _HEADER.fullmatch(name) or name.lower() in _OURS:
            yield f"{at}.headers.{name}", "is no name that a header may have here"
        if not re.fullmatch(r"[\x20-\x7e]*", value):
            yield f"{at}.headers.{name}", "a header has visible ASCII characters only"
    yield from _placeholders(agent, tool, at)


def _placeholders(agent: Agent, tool: Tool, at: str) -> Iterator[tuple[str, str]]:
    declared = tool.arguments.get("properties", {})
    required = tool.arguments.get("required", ())
    for name in sorted(template.placeholders(tool)):
        if name in declared:
            if name not in required:
                yield (
                    f"{at}.url",
                    f"{{{name}}} may be left out by the model; list it under arguments.required",
                )
            if name in agent.variables or name in template.OF_CALL:
                yield f"{at}.arguments", f"{name!r} is also known of the call; give the argument another name"
        elif name not in agent.variables and name not in template.OF_CALL:
            known = ", ".join(sorted({*declared, *agent.variables, *template.OF_CALL}))
            yield f"{at}.url", f"nothing is called {{{name}}}; there are: {known}"


def reply_problems(agent: Agent, at: str, reply: Reply) -> Iterator[tuple[str, str]]:
    """Of a reply of the scripted dialogue that calls a tool."""
    if not reply.tool:
        for field in ("arguments", "learn", "failed"):
            if getattr(reply, field):
                yield f"{at}.{field}", "goes with a tool; name it under tool"
        return
    tool = next((tool for tool in agent.tools if tool.name == reply.tool), None)
    if tool is None:
        known = ", ".join(tool.name for tool in agent.tools) or "none yet"
        yield f"{at}.tool", f"{reply.tool!r} is not among tools ({known})"
        return
    if reply.action == "repeat":
        yield f"{at}.tool", "a reply that repeats the last one calls nothing"
    declared = tool.arguments.get("properties", {})
    for name in sorted(reply.arguments.keys() - declared.keys()):
        yield f"{at}.arguments.{name}", f"{tool.name} has no such argument ({', '.join(declared) or 'none'})"
    for name in sorted(set(tool.arguments.get("required", ())) - reply.arguments.keys()):
        yield f"{at}.arguments", f"{tool.name} needs {name}; say what it is"
    for name in sorted(reply.learn.keys() - agent.dialogue.memory.keys()):
        yield f"{at}.learn.{name}", "not in dialogue.memory; give it a first value there"

"""Uses one tool: looks at its arguments, asks, and tells what came of it."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from typing import Any, Final

from voxbus.common.agents import Agent, Tool
from voxbus.common.errors import AgentError
from voxbus.common.events import Started
from voxbus.common.logs import get_logger
from voxbus.common.tools import arguments as json_schema
from voxbus.common.tools import template
from voxbus.llm import metrics
from voxbus.llm.tools.client import ToolClient
from voxbus.llm.tools.core_outcome import Outcome, failed, unfit
from voxbus.llm.tools.environment import Declared, Environment

#: Tools that are logged as not ours, each once.
_FOREIGN: Final = 100

log = get_logger(__name__)


class Toolbox:
    """Of one worker, for all calls. ``declared``: what its own agent files ask.

    A call brings its agent along, and whoever may start calls writes what they like into it. Of another tool nothing is
    asked, so that no secret goes where no file of this worker sends it.
    """

    def __init__(self, environment: Environment, declared: frozenset[Declared], max_bytes: int) -> None:
        self._environment = environment
        self._declared = declared
        self._client = ToolClient(max_bytes)
        self._refused: set[str] = set()
        self._foreign: set[Declared] = set()

    def refuses(self, agent: Agent) -> bool:
        """Whether the agent lacks what it needs here. It is logged once, by the variable's name."""
        problems = list(self._environment.problems(agent))
        if problems and agent.name not in self._refused:
            self._refused.add(agent.name)
            log.error("an agent takes no calls", agent=agent.name, error="; ".join(problems))
        return bool(problems)

    def offered(self, agent: Agent) -> tuple[Tool, ...]:
        """Those that can be called: optional ones without their variables are not among them."""
        return tuple(tool for tool in agent.tools if not self._environment.lacks(tool))

    def prepare(
        self, tool: Tool, arguments: Mapping[str, Any], started: Started
    ) -> template.Request | Outcome:
        """The request, or why there is none."""
        if not self._knows(tool, started.agent):
            return failed("misconfigured")
        caller = started.from_number if started.direction == "inbound" else started.to_number
        values = {**started.agent.variables, "call_sid": started.call, "caller_number": caller}
        try:
            if faults := json_schema.faults(tool.arguments, arguments):
                return unfit(faults)
            return template.request(tool, arguments, values, self._environment.of(tool))
        except template.Unfit as error:
            return unfit([str(error)])
        except AgentError:  # noticed when the call began, and logged then
            return failed("misconfigured")

    def _knows(self, tool: Tool, agent: Agent) -> bool:
        """Not while only one side has a new agent file: the call goes on without the tool."""
        asked = Declared.of(tool)
        if asked in self._declared:
            return True
        if asked not in self._foreign and len(self._foreign) < _FOREIGN:
            self._foreign.add(asked)
            log.error("a tool is not in this worker's agent files", agent=agent.name, tool=tool.name)
        return False

    async def ask(self, tool: Tool, request: template.Request, key: str, call: str) -> tuple[Outcome, float]:
        """What came of it, and how long it took (ms)."""
        began_s = time.monotonic()
        outcome = await self._client.ask(request, key, private=tool.private, timeout_s=tool.timeout_ms / 1000)
        took_ms = (time.monotonic() - began_s) * 1000
        metrics.TOOL_MS.labels(tool.name).observe(took_ms)
        self.count(tool, outcome, call, took_ms)
        return outcome, took_ms

    @staticmethod
    def count(tool: Tool, outcome: Outcome, call: str, took_ms: float = 0.0) -> None:
        metrics.TOOL_CALLS.labels(tool.name, outcome.cause).inc()
        if not outcome.ok:
            log.warning("a tool failed", call_sid=call, tool=tool.name, cause=outcome.cause, ms=took_ms)

    async def close(self) -> None:
        await self._client.close()


def idempotency_key(call: str, turn: int, name: str, arguments: Mapping[str, Any]) -> str:
    """The same for the same wish in a turn, whichever worker has it: nothing of it can be read from the key."""
    told = json.dumps([call, turn, name, arguments], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:40]

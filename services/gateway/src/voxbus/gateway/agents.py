"""The agents that this gateway can start calls with."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

from voxbus.common.agent_files import load_agent, resolve
from voxbus.common.agents import Agent
from voxbus.common.bus import Bucket
from voxbus.common.errors import AgentError
from voxbus.common.logs import get_logger
from voxbus.gateway.errors import Refused
from voxbus.gateway.metrics import BAD_AGENTS

log = get_logger(__name__)


class Catalog:
    """A broken file breaks its own agent only: the others serve."""

    def __init__(self, agents: Mapping[str, Agent], broken: Mapping[str, str], default: str) -> None:
        self._agents = dict(agents)
        self._broken = dict(broken)
        self._default = default

    @classmethod
    def load(cls, directory: Path, default: str) -> Catalog:
        agents: dict[str, Agent] = {}
        broken: dict[str, str] = {}
        for path in sorted(directory.glob("*.yaml")):
            try:
                agents[path.stem] = load_agent(path)
            except AgentError as error:
                BAD_AGENTS.inc()
                log.error("an agent cannot be used", error=error)
                broken[path.stem] = str(error)
        if not agents and not broken:
            log.error("no agent definitions found; is AGENTS_DIR right?", agents_dir=directory)
        return cls(agents, broken, default)

    def check(self) -> None:
        """Raises AgentError when calls that name no agent could not be served."""
        if self._default in self._broken:
            raise AgentError(f"the agent of PERSONA cannot be used: {self._broken[self._default]}")
        if self._default not in self._agents:
            known = ", ".join(sorted(self._agents)) or "none"
            raise AgentError(f"PERSONA is {self._default!r}, and there are: {known}")

    def callable(self) -> list[Agent]:
        """Those that can be called without a context, the default one first."""
        found = []
        for name in sorted(self._agents, key=lambda name: (name != self._default, name)):
            with contextlib.suppress(Refused):  # a placeholder that only a context fills
                found.append(self.resolve(name, {}))
        return found

    def resolve(self, name: str, variables: Mapping[str, str]) -> Agent:
        """The agent ``name`` (empty = the default one) with its placeholders filled.

        Raises Refused, whose line says what is missing.
        """
        name = name or self._default
        if name in self._broken:
            raise Refused(422, "broken_agent", self._broken[name])
        agent = self._agents.get(name)
        if agent is None:
            known = ", ".join(sorted(self._agents)) or "none"
            raise Refused(422, "unknown_agent", f"no agent has this name; known: {known}")
        try:
            return resolve(agent, variables)
        except AgentError as error:
            raise Refused(422, "agent", str(error)) from None

    async def publish(self, bucket: Bucket) -> None:
        """For the TTS workers, which render the fixed lines ahead. Raises BusUnavailable."""
        for name, agent in self._agents.items():
            definition = agent.model_dump_json().encode()
            if await bucket.get(name) != definition:  # writing it again would have them all looked at again
                await bucket.put(name, definition)

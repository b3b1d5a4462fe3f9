"""The agents that this gateway can start calls with."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Final

from voxbus.common import subjects
from voxbus.common.agent_files import load_agent, resolve
from voxbus.common.agents import Agent
from voxbus.common.bus import Bucket, Bus
from voxbus.common.errors import AgentError, BusUnavailable
from voxbus.common.json_text import loads
from voxbus.common.logs import get_logger
from voxbus.gateway.errors import Refused
from voxbus.gateway.metrics import BAD_AGENTS

log = get_logger(__name__)

#: Asks a gateway for its agents; anything else on that subject asks whether it takes streams.
AGENTS_ASKED: Final = b"agents"


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

    def told(self) -> bytes:
        """The answer to another gateway that asks which agents there are (``AGENTS_ASKED``)."""
        return json.dumps(sorted(self._agents)).encode()

    async def tidy(self, bus: Bus, wait_s: float) -> None:
        """Removes the agents that no gateway has any more: neither files nor a scheduler's order lead to them.

        For a gateway that answers with ``told`` by now. Nothing is removed unless all that answer could be read.
        """
        if not self._agents:
            return
        try:
            # Before the question: whoever has put one of these since then answers.
            there = set(await bus.agents.keys())
            had: set[str] = set()
            async with aclosing(bus.ask_all(subjects.GATEWAYS, AGENTS_ASKED, wait_s)) as answers:
                async for answer in answers:
                    had |= _names(answer)
            if not had >= self._agents.keys():  # not even we were heard
                return
            for name in sorted(there - had):
                log.info("an agent is gone", agent=name)
                await bus.agents.delete(name)
            await self.publish(bus.agents)  # another one may have looked before it could hear us
        except (BusUnavailable, ValueError) as error:
            log.warning("agents that are gone were not looked for", error=error)

    async def publish(self, bucket: Bucket) -> None:
        """For the scheduler, and for the TTS workers, which render the fixed lines ahead. Raises BusUnavailable."""
        for name, agent in self._agents.items():
            definition = agent.model_dump_json().encode()
            if await bucket.get(name) != definition:  # writing it again would have them all looked at again
                await bucket.put(name, definition)


def _names(told: bytes) -> set[str]:
    """Raises ValueError for what another build may answer."""
    names = loads(told)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("a gateway of another build does not tell which agents it has")
    return set(names)

"""The agents that gateways have loaded: whether one exists, and what its texts need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from voxbus.common.agents import Agent
from voxbus.common.bus import Bus
from voxbus.scheduler.core_orders import missing
from voxbus.scheduler.errors import Refused


@dataclass(frozen=True)
class Agents:
    bus: Bus

    async def get(self, name: str) -> Agent:
        """Raises Refused, and BusUnavailable when the agents cannot be read."""
        definition = await self.bus.agents.get(name)
        if definition is None:
            known = ", ".join(sorted(await self.bus.agents.keys())) or "none; is a gateway running?"
            raise Refused(422, "unknown_agent", f"no agent has this name; known: {known}")
        try:
            return Agent.model_validate_json(definition)
        except ValidationError:
            raise Refused(422, "broken_agent", "this agent's definition cannot be read") from None

    async def check(self, name: str, variables: Mapping[str, str]) -> None:
        """Raises Refused when such a call could not be held; as ``get`` besides."""
        words = missing(await self.get(name), variables)
        if words:
            raise Refused(422, "missing_variable", words)

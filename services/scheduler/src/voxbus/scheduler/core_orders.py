"""What may be ordered, and what is wrong with an order. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from voxbus.common.agent_texts import resolve
from voxbus.common.agents import Agent
from voxbus.common.errors import AgentError
from voxbus.scheduler.core_numbers import is_e164, normalize

Value = Annotated[str, StringConstraints(max_length=2000)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class Order(BaseModel):
    """A call to be placed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    to: str = Field(description="The number to call, E.164: `+` and the country code.")
    agent: Name = Field(description="The agent that talks, by name.")
    variables: Mapping[Name, Value] = Field(
        default_factory=dict, max_length=100, description="What the agent's texts have in braces."
    )

    @field_validator("to")
    @classmethod
    def _is_e164(cls, value: str) -> str:
        if not is_e164(value):
            raise ValueError("not an E.164 number: expected + and 7 to 15 digits, such as +15550100123")
        return normalize(value)

    def fingerprint(self) -> str:
        """The same for the same order: an idempotency key is for one order, not for two."""
        plain = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(plain.encode()).hexdigest()


def missing(agent: Agent, variables: Mapping[str, str]) -> str:
    """What the agent's texts need and the order does not give, in one line; empty = nothing."""
    try:
        resolve(agent, variables)
    except AgentError as error:
        return str(error)
    return ""

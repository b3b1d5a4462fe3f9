"""The route for dialers other than our scheduler: what is to be known about a call."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from voxbus.common import subjects
from voxbus.common.bus import Bus
from voxbus.common.context import CallContext, encode_context
from voxbus.common.errors import InvalidCallSid
from voxbus.common.events import Direction
from voxbus.gateway.agents import Catalog
from voxbus.gateway.errors import Refused

Value = Annotated[str, Field(max_length=2000)]


class StoreContext(BaseModel):
    """The body of ``POST /internal/store-context``."""

    model_config = ConfigDict(extra="forbid")

    call_sid: str
    session: str = Field(default="", pattern=r"^[A-Za-z0-9_-]{0,64}$")
    agent: str = Field(default="", max_length=64)
    direction: Direction | None = None
    variables: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")], Value] = Field(
        default_factory=dict, max_length=64
    )


async def store_context(bus: Bus, catalog: Catalog, body: bytes) -> None:
    """Before the webhook or after it, until the stream starts. Raises Refused, or BusUnavailable."""
    try:
        asked = StoreContext.model_validate_json(body)
        key = subjects.context_of_call(asked.call_sid)
    except ValidationError as error:
        # Names and reasons; the values are personal data.
        wrong = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}"
            for e in error.errors(include_url=False, include_input=False)
        )
        raise Refused(422, "bad_context", wrong.splitlines()[0]) from None
    except InvalidCallSid as error:
        raise Refused(422, error.code, f"call_sid: {error}") from None
    catalog.resolve(asked.agent, asked.variables)
    context = CallContext(
        session=asked.session, agent=asked.agent, direction=asked.direction, variables=asked.variables
    )
    await bus.contexts.put(key, encode_context(context))

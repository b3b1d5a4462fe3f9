"""What is known about a call before it is on the line: written by whoever dials, read by the gateway.

In the bucket ``contexts``, under ``subjects.context_of_session`` before the call has an id, or ``context_of_call``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import TypeAdapter, ValidationError

from voxbus.common.errors import CodecError
from voxbus.common.events import Direction


@dataclass(frozen=True)
class CallContext:
    """Empty fields: not known here; the gateway takes the webhook's, or its own default.

    ``variables`` fill the agent's ``{placeholders}``.
    """

    session: str = ""
    agent: str = ""
    direction: Direction | None = None
    variables: Mapping[str, str] = field(default_factory=dict)


_adapter = TypeAdapter(CallContext)


def encode_context(context: CallContext) -> bytes:
    return _adapter.dump_json(context)


def decode_context(data: bytes) -> CallContext:
    """Raises CodecError that names the wrong field, never its value: contexts hold personal data."""
    try:
        return _adapter.validate_json(data)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'context'}: {e['msg']}" for e in error.errors())
        raise CodecError(f"call context: {wrong}") from None

"""Stream tokens: proof that we answered the webhook of the call whose stream begins.

Single use and short-lived. The token also brings along what only the webhook knew.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final

from pydantic import TypeAdapter, ValidationError

from voxbus.common.bus import Bucket
from voxbus.common.events import Direction
from voxbus.gateway.errors import BadToken

#: Twilio connects at once; the rest is for a slow network.
VALID_S: Final = 60.0


@dataclass(frozen=True)
class Leg:
    """The call as the webhook described it. ``expires_s``: Unix time."""

    sid: str
    expires_s: float
    session: str = ""
    agent: str = ""
    direction: Direction = "inbound"
    from_number: str = ""
    to_number: str = ""


_adapter = TypeAdapter(Leg)


async def mint(bucket: Bucket, leg: Leg) -> str:
    """Raises BusUnavailable."""
    token = secrets.token_urlsafe(24)
    await bucket.put(token, _adapter.dump_json(leg))
    return token


async def take(bucket: Bucket, token: str, sid: str, now_s: float) -> Leg:
    """What was minted, once. Raises BadToken, or BusUnavailable."""
    if not token:
        raise BadToken("the stream has no token")
    if not (len(token) == 32 and token.isascii() and token.replace("-", "").replace("_", "").isalnum()):
        raise BadToken("the stream's token is none of ours")
    stored = await bucket.take(token)
    if stored is None:
        raise BadToken("the stream's token was used before, or is none of ours")
    try:
        leg = _adapter.validate_json(stored)
    except ValidationError:
        raise BadToken("the stream's token is of another version") from None
    if leg.sid != sid:
        raise BadToken("the stream's token belongs to another call")
    if leg.expires_s < now_s:
        raise BadToken("the stream's token has expired")
    return leg

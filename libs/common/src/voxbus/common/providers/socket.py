"""WebSockets to providers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from websockets.asyncio.client import ClientConnection, connect

from voxbus.common.providers.failing import OUTSIDE, as_failure
from voxbus.common.providers.tls import context_for

#: Seconds between pings, and until a missing answer ends the connection: a line that died silently is noticed.
_PING_S: Final = 5.0
_MAX_MESSAGE_BYTES: Final = 4 << 20


async def dial(url: str, headers: Mapping[str, str], *, within_s: float) -> ClientConnection:
    """Raises ProviderError; ``within_s``: for the connection and its handshake together."""
    try:
        return await connect(
            url,
            additional_headers=dict(headers),
            ssl=context_for(url),
            open_timeout=within_s,
            ping_interval=_PING_S,
            ping_timeout=_PING_S,
            close_timeout=1.0,
            max_size=_MAX_MESSAGE_BYTES,
            compression=None,  # audio does not become smaller, and every frame would pay for the attempt
        )
    except OUTSIDE as error:
        raise as_failure(error) from None

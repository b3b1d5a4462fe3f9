"""Errors of the HTTP and WebSocket libraries as ProviderErrors. Messages name the kind alone: a URL may hold a key."""

from __future__ import annotations

import httpx
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, WebSocketException

from voxbus.common.errors import ProviderError
from voxbus.common.providers.failures import SPENT, error_in, refusal

#: Together's code for "no_healthy_workers".
_NO_WORKERS = 4503
#: What ``as_failure`` knows. An OSError is a connection that was never made.
OUTSIDE = (httpx.HTTPError, WebSocketException, OSError, TimeoutError, EOFError)


def as_failure(error: Exception) -> ProviderError:
    match error:
        case InvalidStatus():
            return refusal(bytes(error.response.body or b""), error.response.status_code)
        case ConnectionClosed():
            return _closed(error)
        case httpx.TimeoutException() | TimeoutError():
            return ProviderError("connection", "no connection in time")
        case InvalidHandshake():
            return ProviderError("connection", f"no WebSocket there ({type(error).__name__})")
    return ProviderError("connection", type(error).__name__)


def _closed(error: ConnectionClosed) -> ProviderError:
    """Some vendors say why in the reason; the number they use for it differs."""
    if error.rcvd is None:
        return ProviderError("connection", "the connection broke")
    if error.rcvd.code == _NO_WORKERS:
        return ProviderError("overloaded", "closed: nobody there to do the work")
    reason = error.rcvd.reason.strip()
    said = error_in({"code": reason})
    if said.cause != "server_error" or reason in SPENT:
        return said
    return ProviderError("cut_off", f"closed with {error.rcvd.code}")

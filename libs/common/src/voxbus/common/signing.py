"""Signed HTTP bodies between services and the backend that takes the reports.

The sender's clock, as decimal Unix seconds, goes into ``x-agent-timestamp``. ``x-agent-signature`` is

    lower-case hex of HMAC-SHA256(secret, timestamp + "." + body)

over the exact bytes of the body as they are sent. The timestamp is signed, so that a recorded request cannot be given
a fresh one; the dot keeps (timestamp, body) unambiguous.

``AGENT_SHARED_SECRET`` holds one secret, or two separated by a comma while one replaces the other. Everybody accepts
both and signs with the FIRST, so a rotation is three deploys: ``old,new`` everywhere, ``new,old`` everywhere, ``new``.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import Final, Literal

from voxbus.common.errors import SettingsError, VoxbusError

SIGNATURE: Final = "x-agent-signature"
TIMESTAMP: Final = "x-agent-timestamp"

#: How far the sender's clock may be from ours. What is older may be a recording.
FRESH_S: Final = 300


class SignatureError(VoxbusError):
    """The request is not to be believed. ``code`` says why: short, stable, for answers and counters."""

    code = "signature"

    def __init__(
        self, code: Literal["unsigned", "bad_timestamp", "bad_signature", "stale"], text: str
    ) -> None:
        super().__init__(text)
        self.code = code


def secrets_of(text: str) -> tuple[bytes, ...]:
    """The secrets in ``text``, the one to sign with first. Raises SettingsError unless they are one or two."""
    parts = tuple(part.strip().encode() for part in text.split(","))
    if not all(parts) or len(parts) > 2:
        raise SettingsError("AGENT_SHARED_SECRET is wrong: one secret, or two separated by a comma")
    return parts


def sign(secret: bytes, timestamp: str, body: bytes) -> str:
    return hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def headers(secret: bytes, body: bytes, now_s: float) -> dict[str, str]:
    """The two headers that ``verify`` wants to see."""
    timestamp = str(int(now_s))
    return {TIMESTAMP: timestamp, SIGNATURE: sign(secret, timestamp, body)}


def verify(
    secrets: Sequence[bytes], timestamp: str | None, signature: str | None, body: bytes, now_s: float
) -> None:
    """Raises SignatureError unless one of ``secrets`` signed ``body`` within ``FRESH_S`` of ``now_s``.

    Takes the same time whichever secret fits, and wherever a wrong signature begins to differ.
    """
    if not timestamp or not signature:
        raise SignatureError("unsigned", f"the headers {TIMESTAMP} and {SIGNATURE} are required")
    # isdigit alone accepts the digits of every script; a length that int() can be trusted with.
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise SignatureError("bad_timestamp", f"{TIMESTAMP} must be Unix seconds")
    given = signature.lower().encode("utf-8", "replace")
    fits = [hmac.compare_digest(sign(secret, timestamp, body).encode(), given) for secret in secrets]
    if not any(fits):
        raise SignatureError("bad_signature", "the signature does not fit the body")
    # After the signature: whoever does not know a secret learns nothing about our clock.
    if abs(now_s - int(timestamp)) > FRESH_S:
        raise SignatureError(
            "stale", f"signed more than {FRESH_S // 60} minutes from now; is the clock right?"
        )

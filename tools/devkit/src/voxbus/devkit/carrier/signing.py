"""``X-Twilio-Signature``, from its description and not from the vendor's library: the gateway checks with that.

Source: https://www.twilio.com/docs/usage/security (validating requests): the URL as requested, then every form field
as name and value without separators, sorted by name; HMAC-SHA1 under the auth token; base64.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping

HEADER = "X-Twilio-Signature"


def sign(auth_token: str, url: str, form: Mapping[str, str] | None = None) -> str:
    """``form``: the fields of a form POST; None for a GET and for the handshake of a WebSocket."""
    signed = url + "".join(name + value for name, value in sorted((form or {}).items()))
    digest = hmac.new(auth_token.encode(), signed.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()

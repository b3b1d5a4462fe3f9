"""Who may talk to us: Twilio's signature on webhooks and handshakes, a bearer secret on the internal route.

``phone``: who may use the browser phone.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from voxbus.common.logs import get_logger
from voxbus.gateway import urls
from voxbus.gateway.errors import Refused
from voxbus.gateway.phone.core_access import Access
from voxbus.gateway.settings import GatewaySettings
from voxbus.gateway.signatures import Form, Signatures

log = get_logger(__name__)

SIGNATURE_HEADER = "x-twilio-signature"


class Gate:
    def __init__(self, settings: GatewaySettings) -> None:
        self._origin = urls.origin_of(settings.public_url) if settings.public_url else None
        self._trusted = urls.networks(settings.trusted_proxies)
        self._validate = settings.twilio_validate == "on"
        token = settings.twilio_auth_token
        self._signatures = Signatures(token.get_secret_value()) if token is not None else None
        self._secret = settings.internal_secret
        phone_token = settings.phone_token
        self.phone = Access(
            on=settings.phone == "on",
            token=phone_token.get_secret_value() if phone_token is not None else "",
            public=self._origin,
            trusted=self._trusted,
        )

    def origin(self, headers: Mapping[str, str], peer: str) -> urls.Origin:
        """Where the asker reached us. Names in ``headers`` are lower case. Raises Refused."""
        origin = self._origin or urls.origin_from_headers(headers, peer, self._trusted)
        if origin is None:
            raise Refused(400, "no_host", "there is no usable Host header; set PUBLIC_URL")
        return origin

    def check_open(self) -> None:
        """Raises Refused when Twilio's requests could not be checked."""
        if self._validate and self._signatures is None:
            raise Refused(
                503, "no_auth_token", "TWILIO_AUTH_TOKEN is not set (TWILIO_VALIDATE=off would do without)"
            )

    def check_request(self, url: str, form: Form, headers: Mapping[str, str]) -> None:
        """Raises Refused for a webhook that is not signed as Twilio signs ``url``."""
        self.check_open()
        if self._validate and self._signatures is not None:
            signature = _signature(headers)
            if not self._signatures.of_request(url, form, signature):
                raise _mismatch(url)

    def check_handshake(self, origin: urls.Origin, path: str, headers: Mapping[str, str]) -> None:
        """The same for a media stream's upgrade request."""
        self.check_open()
        if self._validate and self._signatures is not None:
            forms = urls.handshake_urls(origin, path)
            if not self._signatures.of_handshake(forms, _signature(headers)):
                raise _mismatch(forms[0])

    def check_secret(self, headers: Mapping[str, str]) -> None:
        """Raises Refused for a request to the internal route without its secret."""
        if self._secret is None:
            raise Refused(503, "no_internal_secret", "INTERNAL_SECRET is not set")
        given = headers.get("authorization", "")
        wanted = f"Bearer {self._secret.get_secret_value()}"
        if not hmac.compare_digest(given.encode(), wanted.encode()):
            raise Refused(
                401, "wrong_secret", "the Authorization header does not hold the secret of INTERNAL_SECRET"
            )


def _signature(headers: Mapping[str, str]) -> str:
    signature = headers.get(SIGNATURE_HEADER, "")
    if not signature:
        raise Refused(403, "no_signature", "there is no X-Twilio-Signature")
    return signature


def _mismatch(url: str) -> Refused:
    # Without the query: that of a GET holds phone numbers.
    log.warning("signature refused; is PUBLIC_URL what Twilio calls?", computed_url=url.partition("?")[0])
    return Refused(403, "wrong_signature", "the X-Twilio-Signature does not match this URL")

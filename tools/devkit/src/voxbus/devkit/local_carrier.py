"""A simulated carrier in front of a stack: nobody real is rung, whatever the environment says.

async with LocalCarrier("https://voice.example") as carrier:
    async with Stack(env=carrier.environment) as stack:
        carrier.serve(stack)
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from voxbus.devkit.carrier import Exchange, IncomingNumber, LineQuality, RestApi, Route, Telephone
from voxbus.devkit.stack import Stack

#: Where our calls come from: of the range that is kept free for fiction, like every number here.
OUR_NUMBER = "+15550100100"


class LocalCarrier:
    """``public_url``: what it calls; it need not exist, for the carrier knows where the stack's gateways are.

    ``telephones`` by number; any other number is that of ``default``.
    """

    def __init__(
        self,
        public_url: str,
        telephones: Mapping[str, Telephone] | None = None,
        default: Telephone | None = None,
        line: LineQuality | None = None,
    ) -> None:
        self.public_url = public_url
        self.exchange = Exchange(
            auth_token=secrets.token_hex(16),
            telephones=telephones or {},
            default=default or Telephone(),
            line=line or LineQuality(),
        )
        self._api = RestApi(self.exchange, numbers=[IncomingNumber(OUR_NUMBER)])

    async def __aenter__(self) -> LocalCarrier:
        await self.exchange.__aenter__()
        await self._api.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._api.__aexit__(*error)
        await self.exchange.__aexit__(*error)

    @property
    def environment(self) -> dict[str, str]:
        """Everything that services read of a carrier."""
        return {
            "PUBLIC_URL": self.public_url,
            "TWILIO_ACCOUNT_SID": self.exchange.account_sid,
            "TWILIO_API_URL": self._api.url,
            "TWILIO_AUTH_TOKEN": self.exchange.auth_token,
            "TWILIO_FROM_NUMBER": OUR_NUMBER,
            "TWILIO_VALIDATE": "on",
        }

    def serve(self, stack: Stack) -> None:
        """From now on what it calls is answered by the gateways of ``stack``."""
        self.exchange.route = Route(self.public_url, stack.gateway_urls)

"""The calls of a run: some ring in, others are ordered from the scheduler. All are held by people who ask questions."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from voxbus.devkit.callees import person
from voxbus.devkit.caller import Caller
from voxbus.devkit.carrier import Call, CallPlan, Carrier, Exchange, RestApi, Route, Telephone
from voxbus.devkit.chaos.caller import AGENT, Asker

PUBLIC_URL = "https://chaos.voxbus.test"

#: Calls begin one after another: a burst at the start is not what is measured.
STAGGER_S = 0.15

FROM_NUMBER = "+15550100001"
_ORDER_RETRY_S = 0.5
_ORDER_S = 60.0
_RING_S = 90.0


@dataclass
class Held:
    """``call`` None: it was ordered, and nobody's telephone rang."""

    asker: Asker
    call: Call | None = None

    @property
    def problem(self) -> str:
        if self.call is None:
            return "it was ordered and never placed"
        ended_by = self.call.result.ended_by
        return self.asker.problem or ("" if ended_by == "application" else f"it was ended by the {ended_by}")


class CallsIn:
    """``gateways``: their URLs. Each call comes to another one than the call before, as behind a load balancer."""

    def __init__(self, carrier: Carrier, gateways: Sequence[str], token: str) -> None:
        self._carrier = carrier
        self._gateways = tuple(gateways)
        self._token = token

    async def hold(self, number: int, asker: Asker) -> Held:
        await asyncio.sleep(number * STAGGER_S)
        first = number % len(self._gateways)
        plan = CallPlan(
            voice_url=f"{PUBLIC_URL}/twilio/voice",
            status_url=f"{PUBLIC_URL}/twilio/status",
            auth_token=self._token,
            call_sid="CA" + secrets.token_hex(16),
            route=Route(PUBLIC_URL, (*self._gateways[first:], *self._gateways[:first])),
        )
        call = self._carrier.prepare(plan)
        await call.run(Caller(asker.script))
        return Held(asker, call)


class CallsOut:
    """Orders at the scheduler, which places calls through ``api``. Repeats an order that was not answered, under the
    same key: so does every client that wants its call once."""

    def __init__(self, exchange: Exchange, api: RestApi, scheduler_url: str, secret: str) -> None:
        self._exchange = exchange
        self._api = api
        self._url = f"{scheduler_url}/v1/calls"
        self._secret = secret
        self._telephones: dict[str, Telephone] = {}
        exchange.telephones = self._telephones

    async def hold(self, number: int, asker: Asker) -> Held:
        await asyncio.sleep(number * STAGGER_S)
        to = f"+1555011{number:04d}"
        rang = asyncio.Event()

        def answer() -> Caller:
            rang.set()
            return person(asker.script)

        self._telephones[to] = Telephone(party=answer)
        try:
            async with asyncio.timeout(_ORDER_S):
                await self._order(to)
            async with asyncio.timeout(_RING_S):
                await rang.wait()
        except TimeoutError:
            return Held(asker)
        (outgoing, *_) = (one for one in self._exchange.calls.values() if one.resource.to == to)
        if outgoing.task is not None:
            await outgoing.task
        return Held(asker, outgoing.call)

    def dialled(self) -> dict[str, int]:
        """How often each number was asked to be rung, by number."""
        return dict(Counter(form["To"] for form in self._api.orders))

    async def _order(self, to: str) -> None:
        headers = {"Authorization": f"Bearer {self._secret}", "Idempotency-Key": f"chaos-{to}"}
        async with httpx.AsyncClient(trust_env=False, timeout=5) as http:
            while True:
                try:
                    answer = await http.post(self._url, json={"to": to, "agent": AGENT}, headers=headers)
                except httpx.HTTPError:
                    answer = None
                if answer is not None and answer.is_success:
                    return
                await asyncio.sleep(_ORDER_RETRY_S)

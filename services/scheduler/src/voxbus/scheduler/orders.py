"""An order comes in: checked, and queued once."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

from pydantic import ValidationError

from voxbus.common import logs
from voxbus.common.agents import Agent
from voxbus.common.bus import Bus
from voxbus.scheduler.core_orders import Order, missing
from voxbus.scheduler.dialler import Dialler
from voxbus.scheduler.errors import Refused
from voxbus.scheduler.requests import wrong_fields
from voxbus.scheduler.settings import SchedulerSettings
from voxbus.scheduler.store import Book, KeyReused
from voxbus.scheduler.tables import Call

_MAX_KEY = 255

log = logs.get_logger(__name__)


@dataclass(frozen=True)
class Orders:
    settings: SchedulerSettings
    bus: Bus
    book: Book
    dialler: Dialler | None

    async def take(self, body: bytes, key: str | None) -> tuple[Call, bool]:
        """The call, and whether it is a new one. ``key``: the idempotency key, or None.

        Raises Refused, and BusUnavailable when the agents cannot be read.
        """
        if self.dialler is None:
            missing_variables = self.settings.missing_for_calls()
            raise Refused(503, "not_configured", f"no call can be placed: set {missing_variables}")
        if key is not None and not (0 < len(key) <= _MAX_KEY and key.isascii() and key.isprintable()):
            raise Refused(422, "bad_idempotency_key", f"Idempotency-Key: 1 to {_MAX_KEY} ASCII characters")
        try:
            order = Order.model_validate_json(body)
        except ValidationError as error:
            raise Refused(422, "bad_order", wrong_fields(error)) from None
        await self._check_agent(order)
        # The id is the session id, too: it is in the webhook's URL, and knowing it proves whose call it is.
        call, new = await self._queue(order, key, secrets.token_urlsafe(24))
        if new:
            log.info("ordered", session=call.id, agent=call.agent)
            self.dialler.notify()
        return call, new

    async def _queue(self, order: Order, key: str | None, call_id: str) -> tuple[Call, bool]:
        try:
            return await self.book.order(
                order,
                call_id=call_id,
                key=key,
                from_number=self.settings.twilio_from_number,
                now_s=time.time(),
            )
        except KeyReused:
            raise Refused(409, "key_reused", "this Idempotency-Key belongs to another order") from None

    async def _check_agent(self, order: Order) -> None:
        definition = await self.bus.agents.get(order.agent)
        if definition is None:
            known = ", ".join(sorted(await self.bus.agents.keys())) or "none; is a gateway running?"
            raise Refused(422, "unknown_agent", f"no agent has this name; known: {known}")
        try:
            words = missing(Agent.model_validate_json(definition), order.variables)
        except ValidationError:
            raise Refused(422, "broken_agent", "this agent's definition cannot be read") from None
        if words:
            raise Refused(422, "missing_variable", words)

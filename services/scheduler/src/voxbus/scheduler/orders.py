"""An order comes in: checked, and queued once. Or somebody wants its end."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

from pydantic import ValidationError

from voxbus.common import logs
from voxbus.scheduler.agents import Agents
from voxbus.scheduler.core_carrier import DO_NOT_CALL
from voxbus.scheduler.core_orders import Order
from voxbus.scheduler.dialler import Dialler
from voxbus.scheduler.errors import Refused
from voxbus.scheduler.providers import CarrierUnavailable
from voxbus.scheduler.requests import check_key, wrong_fields
from voxbus.scheduler.settings import SchedulerSettings
from voxbus.scheduler.settle import Settler
from voxbus.scheduler.store import KeyReused, Stores
from voxbus.scheduler.store.book import Record
from voxbus.scheduler.tables import Call

log = logs.get_logger(__name__)


@dataclass(frozen=True)
class Orders:
    settings: SchedulerSettings
    agents: Agents
    stores: Stores
    dialler: Dialler | None
    settler: Settler

    async def take(self, body: bytes, key: str | None) -> tuple[Call, bool]:
        """The call, and whether it is a new one. ``key``: the idempotency key, or None.

        Raises Refused, and BusUnavailable when the agents cannot be read.
        """
        if self.dialler is None:
            missing_variables = self.settings.missing_for_calls()
            raise Refused(503, "not_configured", f"no call can be placed: set {missing_variables}")
        check_key(key)
        try:
            order = Order.model_validate_json(body)
        except ValidationError as error:
            raise Refused(422, "bad_order", wrong_fields(error)) from None
        await self.agents.check(order.agent, order.variables)
        if await self.stores.refusals.get(order.to) is not None:
            raise Refused(403, DO_NOT_CALL.code, DO_NOT_CALL.words)
        # The id is the session id, too: it is in the webhook's URL, and knowing it proves whose call it is.
        call, new = await self._queue(order, key, secrets.token_urlsafe(24))
        if new:
            log.info("ordered", session=call.id, agent=call.agent)
            self.dialler.notify()
        return call, new

    async def _queue(self, order: Order, key: str | None, call_id: str) -> tuple[Call, bool]:
        try:
            return await self.stores.book.order(
                order,
                call_id=call_id,
                key=key,
                from_number=self.settings.twilio_from_number,
                now_s=time.time(),
            )
        except KeyReused:
            raise Refused(409, "key_reused", "this Idempotency-Key belongs to another order") from None

    async def record(self, id_or_sid: str) -> Record:
        """Raises Refused."""
        record = await self.stores.book.record(id_or_sid)
        if record is None:
            raise Refused(404, "unknown_call", "no call has this id or call sid")
        return record

    async def cancel(self, id_or_sid: str) -> Call:
        """The call as it is now: what has left is hung up once its CallSid is known. Raises Refused."""
        call = (await self.record(id_or_sid)).call
        done = await self.stores.tracks.cancel(call.id, time.time())
        if done == "over":
            raise Refused(409, "call_is_over", "this call has ended already")
        log.info("canceled on request", session=call.id, how=done)
        call = (await self.record(call.id)).call
        if done == "hanging_up" and call.call_sid is not None:
            try:
                await self.settler.hang_up(call)
            except CarrierUnavailable as error:
                log.warning("hung up later: the carrier does not answer", session=call.id, why=str(error))
        return call

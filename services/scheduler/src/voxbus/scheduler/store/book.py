"""Orders and reports: what comes in over HTTP, kept once however often it comes."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker

from voxbus.scheduler.core_orders import Order
from voxbus.scheduler.database import reader
from voxbus.scheduler.store.whole import whole
from voxbus.scheduler.tables import Call, Change, Report


class KeyReused(Exception):
    """The idempotency key belongs to another order."""


@dataclass(frozen=True)
class Record:
    """All that is known about a call."""

    call: Call
    changes: list[Change]
    report: Report | None


@whole
class Book:
    def __init__(self, engine: AsyncEngine) -> None:
        self._session = async_sessionmaker(engine, expire_on_commit=False)
        self._reads = async_sessionmaker(reader(engine), expire_on_commit=False)

    async def order(
        self, order: Order, *, call_id: str, key: str | None, from_number: str, now_s: float
    ) -> tuple[Call, bool]:
        """Queues the call, and says whether it is a new one. Raises KeyReused."""
        call = Call(
            id=call_id,
            idempotency_key=key,
            fingerprint=order.fingerprint(),
            to_number=order.to,
            from_number=from_number,
            agent=order.agent,
            variables=dict(order.variables),
            state="queued",
            created_at_s=now_s,
            updated_at_s=now_s,
        )
        try:
            async with self._session.begin() as session:
                session.add(call)
                await session.flush()
                session.add(Change(call_id=call_id, at_s=now_s, state="queued"))
        except IntegrityError:
            # The key exists: whoever asks again, or twice at once, gets the call that it made.
            async with self._reads() as session:
                existing = await session.scalar(select(Call).where(Call.idempotency_key == key))
            if key is None or existing is None:
                raise
            if existing.fingerprint != order.fingerprint():
                raise KeyReused from None
            return existing, False
        return call, True

    async def record(self, id_or_sid: str) -> Record | None:
        async with self._reads() as session:
            call = await session.scalar(
                select(Call).where((Call.id == id_or_sid) | (Call.call_sid == id_or_sid))
            )
            if call is None:
                return None
            changes = await session.scalars(
                select(Change).where(Change.call_id == call.id).order_by(Change.id)
            )
            report = await session.scalar(select(Report).where(Report.call_id == call.id))
            return Record(call, list(changes), report)

    async def calls(self, *, state: str | None, before: int | None, limit: int) -> list[Call]:
        """The newest first. ``before``: only those of a lower position, for the next page."""
        query = select(Call).order_by(Call.position.desc()).limit(limit)
        if state is not None:
            query = query.where(Call.state == state)
        if before is not None:
            query = query.where(Call.position < before)
        async with self._reads() as session:
            return list(await session.scalars(query))

    async def find(self, session_id: str, call_sid: str) -> str | None:
        """The id of the call that a report is about."""
        async with self._reads() as session:
            return await session.scalar(
                select(Call.id).where((Call.id == session_id) | (Call.call_sid == call_sid)).limit(1)
            )

    async def report(self, call_sid: str) -> Report | None:
        """Of any call, ordered here or not."""
        async with self._reads() as session:
            return await session.get(Report, call_sid)

    async def keep_report(self, call_sid: str, call_id: str | None, body: str, now_s: float) -> bool:
        """False when there is one already: the first one stays."""
        report = Report(call_sid=call_sid, call_id=call_id, body=body, received_at_s=now_s)
        try:
            async with self._session.begin() as session:
                session.add(report)
        except IntegrityError:
            async with self._reads() as session:
                if await session.get(Report, call_sid) is None:
                    raise
            return False
        return True

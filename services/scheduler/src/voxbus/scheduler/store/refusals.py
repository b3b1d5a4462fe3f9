"""The numbers that are never dialled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker

from voxbus.scheduler.database import reader
from voxbus.scheduler.store.steps import changed, insert_new
from voxbus.scheduler.store.whole import whole
from voxbus.scheduler.tables import Contact, DoNotCall

Source = Literal["api", "import", "call"]
_PAGE = 500


@dataclass(frozen=True)
class Refusal:
    """Somebody wants no calls. ``evidence``: what was said or written, ``call_sid``: in which call."""

    number: str
    source: Source
    evidence: str
    at_s: float
    call_sid: str | None = None


@whole
class Refusals:
    def __init__(self, engine: AsyncEngine) -> None:
        self._session = async_sessionmaker(engine, expire_on_commit=False)
        self._reads = async_sessionmaker(reader(engine), expire_on_commit=False)

    async def add(self, refusals: Sequence[Refusal]) -> int:
        """How many were new. Who is on the list stays there as first written: the oldest evidence counts."""
        new = 0
        for begin in range(0, len(refusals), _PAGE):
            # Of two for one number the first.
            part = {refusal.number: refusal for refusal in reversed(refusals[begin : begin + _PAGE])}
            rows = [DoNotCall(**vars(refusal)) for refusal in part.values()]
            async with self._session.begin() as session:
                new += len(await insert_new(session, rows, DoNotCall.number))
                await session.execute(
                    update(Contact)
                    .where(Contact.to_number.in_(part), Contact.state == "waiting")
                    .values(state="done", result="do_not_call")
                )
        return new

    async def get(self, number: str) -> DoNotCall | None:
        async with self._reads() as session:
            return await session.get(DoNotCall, number)

    async def remove(self, number: str) -> bool:
        async with self._session.begin() as session:
            return bool(await changed(session, delete(DoNotCall).where(DoNotCall.number == number)))

    async def page(self, after: str, limit: int) -> list[DoNotCall]:
        """In the order of the numbers, those behind ``after``."""
        query = select(DoNotCall).where(DoNotCall.number > after).order_by(DoNotCall.number).limit(limit)
        async with self._reads() as session:
            return list(await session.scalars(query))

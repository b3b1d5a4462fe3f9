"""Calls that wait, that are claimed, and that are on their way to the carrier: who may move them, and where to."""

from __future__ import annotations

from sqlalchemy import exists, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker

from voxbus.scheduler.core_carrier import EXPIRED, Refused
from voxbus.scheduler.core_states import MAYBE
from voxbus.scheduler.database import reader
from voxbus.scheduler.store.steps import enter
from voxbus.scheduler.store.whole import whole
from voxbus.scheduler.tables import Call, Pace


@whole
class Queue:
    """``account``: whose pace it is; ``claim``: names this scheduler's hold on a call, never used by another."""

    def __init__(self, engine: AsyncEngine, account: str) -> None:
        self._session = async_sessionmaker(engine, expire_on_commit=False)
        self._reads = async_sessionmaker(reader(engine), expire_on_commit=False)
        self._account = account

    async def open(self) -> None:
        try:
            async with self._session.begin() as session:
                if await session.get(Pace, self._account) is None:
                    session.add(Pace(account=self._account, next_at_s=0.0))
        except IntegrityError:
            return  # another scheduler was first

    async def waiting(self) -> int:
        """How many calls are queued."""
        async with self._reads() as session:
            return (
                await session.scalar(select(func.count()).select_from(Call).where(Call.state == "queued"))
                or 0
            )

    async def release(self, call_id: str, claim: str, now_s: float, why: str) -> bool:
        """Back to its old place: it was not dialled."""
        async with self._session.begin() as session:
            return await enter(session, call_id, "queued", now_s, Call.claim == claim, detail=why, claim="")

    async def again(self, call_id: str, claim: str, now_s: float, why: str) -> bool:
        """Back to its old place, by the carrier's word that it made no call; or over, if somebody canceled it."""
        async with self._session.begin() as session:
            held = (Call.claim == claim, Call.hang_up.is_(True))
            if await enter(session, call_id, "canceled", now_s, *held, detail="on request", dialled_at_s=0.0):
                return True
            return await enter(
                session,
                call_id,
                "queued",
                now_s,
                Call.claim == claim,
                detail=why,
                claim="",
                tries=Call.tries + 1,
                dialled_at_s=0.0,
            )

    async def fail(self, call_id: str, claim: str, now_s: float, why: Refused) -> bool:
        async with self._session.begin() as session:
            return await enter(
                session,
                call_id,
                "failed",
                now_s,
                Call.claim == claim,
                sources=MAYBE | {"claimed"},
                detail=why.words,
                error_code=why.code,
                error=why.words,
            )

    async def unconfirmed(self, call_id: str, now_s: float, why: str) -> bool:
        async with self._session.begin() as session:
            return await enter(session, call_id, "unconfirmed", now_s, detail=why)

    async def expire(self, before_s: float, now_s: float) -> int:
        """Gives up calls that were ordered before ``before_s`` and wait still. Returns how many."""
        expired = (Call.state == "queued", Call.created_at_s < before_s)
        async with self._reads() as session:
            if not await session.scalar(select(exists().where(*expired))):
                return 0
        async with self._session.begin() as session:
            old = await session.scalars(select(Call.id).where(*expired))
            done = [
                await enter(
                    session,
                    call_id,
                    "failed",
                    now_s,
                    sources={"queued"},
                    detail=EXPIRED.words,
                    error_code=EXPIRED.code,
                    error=EXPIRED.words,
                )
                for call_id in old.all()
            ]
        return sum(done)

    async def recover(self, now_s: float, dialled_before_s: float) -> tuple[int, int]:
        """What dead schedulers left: claims that ran out go back to the queue, requests without an answer do not.

        Returns how many of each.
        """
        async with self._session.begin() as session:
            claimed = await session.scalars(
                select(Call.id).where(Call.state == "claimed", Call.claim_until_s < now_s)
            )
            back = [
                await enter(
                    session,
                    call_id,
                    "queued",
                    now_s,
                    Call.claim_until_s < now_s,
                    sources={"claimed"},
                    detail="its scheduler is gone; it was not dialled",
                    claim="",
                )
                for call_id in claimed.all()
            ]
            sent = await session.scalars(
                select(Call.id).where(Call.state == "dialling", Call.dialled_at_s < dialled_before_s)
            )
            open_ = [
                await enter(
                    session,
                    call_id,
                    "unconfirmed",
                    now_s,
                    detail="its scheduler is gone; it may have dialled",
                )
                for call_id in sent.all()
            ]
        return sum(back), sum(open_)

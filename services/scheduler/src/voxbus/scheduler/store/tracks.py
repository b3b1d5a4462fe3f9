"""Calls on their way: which CallSid is which order, and what became of it."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from voxbus.scheduler.core_states import LIVE, MAYBE, State, may, state_of
from voxbus.scheduler.database import reader
from voxbus.scheduler.store.steps import changed, enter, tell_contacts
from voxbus.scheduler.store.whole import whole
from voxbus.scheduler.tables import Call

#: A call that appears so much later than its request is none of that request's.
_RIVAL_S = 900.0

BoundBy = Literal["create", "callback", "list"]


@whole
class Tracks:
    def __init__(self, engine: AsyncEngine) -> None:
        self._session = async_sessionmaker(engine, expire_on_commit=False)
        self._reads = async_sessionmaker(reader(engine), expire_on_commit=False)

    async def bind(self, call_id: str, call_sid: str, by: BoundBy, now_s: float) -> bool:
        """``call_sid`` is this call. False when the call has another one already."""
        async with self._session.begin() as session:
            return await self._bind(session, call_id, call_sid, by, now_s)

    async def _bind(
        self, session: AsyncSession, call_id: str, call_sid: str, by: BoundBy, now_s: float
    ) -> bool:
        free: ColumnElement[bool] = Call.call_sid.is_(None)
        if by != "list":
            # What was told by elimination gives way to what was said: here, and where this sid was bound wrongly.
            free = or_(free, Call.bound_by == "list")
            wrong = (Call.call_sid == call_sid, Call.id != call_id, Call.bound_by == "list")
            lost = (await session.scalars(select(Call.id).where(*wrong))).all()
            await session.execute(
                update(Call)
                .where(*wrong)
                .values(call_sid=None, bound_by="", state="unknown", log_sequence=0, updated_at_s=now_s)
            )
            await tell_contacts(session, *lost)
        statement = (
            update(Call)
            .where(Call.id == call_id, free)
            .values(call_sid=call_sid, bound_by=by, log_sequence=0)
        )
        if not await changed(session, statement):
            return await session.scalar(select(Call.call_sid).where(Call.id == call_id)) == call_sid
        await enter(session, call_id, "placed", now_s, detail=f"bound by {by}", checked_at_s=now_s)
        return True

    async def find(self, call_sid: str, session_id: str = "") -> Call | None:
        """By its CallSid, or by the session that only its own webhooks know."""
        async with self._reads() as session:
            found = await session.scalar(select(Call).where(Call.call_sid == call_sid))
            if found is None and session_id:
                found = await session.scalar(select(Call).where(Call.id == session_id))
            return found

    async def tell(
        self, call_id: str, new: State, now_s: float, *, sequence: int, answered_by: str, detail: str
    ) -> bool:
        """What the log says, through ``sequence``; an older one is no news. Whether the state changed."""
        async with self._session.begin() as session:
            call = await session.scalar(select(Call).where(Call.id == call_id).with_for_update())
            if call is None or call.log_sequence >= sequence:
                return False
            call.log_sequence, call.answered_by = sequence, answered_by
            await session.flush()
            return await enter(session, call_id, new, now_s, Call.state != new, detail=detail)

    async def checked(self, call_id: str, now_s: float) -> None:
        """Somebody looks for news of it."""
        async with self._session.begin() as session:
            await session.execute(update(Call).where(Call.id == call_id).values(checked_at_s=now_s))

    async def tell_by_carrier(self, call_id: str, new: State, now_s: float) -> bool:
        """What the carrier's records say about a call whose log is silent."""
        async with self._session.begin() as session:
            call = await session.scalar(select(Call).where(Call.id == call_id).with_for_update())
            if call is None:
                return False
            # A conversation is over when the log says so, or the carrier.
            return may(state_of(call.state), new) and await enter(
                session, call_id, new, now_s, detail="the carrier's records say so"
            )

    async def unconfirmed(self) -> list[Call]:
        async with self._reads() as session:
            return list(
                await session.scalars(
                    select(Call)
                    .where(Call.state == "unconfirmed", Call.call_sid.is_(None))
                    .order_by(Call.position)
                )
            )

    async def taken(self, to_number: str) -> frozenset[str]:
        """The CallSids of calls to this number that are known to be theirs."""
        async with self._reads() as session:
            sids = await session.scalars(
                select(Call.call_sid).where(Call.to_number == to_number, Call.call_sid.is_not(None))
            )
            return frozenset(sid for sid in sids if sid)

    async def rivals(self, call: Call) -> int:
        """Other calls to the same number, dialled at about that time, whose request may have been the one."""
        async with self._reads() as session:
            others = await session.scalars(
                select(Call.id).where(
                    Call.to_number == call.to_number,
                    Call.id != call.id,
                    Call.state.in_(MAYBE),
                    Call.call_sid.is_(None),
                    Call.dialled_at_s > call.dialled_at_s - _RIVAL_S,
                )
            )
            return len(others.all())

    async def unknown(self, call_id: str, now_s: float, why: str) -> bool:
        async with self._session.begin() as session:
            return await enter(session, call_id, "unknown", now_s, Call.call_sid.is_(None), detail=why)

    async def lost(self, call_id: str, now_s: float, why: str) -> bool:
        """A call on its way of which nobody knows anything any more."""
        async with self._session.begin() as session:
            return await enter(session, call_id, "unknown", now_s, detail=why, sources=LIVE)

    async def silent(self, before_s: float, limit: int = 20) -> list[Call]:
        """Live calls that nothing was heard of since ``before_s``, and that nobody has looked for since."""
        async with self._reads() as session:
            return list(
                await session.scalars(
                    select(Call)
                    .where(
                        Call.state.in_(LIVE),
                        Call.call_sid.is_not(None),
                        Call.updated_at_s < before_s,
                        Call.checked_at_s < before_s,
                    )
                    .order_by(Call.checked_at_s)
                    .limit(limit)
                )
            )

    async def cancel(self, call_id: str, now_s: float) -> Literal["canceled", "hanging_up", "over"]:
        """Somebody wants the end of this call: at once where nothing has left, else as soon as its CallSid is known."""
        waiting = ("queued", "claimed")
        async with self._session.begin() as session:
            if await enter(session, call_id, "canceled", now_s, Call.state.in_(waiting), detail="on request"):
                return "canceled"
            going = update(Call).where(Call.id == call_id, Call.state.in_(LIVE | MAYBE)).values(hang_up=True)
            return "hanging_up" if await changed(session, going) else "over"

    async def to_hang_up(self, limit: int = 20) -> list[Call]:
        query = (
            select(Call).where(Call.hang_up, Call.state.in_(LIVE), Call.call_sid.is_not(None)).limit(limit)
        )
        async with self._reads() as session:
            return list(await session.scalars(query))

    async def hung_up(self, call_id: str) -> None:
        async with self._session.begin() as session:
            await session.execute(update(Call).where(Call.id == call_id).values(hang_up=False))

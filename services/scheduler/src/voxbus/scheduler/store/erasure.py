"""What is removed again: all of one number on request, and what has been kept for long enough."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker

from voxbus.common.report import CallReport
from voxbus.scheduler.core_numbers import same
from voxbus.scheduler.core_states import FINAL
from voxbus.scheduler.store.steps import changed
from voxbus.scheduler.store.whole import whole
from voxbus.scheduler.tables import Call, Contact, DoNotCall, Report


@dataclass(frozen=True)
class Erased:
    """``sessions`` and ``call_sids`` of the calls that are gone, so that their logs can go, too. ``going_on``: calls
    that are not over yet, which were left. ``listed``: the number is on the do-not-call list, where it stays, bare."""

    sessions: tuple[str, ...]
    call_sids: tuple[str, ...]
    contacts: int
    reports: int
    going_on: int
    listed: bool


#: So many digits at its end has a number in whatever way it is written.
_END = 6


@whole
class Erasure:
    def __init__(self, engine: AsyncEngine) -> None:
        self._session = async_sessionmaker(engine, expire_on_commit=False)

    async def erase(self, number: str) -> Erased:
        """Calls with their history, contacts, and reports, those of calls in included. ``number``: as it is kept."""
        over = Call.state.in_(FINAL | {"queued"})
        async with self._session.begin() as session:
            calls = (await session.scalars(select(Call).where(Call.to_number == number, over))).all()
            ids = [call.id for call in calls]
            reports = list(await session.scalars(select(Report.call_sid).where(Report.call_id.in_(ids))))
            suspects = await session.scalars(
                # Reports tell it as the carrier wrote it, which may differ, but not in its end.
                select(Report).where(Report.body.contains(number[-_END:], autoescape=True))
            )
            for suspect in suspects.all():
                report = CallReport.model_validate_json(suspect.body)
                if suspect.call_id is None and (same(report.from_, number) or same(report.to, number)):
                    reports.append(suspect.call_sid)
            await session.execute(delete(Report).where(Report.call_sid.in_(reports)))
            await session.execute(delete(Call).where(Call.id.in_(ids)))  # and its history, by the foreign key
            going_on = await session.scalar(
                select(func.count()).select_from(Call).where(Call.to_number == number)
            )
            contacts = await changed(
                session, delete(Contact).where(Contact.to_number == number, Contact.state != "calling")
            )
            listed = await changed(
                session,
                update(DoNotCall).where(DoNotCall.number == number).values(evidence="", call_sid=None),
            )
        sids = {call.call_sid for call in calls if call.call_sid} | set(reports)
        return Erased(tuple(ids), tuple(sorted(sids)), contacts, len(reports), going_on or 0, listed > 0)

    async def expire(self, before_s: float) -> int:
        """Removes what was over before then; returns how many calls that were. The do-not-call list stays."""
        async with self._session.begin() as session:
            old = select(Call.id).where(Call.state.in_(FINAL), Call.updated_at_s < before_s)
            await session.execute(
                delete(Report).where(or_(Report.call_id.in_(old), Report.received_at_s < before_s))
            )
            calls = await changed(
                session, delete(Call).where(Call.state.in_(FINAL), Call.updated_at_s < before_s)
            )
            await session.execute(
                delete(Contact).where(Contact.state == "done", Contact.updated_at_s < before_s)
            )
        return calls

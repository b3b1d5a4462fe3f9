"""What is removed again: all of one number on request, and what has been kept for long enough."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker

from voxbus.common.report import CallReport
from voxbus.scheduler.core_numbers import same
from voxbus.scheduler.core_states import FINAL
from voxbus.scheduler.store.steps import changed, enter
from voxbus.scheduler.store.whole import whole
from voxbus.scheduler.tables import Call, Contact, DoNotCall, Report


@dataclass(frozen=True)
class Found:
    """What is kept of ``number`` and is over. ``calls``: their sessions, with their CallSids where they have any.
    ``reports``: CallSids, those of calls in included."""

    number: str
    calls: Mapping[str, str | None]
    reports: frozenset[str]

    @property
    def call_sids(self) -> frozenset[str]:
        return self.reports.union(sid for sid in self.calls.values() if sid)


@dataclass(frozen=True)
class Erased:
    """How much is gone. ``going_on``: calls that were not over, which were left. ``listed``: the number is on the
    do-not-call list, where it stays, bare."""

    calls: int
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

    async def begin(self, number: str, now_s: float) -> Found:
        """Takes what waits to be dialled out of the queue, and finds what is over. ``number``: as it is kept.

        The rows stay until ``finish``: they alone say in which logs and recordings the number is.
        """
        async with self._session.begin() as session:
            await session.execute(
                update(Contact)
                .where(Contact.to_number == number, Contact.state == "waiting")
                .values(state="done", result="canceled", updated_at_s=now_s)
            )
            waiting = select(Call.id).where(Call.to_number == number, Call.state.in_(("queued", "claimed")))
            for call_id in (await session.scalars(waiting)).all():
                await enter(session, call_id, "canceled", now_s, detail="the number is erased")
            over = select(Call.id, Call.call_sid).where(Call.to_number == number, Call.state.in_(FINAL))
            calls: dict[str, str | None] = dict((await session.execute(over)).all())
            reports = set(await session.scalars(select(Report.call_sid).where(Report.call_id.in_(calls))))
            suspects = await session.scalars(
                # Reports tell it as the carrier wrote it, which may differ, but not in its end.
                select(Report).where(Report.body.contains(number[-_END:], autoescape=True))
            )
            for suspect in suspects.all():
                report = CallReport.model_validate_json(suspect.body)
                if suspect.call_id is None and (same(report.from_, number) or same(report.to, number)):
                    reports.add(suspect.call_sid)
        return Found(number, calls, frozenset(reports))

    async def finish(self, found: Found, but: Collection[str] = ()) -> Erased:
        """Calls with their history, contacts and reports, except those of the calls with a CallSid of ``but``."""
        ids = [call_id for call_id, sid in found.calls.items() if sid not in but]
        mine = Contact.to_number == found.number
        goes_on = exists().where(Call.id == Contact.call_id, Call.id.not_in(found.calls))
        async with self._session.begin() as session:
            reports = await changed(
                session,
                delete(Report).where(
                    or_(Report.call_sid.in_(found.reports.difference(but)), Report.call_id.in_(ids))
                ),
            )
            # A contact that is being called is left with that call; but never without one.
            contacts = await changed(
                session, delete(Contact).where(mine, or_(Contact.state != "calling", ~goes_on))
            )
            # And their history, by the foreign key.
            calls = await changed(session, delete(Call).where(Call.id.in_(ids), Call.state.in_(FINAL)))
            going_on = await session.scalar(
                select(func.count())
                .select_from(Call)
                .where(Call.to_number == found.number, Call.id.not_in(found.calls))
            )
            listed = await changed(
                session,
                update(DoNotCall).where(DoNotCall.number == found.number).values(evidence="", call_sid=None),
            )
        return Erased(calls, contacts, reports, going_on or 0, listed > 0)

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
            over = or_(Contact.state == "done", _lost())
            await session.execute(delete(Contact).where(over, Contact.updated_at_s < before_s))
        return calls


def _lost() -> ColumnElement[bool]:
    """Contacts that are being called by a call that is gone."""
    return (Contact.state == "calling") & ~exists().where(Call.id == Contact.call_id)

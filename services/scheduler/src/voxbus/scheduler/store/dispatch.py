"""Who is dialled next, by any of the schedulers of this database, and whether it still may be when the second comes.

Every scheduler asks the same row when it may dial (``Pace``), and holds it until its choice is written down. So choices
are made one after another, and what is counted before one (calls in the air, calls to a number) is still true after.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import ColumnElement, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import aliased

from voxbus.scheduler import core_plan as plan
from voxbus.scheduler.core_carrier import CLOSED, DO_NOT_CALL, STOPPED, Refused
from voxbus.scheduler.core_rules import Campaign as Rules
from voxbus.scheduler.core_rules import House
from voxbus.scheduler.core_states import LIVE, MAYBE
from voxbus.scheduler.core_window import is_open
from voxbus.scheduler.database import reader
from voxbus.scheduler.store.breaker import Paused, stop
from voxbus.scheduler.store.contacts import put
from voxbus.scheduler.store.steps import enter
from voxbus.scheduler.store.whole import whole
from voxbus.scheduler.tables import Call, Campaign, Change, Contact, DoNotCall, Pace

#: Those who are due and may not be dialled are put off so many at a time, and so often while others wait for us.
_LOOK_AT = 50
_LOOKS = 10
#: How long it is worth waiting for something to change.
_LATER_S = 0.5
_DAYS_S = 2 * 86_400.0
#: On their way, and surely so. ``unknown`` may be, until it would be over in any case.
_IN_AIR = (LIVE | MAYBE | {"claimed"}) - {"unknown"}
#: No worker has taken them up yet.
_UNANSWERED = _IN_AIR - {"in_progress"}

Why = Literal["pace", "calls_in_air", "no_capacity", "nothing_due"]


@dataclass(frozen=True)
class Wait:
    """Nothing may be dialled now; ask again after so many seconds."""

    seconds: float
    why: Why


@dataclass(frozen=True)
class Limits:
    """``interval_s``: between two calls of the account. ``most``: calls in the air. ``over_s``: the longest call."""

    interval_s: float
    most: int
    over_s: float


@whole
class Dispatch:
    """``account``: whose pace it is."""

    def __init__(self, engine: AsyncEngine, account: str, house: House, limits: Limits) -> None:
        self._session = async_sessionmaker(engine, expire_on_commit=False)
        self._reads = async_sessionmaker(reader(engine), expire_on_commit=False)
        self._account = account
        self._house = house
        self._limits = limits

    async def due(self, now_s: float) -> bool:
        """Whether there may be somebody to dial."""
        waits = exists().where(Call.state == "queued", _runs())
        contact = exists().where(
            Contact.campaign == Campaign.id,
            Campaign.state == "running",
            Contact.state == "waiting",
            Contact.next_at_s <= now_s,
        )
        async with self._reads() as session:
            return bool(await session.scalar(select(or_(waits, contact))))

    async def take(self, claim: str, now_s: float, until_s: float, free: int | None) -> Call | Wait | Paused:
        """The next call, claimed until ``until_s``. ``claim``: names this hold on it, never used by another.

        ``free``: how many more calls the workers could take; None = nobody knows. Paused: the campaign whose turn it
        was had to be stopped; ask again.
        """
        async with self._session.begin() as session:
            pace = await session.get_one(Pace, self._account, with_for_update=True)
            if pace.next_at_s > now_s:
                return Wait(max(0.01, pace.next_at_s - now_s), "pace")
            air = await self._air(session, now_s, free)
            if why := air.room():
                return Wait(_LATER_S, why)
            call_id = await self._queued(session, now_s) or await self._of_a_campaign(session, now_s)
            if call_id is None:
                return Wait(_LATER_S, "nothing_due")
            if isinstance(call_id, Paused):
                return call_id
            if not await enter(session, call_id, "claimed", now_s, claim=claim, claim_until_s=until_s):
                return Wait(_LATER_S, "nothing_due")
            pace.next_at_s = now_s + self._limits.interval_s
            fresh = select(Call).where(Call.id == call_id).execution_options(populate_existing=True)
            return (await session.scalars(fresh)).one()

    async def _air(self, session: AsyncSession, now_s: float, free: int | None) -> plan.Air:
        by_state = select(Call.state, func.count()).where(self._in_air(now_s)).group_by(Call.state)
        counts: dict[str, int] = dict((await session.execute(by_state)).all())
        unanswered = sum(count for state, count in counts.items() if state in _UNANSWERED)
        return plan.Air(sum(counts.values()), self._limits.most, unanswered, free)

    def _in_air(self, now_s: float, call: type[Call] = Call) -> ColumnElement[bool]:
        may_ring = (call.state == "unknown") & (call.dialled_at_s > now_s - self._limits.over_s)
        return or_(call.state.in_(_IN_AIR), may_ring)

    async def _queued(self, session: AsyncSession, now_s: float) -> str | Paused | None:
        """The head of the queue. A number that is being called lets the next one go first."""
        other = aliased(Call)
        same = exists().where(other.to_number == Call.to_number, self._in_air(now_s, other))
        call = await session.scalar(
            select(Call)
            .where(Call.state == "queued", _runs(), ~same)
            .order_by(Call.position)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        if call is None:
            return None
        if call.campaign is None:
            return call.id
        return await stop(session, await session.get_one(Campaign, call.campaign), now_s) or call.id

    async def _of_a_campaign(self, session: AsyncSession, now_s: float) -> str | Paused | None:
        """A new call for whoever is due. The campaign that has waited longest is asked first."""
        campaigns = await session.scalars(
            select(Campaign)
            .where(Campaign.state == "running", Campaign.next_at_s <= now_s)
            .order_by(Campaign.next_at_s, Campaign.id)
        )
        for campaign in campaigns.all():
            rules = Rules.model_validate(campaign.rules)
            own = (Call.campaign == campaign.id, self._in_air(now_s))
            in_air = await session.scalar(select(func.count()).select_from(Call).where(*own)) or 0
            if in_air >= rules.calls_in_air:
                continue
            # After the count: a call that is not in the air any more has ended for the breaker, too.
            if paused := await stop(session, campaign, now_s):
                return paused
            contact = await self._contact(session, campaign, rules, now_s)
            if contact is not None:
                campaign.next_at_s = now_s + 1 / rules.calls_per_second
                return await _order(session, contact, rules, now_s)
        return None

    async def _contact(
        self, session: AsyncSession, campaign: Campaign, rules: Rules, now_s: float
    ) -> Contact | None:
        for _ in range(_LOOKS):
            found = await session.scalars(
                select(Contact)
                .where(
                    Contact.campaign == campaign.id, Contact.state == "waiting", Contact.next_at_s <= now_s
                )
                .order_by(Contact.next_at_s, Contact.id)
                .limit(_LOOK_AT)
                .with_for_update(skip_locked=True)
            )
            contacts = found.all()
            known = await self._numbers(session, contacts, now_s)
            due = [(contact, known[contact.id], rules) for contact in contacts]
            chosen, passed = plan.choose(due, self._house, now_s)
            for contact, verdict in passed:
                put(contact, verdict, now_s)
            await session.flush()
            if chosen is not None or len(contacts) < _LOOK_AT:
                return chosen
        return None

    async def _numbers(
        self, session: AsyncSession, contacts: Sequence[Contact], now_s: float
    ) -> dict[int, plan.Number]:
        numbers = {contact.to_number for contact in contacts}
        listed = set(await session.scalars(select(DoNotCall.number).where(DoNotCall.number.in_(numbers))))
        of_them = Call.to_number.in_(numbers)
        in_air = set(await session.scalars(select(Call.to_number).where(of_them, self._in_air(now_s))))
        dialled: dict[str, list[float]] = {}
        recent = select(Call.to_number, Call.dialled_at_s).where(of_them, Call.dialled_at_s > now_s - _DAYS_S)
        for number, at_s in await session.execute(recent):
            dialled.setdefault(number, []).append(at_s)
        return {
            contact.id: plan.Number(
                tuple(contact.zones.split()),
                contact.to_number in listed,
                contact.to_number in in_air,
                tuple(dialled.get(contact.to_number, ())),
            )
            for contact in contacts
        }

    async def dialling(self, call_id: str, claim: str, now_s: float) -> bool | Refused:
        """Only after True may the request leave; nobody else will ever send it. False: it is not ours any more.

        Refused: it must not ring now, and this call never will.
        """
        async with self._session.begin() as session:
            why = await self._must_not(session, call_id, now_s)
            if why is not None:
                return why
            still_ours = (Call.claim == claim, Call.claim_until_s > now_s, Call.hang_up.is_(False))
            return await enter(session, call_id, "dialling", now_s, *still_ours, dialled_at_s=now_s)

    async def _must_not(self, session: AsyncSession, call_id: str, now_s: float) -> Refused | None:
        call = await session.scalar(select(Call).where(Call.id == call_id))
        if call is None:
            return None  # erased meanwhile: there is nothing that could be dialled
        if await session.get(DoNotCall, call.to_number) is not None:
            return DO_NOT_CALL
        if call.campaign is None:
            return None
        campaign = await session.get_one(Campaign, call.campaign)
        if campaign.state != "running":
            return STOPPED
        contact = await session.get_one(Contact, call.contact)
        hours = self._house.hours(Rules.model_validate(campaign.rules).window)
        return None if is_open(hours, tuple(contact.zones.split()), now_s) else CLOSED

    async def rest(self, until_s: float) -> None:
        """Nobody dials before ``until_s``. The queue keeps its order: the call that was refused is its head still."""
        statement = (
            update(Pace)
            .where(Pace.account == self._account, Pace.next_at_s < until_s)
            .values(next_at_s=until_s)
        )
        async with self._session.begin() as session:
            await session.execute(statement)


def _runs() -> ColumnElement[bool]:
    """Single calls, and those whose campaign goes on."""
    running = exists().where(Campaign.id == Call.campaign, Campaign.state == "running")
    return or_(Call.campaign.is_(None), running)


async def _order(session: AsyncSession, contact: Contact, rules: Rules, now_s: float) -> str:
    call = Call(
        # The session id, too: knowing it proves whose call it is.
        id=secrets.token_urlsafe(24),
        fingerprint="",
        to_number=contact.to_number,
        from_number=rules.from_number,
        agent=rules.agent,
        variables={**rules.variables, **contact.variables},
        state="queued",
        campaign=contact.campaign,
        contact=contact.id,
        created_at_s=now_s,
        updated_at_s=now_s,
    )
    contact.state, contact.call_id, contact.updated_at_s = "calling", call.id, now_s
    session.add(call)
    await session.flush()
    session.add(Change(call_id=call.id, at_s=now_s, state="queued"))
    await session.flush()
    return call.id

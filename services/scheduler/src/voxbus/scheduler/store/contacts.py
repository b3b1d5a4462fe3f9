"""Contacts, and what follows for them from the end of a call."""

from __future__ import annotations

from sqlalchemy import exists, func, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from voxbus.scheduler import core_plan as plan
from voxbus.scheduler.core_rules import Campaign as Rules
from voxbus.scheduler.core_rules import House
from voxbus.scheduler.core_states import FINAL, state_of
from voxbus.scheduler.database import reader
from voxbus.scheduler.store.breaker import Paused, stop
from voxbus.scheduler.store.whole import whole
from voxbus.scheduler.tables import Call, Campaign, Contact

_AT_ONCE = 100


def put(contact: Contact, verdict: plan.NotBefore | plan.Done, now_s: float) -> None:
    """Writes down what follows for the contact."""
    contact.updated_at_s = now_s
    match verdict:
        case plan.NotBefore(at_s):
            contact.state, contact.result, contact.next_at_s = "waiting", "", at_s
        case plan.Done(result):
            contact.state, contact.result = "done", result


@whole
class Contacts:
    def __init__(self, engine: AsyncEngine, house: House) -> None:
        self._session = async_sessionmaker(engine, expire_on_commit=False)
        self._reads = async_sessionmaker(reader(engine), expire_on_commit=False)
        self._house = house

    async def settle(self, now_s: float) -> list[Paused]:
        """Takes in which calls have ended. Returns the campaigns that had to be paused for it."""
        async with self._reads() as session:
            if not await session.scalar(select(exists().where(Contact.news))):
                return []
        async with self._session.begin() as session:
            found = await session.scalars(
                select(Contact).where(Contact.news).limit(_AT_ONCE).with_for_update(skip_locked=True)
            )
            campaigns: dict[str, Campaign] = {}
            for contact in found.all():
                campaign = campaigns.get(contact.campaign)
                if campaign is None:
                    campaign = campaigns[contact.campaign] = await session.get_one(Campaign, contact.campaign)
                await self._settle(session, contact, campaign, now_s)
            stopped = [await stop(session, campaign, now_s) for campaign in campaigns.values()]
            return [paused for paused in stopped if paused is not None]

    async def _settle(
        self, session: AsyncSession, contact: Contact, campaign: Campaign, now_s: float
    ) -> None:
        contact.news = False
        call = await session.scalar(select(Call).where(Call.id == contact.call_id))
        state = state_of(call.state) if call is not None else None
        if call is None or state not in FINAL:
            return  # it ended, and then it turned out that it goes on
        dialled = select(func.count()).where(Call.contact == contact.id, Call.dialled_at_s > 0)
        contact.attempts = await session.scalar(dialled) or 0
        rules, zones = Rules.model_validate(campaign.rules), tuple(contact.zones.split())
        verdict = plan.after(state, call.error_code, contact.attempts, zones, rules, self._house, now_s)
        if isinstance(verdict, plan.NotBefore):
            if contact.result == "unknown":
                # It may have rung. What came of it is known now, and is no reason to ring again.
                verdict = plan.Done(plan.result_of(state))
            elif campaign.state == "canceled":
                verdict = plan.Done("canceled")
        put(contact, verdict, now_s)

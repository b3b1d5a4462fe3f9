"""Campaigns and their lists: what comes in, and how far they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker

from voxbus.scheduler.core_contacts import Contact as Listed
from voxbus.scheduler.core_rules import Campaign as Rules
from voxbus.scheduler.database import reader
from voxbus.scheduler.store.book import KeyReused
from voxbus.scheduler.store.steps import changed, enter, insert_new
from voxbus.scheduler.store.whole import whole
from voxbus.scheduler.tables import Call, Campaign, Contact

Standing = Literal["running", "paused", "canceled"]
#: From where each may be entered. What was canceled stays so.
_FROM: Final[dict[Standing, tuple[Standing, ...]]] = {
    "running": ("paused",),
    "paused": ("running",),
    "canceled": ("running", "paused"),
}
_PAGE: Final = 500


@dataclass(frozen=True)
class Progress:
    """How many contacts stand where: by state, and by result of those that are done."""

    waiting: int
    calling: int
    results: dict[str, int]

    @property
    def contacts(self) -> int:
        return self.waiting + self.calling + sum(self.results.values())


@dataclass(frozen=True)
class Line:
    """A contact with its latest call."""

    contact: Contact
    call: Call | None


@whole
class Campaigns:
    def __init__(self, engine: AsyncEngine) -> None:
        self._session = async_sessionmaker(engine, expire_on_commit=False)
        self._reads = async_sessionmaker(reader(engine), expire_on_commit=False)

    async def create(
        self, campaign_id: str, key: str | None, rules: Rules, now_s: float
    ) -> tuple[Campaign, bool]:
        """The campaign, and whether it is a new one. Raises KeyReused."""
        asked = rules.model_dump(mode="json")
        campaign = Campaign(
            id=campaign_id,
            idempotency_key=key,
            rules=asked,
            state="running",
            resumed_at_s=now_s,
            created_at_s=now_s,
            updated_at_s=now_s,
        )
        try:
            async with self._session.begin() as session:
                session.add(campaign)
        except IntegrityError:
            async with self._reads() as session:
                existing = await session.scalar(select(Campaign).where(Campaign.idempotency_key == key))
            if key is None or existing is None:
                raise
            if existing.rules != asked:
                raise KeyReused from None
            return existing, False
        return campaign, True

    async def get(self, campaign_id: str) -> Campaign | None:
        async with self._reads() as session:
            return await session.get(Campaign, campaign_id)

    async def all(self, limit: int) -> list[Campaign]:
        """The newest first."""
        query = select(Campaign).order_by(Campaign.created_at_s.desc(), Campaign.id).limit(limit)
        async with self._reads() as session:
            return list(await session.scalars(query))

    async def progress(self, campaign_id: str) -> Progress:
        counts = (
            select(Contact.state, Contact.result, func.count())
            .where(Contact.campaign == campaign_id)
            .group_by(Contact.state, Contact.result)
        )
        states = {"waiting": 0, "calling": 0}
        results: dict[str, int] = {}
        async with self._reads() as session:
            for state, result, count in await session.execute(counts):
                if state == "done":
                    results[result] = count
                else:
                    states[state] += count
        return Progress(**states, results=results)

    async def add(self, campaign_id: str, listed: Sequence[tuple[Listed, float]], now_s: float) -> list[int]:
        """Contacts with the moment before which each need not be called. Returns the lines of those that are new."""
        new: list[int] = []
        for begin in range(0, len(listed), _PAGE):
            part = listed[begin : begin + _PAGE]
            rows = [_row(campaign_id, contact, next_at_s, now_s) for contact, next_at_s in part]
            async with self._session.begin() as session:
                added = await insert_new(session, rows, Contact.to_number)
            new += [contact.line for contact, _ in part if contact.to in added]
        return new

    async def enter(self, campaign_id: str, new: Standing, now_s: float) -> bool:
        """False when it cannot be that any more, or is it already. A canceled one drops who waits."""
        values: dict[str, object] = {"state": new, "updated_at_s": now_s, "reason": ""}
        if new == "running":
            values["resumed_at_s"] = now_s
        step = (
            update(Campaign).where(Campaign.id == campaign_id, Campaign.state.in_(_FROM[new])).values(values)
        )
        async with self._session.begin() as session:
            if not await changed(session, step):
                return False
            if new == "canceled":
                await session.execute(
                    update(Contact)
                    .where(Contact.campaign == campaign_id, Contact.state == "waiting")
                    .values(state="done", result="canceled", updated_at_s=now_s)
                )
                queued = await session.scalars(
                    select(Call.id).where(Call.campaign == campaign_id, Call.state.in_(("queued", "claimed")))
                )
                for call_id in queued.all():
                    await enter(session, call_id, "canceled", now_s, detail="its campaign was canceled")
        return True

    async def lines(self, campaign_id: str, after: int) -> list[Line]:
        """A page of the campaign's contacts, in the order they came, those after the one with the id ``after``."""
        query = (
            select(Contact, Call)
            .outerjoin(Call, Call.id == Contact.call_id)
            .where(Contact.campaign == campaign_id, Contact.id > after)
            .order_by(Contact.id)
            .limit(_PAGE)
        )
        async with self._reads() as session:
            return [Line(contact, call) for contact, call in await session.execute(query)]


def _row(campaign_id: str, contact: Listed, next_at_s: float, now_s: float) -> Contact:
    return Contact(
        campaign=campaign_id,
        to_number=contact.to,
        zones=" ".join(contact.zones),
        variables=dict(contact.variables),
        consent_source=contact.consent_source,
        consent_at_s=contact.consent_at_s,
        state="waiting",
        result="",
        attempts=0,
        news=False,
        next_at_s=next_at_s,
        created_at_s=now_s,
        updated_at_s=now_s,
    )

"""Whether a campaign had better stop: asked when its calls end, and before each of its calls is claimed."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from voxbus.scheduler import core_plan as plan
from voxbus.scheduler.core_carrier import NO_AGENT
from voxbus.scheduler.core_states import FINAL, state_of
from voxbus.scheduler.store.steps import changed
from voxbus.scheduler.tables import Call, Campaign


@dataclass(frozen=True)
class Paused:
    """A campaign that was stopped just now, and why."""

    campaign: str
    reason: str


async def stop(session: AsyncSession, campaign: Campaign, now_s: float) -> Paused | None:
    """Pauses the campaign when too many of its calls failed, or one for want of an agent."""
    if campaign.state != "running":
        return None
    since_s = max(now_s - plan.BREAKER_S, campaign.resumed_at_s)
    of_late = (Call.campaign == campaign.id, Call.updated_at_s > since_s)
    words = await session.scalar(
        select(Call.error).where(*of_late, Call.state == "failed", Call.error_code.in_(NO_AGENT)).limit(1)
    )
    ended = await session.execute(
        select(Call.state, Call.error_code).where(
            *of_late,
            Call.state.in_(FINAL),
            Call.dialled_at_s > 0,
        )
    )
    ends = [plan.Ended(state_of(state), code or state) for state, code in ended]
    reason = plan.breaker(ends) if words is None else plan.without_agent(words)
    if not reason:
        return None
    # Somebody may have paused or canceled it since we read it.
    step = (
        update(Campaign)
        .where(Campaign.id == campaign.id, Campaign.state == "running")
        .values(state="paused", reason=reason, updated_at_s=now_s)
    )
    return Paused(campaign.id, reason) if await changed(session, step) else None

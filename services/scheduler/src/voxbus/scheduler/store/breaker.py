"""Whether a campaign had better stop: asked when its calls end, and before each of its calls is claimed."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from voxbus.scheduler import core_plan as plan
from voxbus.scheduler.core_states import FINAL, state_of
from voxbus.scheduler.store.steps import changed
from voxbus.scheduler.tables import Call, Campaign


@dataclass(frozen=True)
class Paused:
    """A campaign that was stopped just now, and why."""

    campaign: str
    reason: str


async def stop(session: AsyncSession, campaign: Campaign, now_s: float) -> Paused | None:
    """Pauses the campaign when too many of its calls failed."""
    if campaign.state != "running":
        return None
    since_s = max(now_s - plan.BREAKER_S, campaign.resumed_at_s)
    ended = await session.execute(
        select(Call.state, Call.error_code).where(
            Call.campaign == campaign.id,
            Call.updated_at_s > since_s,
            Call.state.in_(FINAL),
            Call.dialled_at_s > 0,
        )
    )
    reason = plan.breaker([plan.Ended(state_of(state), code or state) for state, code in ended])
    if not reason:
        return None
    # Somebody may have paused or canceled it since we read it.
    step = (
        update(Campaign)
        .where(Campaign.id == campaign.id, Campaign.state == "running")
        .values(state="paused", reason=reason, updated_at_s=now_s)
    )
    return Paused(campaign.id, reason) if await changed(session, step) else None

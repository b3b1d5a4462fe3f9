"""One step of a call's life, as every part of the store writes it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, update
from sqlalchemy.ext.asyncio import AsyncSession

from voxbus.scheduler.core_states import SOURCES, State
from voxbus.scheduler.tables import Call, Change


async def enter(
    session: AsyncSession,
    call_id: str,
    new: State,
    now_s: float,
    *conditions: ColumnElement[bool],
    detail: str = "",
    sources: Collection[State] | None = None,
    **values: Any,
) -> bool:
    """Moves the call into ``new`` with its ``values``, if it is in a state that allows it and ``conditions`` hold."""
    statement = (
        update(Call)
        .where(Call.id == call_id, Call.state.in_(sources or SOURCES[new]), *conditions)
        .values(state=new, updated_at_s=now_s, **values)
        .execution_options(synchronize_session=False)
    )
    if await changed(session, statement) == 0:
        return False
    session.add(Change(call_id=call_id, at_s=now_s, state=new, detail=detail))
    return True


async def changed(session: AsyncSession, statement: Any) -> int:
    """How many rows an UPDATE changed."""
    result = await session.execute(statement)
    assert isinstance(result, CursorResult)
    return result.rowcount

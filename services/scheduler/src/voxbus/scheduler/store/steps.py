"""One step of a call's life, as every part of the store writes it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from voxbus.scheduler.core_states import FINAL, SOURCES, State
from voxbus.scheduler.tables import Base, Call, Change, Contact


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
    if new in FINAL:
        await tell_contacts(session, call_id)
    return True


async def tell_contacts(session: AsyncSession, *call_ids: str) -> None:
    """A call has ended, or ended otherwise than it seemed: what follows from it is to be decided."""
    if call_ids:
        statement = update(Contact).where(Contact.call_id.in_(call_ids)).values(news=True)
        await session.execute(statement.execution_options(synchronize_session=False))


async def insert_new(
    session: AsyncSession, rows: Sequence[Base], key: InstrumentedAttribute[str]
) -> set[str]:
    """Inserts those that collide with nothing that is there. Returns the ``key`` of each that is new."""
    if not rows:
        return set()
    postgres = session.get_bind().dialect.name == "postgresql"
    insert = postgresql.insert if postgres else sqlite.insert
    names = [column.key for column in key.table.columns if column.key in vars(rows[0])]
    values = [{name: getattr(row, name) for name in names} for row in rows]
    statement = insert(key.table).on_conflict_do_nothing().returning(key)
    return set(await session.scalars(statement, values))


async def changed(session: AsyncSession, statement: Any) -> int:
    """How many rows an UPDATE changed."""
    result = await session.execute(statement)
    assert isinstance(result, CursorResult)
    return result.rowcount

"""Numbers as they are compared: those of orders and of wishes told in a call were kept as they came."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from voxbus.scheduler.core_numbers import kept_as

revision = "0003"
down_revision = "0002"

_calls = sa.table("calls", sa.column("to_number"))
_list = sa.table("do_not_call", sa.column("number"), sa.column("at_s"))


def upgrade() -> None:
    connection = op.get_bind()
    for number, kept in _to_change(sa.select(_calls.c.to_number).distinct()):
        connection.execute(sa.update(_calls).where(_calls.c.to_number == number).values(to_number=kept))
    # The oldest first: of two rows that are one number its evidence counts.
    for number, kept in _to_change(sa.select(_list.c.number).order_by(_list.c.at_s)):
        twin = connection.execute(sa.select(_list.c.at_s).where(_list.c.number == kept)).first()
        mine = connection.execute(sa.select(_list.c.at_s).where(_list.c.number == number)).one()
        if twin is not None:
            worse = number if twin.at_s <= mine.at_s else kept
            connection.execute(sa.delete(_list).where(_list.c.number == worse))
        connection.execute(sa.update(_list).where(_list.c.number == number).values(number=kept))


def _to_change(query: sa.Select[Any]) -> list[tuple[str, str]]:
    pairs = ((number, _kept(number)) for number in op.get_bind().execute(query).scalars().all())
    return [(number, kept) for number, kept in pairs if number != kept]


def _kept(number: str) -> str:
    try:
        return kept_as(number)
    except ValueError:
        return number


def downgrade() -> None:
    """The older code finds them, too."""

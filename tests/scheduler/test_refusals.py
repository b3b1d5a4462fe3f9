"""The list of those who want no calls, as it comes in."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from voxbus.scheduler.refusals import DoNotCallList
from voxbus.scheduler.store import Refusal, Refusals


class Watched(Refusals):
    """Knows whether anything else came to run before the first row was written."""

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__(engine)
        self.ran_before: list[bool] = []
        self.others = asyncio.Event()

    async def add(self, refusals: Sequence[Refusal]) -> int:
        self.ran_before.append(self.others.is_set())
        return await super().add(refusals)


@pytest.mark.parametrize("is_csv", [True, False])
async def test_others_run_while_a_list_is_read(any_engine: AsyncEngine, is_csv: bool) -> None:
    """Fifty thousand numbers take more than a second, in which jobs would lapse."""
    store = Watched(any_engine)
    body = b"to\n+12125550101\nx\n" if is_csv else b'["+12125550101", "x"]'
    asyncio.get_running_loop().call_soon(store.others.set)
    added, refused = await DoNotCallList(store).take(body, is_csv=is_csv)
    assert (added, len(refused)) == (1, 1)
    assert store.ran_before == [True]

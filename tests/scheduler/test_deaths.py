"""A scheduler dies at each step between an order and its answer; another one goes on from the database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal

import pytest

from voxbus.scheduler import dialler, settle
from voxbus.scheduler.service import Scheduler

if TYPE_CHECKING:
    from tests.scheduler.conftest import Client

    from voxbus.devkit.carrier import RestApi

MakeScheduler = Callable[..., Awaitable[Scheduler]]
ClientOf = Callable[[int], "Client"]
When = Literal["before", "after"]

STEPS: dict[str, Callable[[Scheduler], Any]] = {
    "take": lambda scheduler: scheduler._stores.dispatch,
    "put": lambda scheduler: scheduler._bus.contexts,
    "dialling": lambda scheduler: scheduler._stores.dispatch,
    "create": lambda scheduler: scheduler._carrier,
    "bind": lambda scheduler: scheduler._stores.tracks,
}

#: Between the word that the request leaves and the request: nobody can know that it never left.
NEVER_LEFT = {("dialling", "after"), ("create", "before")}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settle, "SWEEP_S", 0.05)
    monkeypatch.setattr(settle, "_MARGIN_S", 0.3)
    monkeypatch.setattr(dialler, "CLAIM_S", 0.5)


def die_at(scheduler: Scheduler, step: str, when: When) -> asyncio.Event:
    """Lets ``scheduler`` come so far and no further. The event is set when it is there."""
    part = STEPS[step](scheduler)
    go_on = getattr(part, step)
    there = asyncio.Event()

    async def last_step(*args: Any, **kwargs: Any) -> Any:
        if when == "after":
            await go_on(*args, **kwargs)
        there.set()
        await asyncio.Event().wait()

    setattr(part, step, last_step)
    return there


def bury(scheduler: Scheduler) -> None:
    """Nothing of it runs any more, and nothing is put in order: that is what a SIGKILL leaves."""
    assert scheduler._dialler is not None
    for task in (*scheduler._loops, *scheduler._dialler._dialling):
        task.cancel()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
async def test_whatever_step_it_dies_at_the_number_is_dialled_once(
    make_scheduler: MakeScheduler, client_of: ClientOf, carrier_api: RestApi, step: str, when: When
) -> None:
    first = await make_scheduler()
    there = die_at(first, step, when)
    call_id = await client_of(first.port).ordered()
    async with asyncio.timeout(30):
        await there.wait()
    bury(first)
    client = client_of((await make_scheduler(RECONCILE_S="1.5")).port)
    if (step, when) in NEVER_LEFT:
        await client.until(call_id, "unknown")
        assert carrier_api.orders == []
    else:
        view = await client.until(call_id, "placed")
        assert [placed.sid for placed in carrier_api.placed] == [view["callSid"]]
        assert len(carrier_api.orders) == 1

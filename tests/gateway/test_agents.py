"""Which agents others are told of: those that some gateway can start calls with, and no more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from voxbus.common import subjects
from voxbus.common.bus import Bus, BusConfig, ensure
from voxbus.gateway.agents import Catalog

from .conftest import Start

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: Answers come from the same process.
SOON_S = 0.5


@pytest_asyncio.fixture(loop_scope="session")
async def bus() -> AsyncIterator[Bus]:
    """Without the gateway that other tests share, which has all agents."""
    nats = pytest.importorskip("voxbus.devkit.nats_server", reason="the devkit brings the NATS server")
    with nats.nats_server() as server:
        bus = await Bus.connect(BusConfig(url=server.url, name="test"))
        await ensure(bus)
        yield bus
        await bus.close()


def saying(told: bytes, _question: bytes) -> bytes:
    return told


async def restarted(bus: Bus, agents_dir: Path, *others: bytes) -> set[str]:
    """The agents of the bucket after a gateway with these files has looked, beside others that answer so."""
    catalog = Catalog.load(agents_dir, "test_agent")
    answers = [
        await bus.answer(subjects.GATEWAYS, partial(saying, told)) for told in (catalog.told(), *others)
    ]
    await catalog.publish(bus.agents)
    await catalog.tidy(bus, SOON_S)
    for answer in answers:
        await answer.close()
    return set(await bus.agents.keys())


async def test_an_agent_that_was_removed_is_ordered_no_more(bus: Bus, agents_dir: Path) -> None:
    assert {"calling", "test_agent"} <= await restarted(bus, agents_dir)
    (agents_dir / "calling.yaml").unlink()
    left = await restarted(bus, agents_dir)
    assert "calling" not in left
    assert "test_agent" in left


async def test_nor_is_one_that_an_edit_broke(bus: Bus, agents_dir: Path) -> None:
    await restarted(bus, agents_dir)
    (agents_dir / "calling.yaml").write_text("name: [")
    assert "calling" not in await restarted(bus, agents_dir)


@pytest.mark.parametrize("other", [b'["calling"]', b"ready", b"[1]", b"{"])
async def test_what_another_gateway_has_or_may_have_stays(bus: Bus, agents_dir: Path, other: bytes) -> None:
    """While new files are rolled out, and also where the other one is of an older build and cannot tell."""
    await restarted(bus, agents_dir)
    (agents_dir / "calling.yaml").unlink()
    assert "calling" in await restarted(bus, agents_dir, other)


async def test_who_has_no_agents_or_hears_nothing_removes_none(
    bus: Bus, agents_dir: Path, tmp_path: Path
) -> None:
    await restarted(bus, agents_dir)
    (tmp_path / "empty").mkdir()
    assert "calling" in await restarted(bus, tmp_path / "empty")
    (agents_dir / "calling.yaml").unlink()
    await Catalog.load(agents_dir, "test_agent").tidy(bus, SOON_S)  # not even its own answer
    assert "calling" in await bus.agents.keys()


async def test_a_gateway_looks_when_it_starts_and_tells_others(bus: Bus, new_gateway: Start) -> None:
    await bus.agents.put("long_gone", b"{}")
    async with new_gateway():
        async with asyncio.timeout(30):
            while "long_gone" in await bus.agents.keys():
                await asyncio.sleep(0.05)
        told = [answer async for answer in bus.ask_all(subjects.GATEWAYS, b"agents", SOON_S)]
    assert b'["calling", "needy", "test_agent"]' in told

"""Fixtures of every suite: a real NATS server, a bus that is set up on it."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from voxbus.common.agents import Agent, Lines
from voxbus.common.bus import Bus, BusConfig, ensure

if TYPE_CHECKING:
    from voxbus.devkit.nats_server import NatsServer

# The same examples in every run, so that a failure is the change's and not the day's; and no deadlines, because a busy
# machine is no fault. HYPOTHESIS_PROFILE=search looks for examples that nobody has seen yet.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None, max_examples=500)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

_NO_SERVER = "the devkit brings the NATS server"


@pytest.fixture
def nats_server() -> Iterator[NatsServer]:
    """A server of this test alone, to be stopped and started by it."""
    nats = pytest.importorskip("voxbus.devkit.nats_server", reason=_NO_SERVER)
    with nats.nats_server() as server:
        yield server


@pytest.fixture
async def nats_url(nats_server: NatsServer) -> str:
    """A server of this test alone, streams, consumers and buckets set up."""
    setup = await Bus.connect(BusConfig(url=nats_server.url, name="setup"))
    await ensure(setup)
    await setup.close()
    return nats_server.url


@pytest.fixture
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    bus = await Bus.connect(BusConfig(url=nats_url, name="test"))
    yield bus
    await bus.close()


@pytest.fixture
def new_sid() -> Callable[[], str]:
    return lambda: "CA" + secrets.token_hex(16)


@pytest.fixture
def sid(new_sid: Callable[[], str]) -> str:
    return new_sid()


@pytest.fixture
def agent() -> Agent:
    return Agent(name="test_agent", prompt="You are a test.", lines=Lines(greeting="Hello there."))

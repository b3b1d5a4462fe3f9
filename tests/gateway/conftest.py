"""A whole gateway in the test's loop: real sockets, a real NATS server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import pytest_asyncio
import uvloop

from voxbus.common.bus import Bus, BusConfig, ensure
from voxbus.common.events import Stored
from voxbus.gateway.service import Gateway
from voxbus.gateway.settings import GatewaySettings

from .twilio import AUTH_TOKEN, SECRET, Running, Workers

if TYPE_CHECKING:
    from voxbus.devkit.nats_server import NatsServer

AGENT_FILE = """
name: test_agent
prompt: You are a test of {business}.
variables: {business: Acme}
lines:
  greeting: Hello, {business} speaking.
  fallback: I lost my train of thought.
  no_capacity: All our lines are busy.
  fillers: [One moment.]
transfer_targets: {desk: "+15550100"}
"""
NEEDY_FILE = """
name: needy
prompt: You call {customer}.
lines: {greeting: "Hello {customer}."}
"""
CALLING_FILE = """
name: calling
prompt: You call people.
lines: {greeting: Hello., voicemail: Please call back.}
machine_detection: leave_message
"""


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that the gateway really runs on; its transports are not asyncio's."""
    return {"uvloop": uvloop.new_event_loop}


Start = Callable[..., AbstractAsyncContextManager[Running]]


@pytest.fixture(scope="session")
def nats_server() -> Iterator[NatsServer]:
    """One for all: every test has calls of its own, and starting a server takes longer than most of them."""
    nats = pytest.importorskip("voxbus.devkit.nats_server", reason="the devkit brings the NATS server")
    with nats.nats_server() as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def bus(nats_server: NatsServer) -> AsyncIterator[Bus]:
    bus = await Bus.connect(BusConfig(url=nats_server.url, name="test"))
    await ensure(bus)
    yield bus
    await bus.close()


@pytest.fixture
def agents_dir(tmp_path: Path) -> Path:
    return write_agents(tmp_path)


def write_agents(directory: Path) -> Path:
    (directory / "test_agent.yaml").write_text(AGENT_FILE)
    (directory / "needy.yaml").write_text(NEEDY_FILE)
    (directory / "calling.yaml").write_text(CALLING_FILE)
    return directory


@asynccontextmanager
async def serve(bus: Bus, agents_dir: Path, **settings: Any) -> AsyncIterator[Running]:
    defaults: dict[str, Any] = {
        "gateway_port": 0,
        "twilio_auth_token": AUTH_TOKEN,
        "internal_secret": SECRET,
        "agents_dir": agents_dir,
        "persona": "test_agent",
        "drain_seconds": 0.5,
    }
    gateway = Gateway(GatewaySettings(**(defaults | settings)), bus)
    await gateway.start()
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        running = Running(gateway, bus, http)
        yield running
        await running.hang_up()
        if not running.drained:
            await gateway.drain()


@pytest.fixture
def new_gateway(agents_dir: Path, bus: Bus) -> Start:
    """``async with new_gateway(**settings) as running``: drained at the end."""
    return partial(serve, bus, agents_dir)


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def shared_gateway(tmp_path_factory: pytest.TempPathFactory, bus: Bus) -> AsyncIterator[Running]:
    async with serve(bus, write_agents(tmp_path_factory.mktemp("agents"))) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def gateway(shared_gateway: Running) -> AsyncIterator[Running]:
    """One for all tests that leave it as it was; the calls of each end with it."""
    yield shared_gateway
    await shared_gateway.hang_up()


@pytest.fixture
def workers(bus: Bus) -> Callable[[str], Workers]:
    return lambda sid: Workers(bus, sid)


@pytest.fixture
def stored() -> Callable[..., list[Stored]]:
    """Events as a log: one second apart, from Unix time 1000."""
    return lambda *events: [Stored(i, 1000.0 + i, event) for i, event in enumerate(events, 1)]

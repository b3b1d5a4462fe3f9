"""Three servers, three replicas: a log is read whole through a server that is behind the one that stored it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from voxbus.common import subjects
from voxbus.common.bus import Bus, BusConfig, Placement
from voxbus.common.bus.__main__ import set_up
from voxbus.common.errors import LogIncomplete
from voxbus.common.events import HangupRequested, Stored

nats = pytest.importorskip("voxbus.devkit.nats_server", reason="the devkit brings the NATS server")

if TYPE_CHECKING:
    from voxbus.devkit.nats_server import NatsServer

NAMES = ("one", "two", "three")
#: A follower begins to answer some seconds after it was made, and is behind in one of ten rounds of 15 ms.
ROUNDS = 400
TIMES_BEHIND = 5


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[dict[str, NatsServer]]:
    """By name. A port may be taken by another process before the server has it: then all get others."""
    for _ in range(5):
        with contextlib.ExitStack() as stack:
            servers = {}
            ports = _free_ports()
            try:
                for name, port in zip(NAMES, ports, strict=True):
                    servers[name] = nats.NatsServer(
                        tmp_path / f"{name}-{port}", config=_config(tmp_path, name, port, ports)
                    )
                    stack.callback(servers[name].stop)
                    servers[name].start()
            except nats.NatsServerError:
                continue
            yield servers
            return
    pytest.fail("no cluster comes up")


def _free_ports() -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in NAMES]
        return [one.getsockname()[1] for one in sockets]


def _config(folder: Path, name: str, port: int, ports: list[int]) -> Path:
    routes = ", ".join(f'"nats://127.0.0.1:{other}"' for other in ports)
    path = folder / f"{name}-{port}.conf"
    path.write_text(
        f'server_name: {name}\ncluster {{ name: c, listen: "127.0.0.1:{port}", routes: [{routes}] }}\n'
    )
    return path


@pytest.fixture
async def buses(cluster: dict[str, NatsServer]) -> AsyncIterator[dict[str, Bus]]:
    """A bus at each server."""
    url = ",".join(server.url for server in cluster.values())
    await set_up(BusConfig(url=url), Placement(replicas=3), patience_s=60)
    buses = {name: await Bus.connect(BusConfig(url=server.url)) for name, server in cluster.items()}
    yield buses
    for bus in buses.values():
        await bus.close()


async def test_a_log_is_read_whole_through_a_server_that_is_behind(
    cluster: dict[str, NatsServer], buses: dict[str, Bus], new_sid: Callable[[], str]
) -> None:
    info = await buses["one"].control.jetstream().stream_info("CALLS")
    assert info.config.num_replicas == 3
    assert info.cluster is not None
    follower = next(name for name in NAMES if name != info.cluster.leader)
    other = next(name for name in NAMES if name != follower)
    behind = 0
    for _ in range(ROUNDS):
        sid = new_sid()
        cluster[follower].signal(signal.SIGSTOP)
        for turn in range(3):
            last = await buses[other].append(HangupRequested(call=sid, turn=turn, reason="r"))
        # Both wait at its socket when it goes on.
        seen = asyncio.create_task(_once(buses[follower], sid, last))
        reading = asyncio.create_task(_whole(buses[follower], sid, last))
        await asyncio.sleep(0.01)
        cluster[follower].signal(signal.SIGCONT)
        assert [stored.event.key() for stored in await reading] == ["0.0", "1.0", "2.0"]
        behind += len(await seen) < 3
        if behind == TIMES_BEHIND:
            break


async def _once(bus: Bus, sid: str, through: int) -> list[Stored]:
    """What is answered to one question."""
    return await bus.log._multi_last(subjects.stream_of(sid), [subjects.events_of(sid)], through)


async def _whole(bus: Bus, sid: str, through: int) -> list[Stored]:
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(LogIncomplete):  # the machine is busy
                return await bus.read_log(sid, through=through)

"""A scheduler on a real bus and a real database, before a simulated carrier."""

from __future__ import annotations

import asyncio
import getpass
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from voxbus.common import subjects
from voxbus.common.agents import Agent, Lines
from voxbus.common.bus import Bus, BusConfig, ensure
from voxbus.common.providers.tls import context
from voxbus.scheduler import database
from voxbus.scheduler.service import Scheduler
from voxbus.scheduler.settings import SchedulerSettings

if TYPE_CHECKING:
    from voxbus.devkit.carrier import Exchange, RestApi

SECRET = "a secret of the api"
SHARED = "new-shared,old-shared"
OURS = "+15550100002"

_SIMULATOR = "the devkit brings the carrier simulator"


@pytest.fixture(scope="session")
def shared_nats_url() -> Iterator[str]:
    nats = pytest.importorskip("voxbus.devkit.nats_server", reason="the devkit brings the NATS server")

    async def set_up(url: str) -> None:
        bus = await Bus.connect(BusConfig(url=url, name="setup"))
        await ensure(bus)
        await bus.close()

    with nats.nats_server() as server:
        asyncio.run(set_up(server.url))
        yield server.url


@pytest.fixture
def nats_url(shared_nats_url: str) -> str:
    """One server for all: the events of other tests' calls are nobody's, and a new server takes half a second."""
    return shared_nats_url


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A PostgreSQL server of this run, where one is installed; its URL without a database."""
    found = shutil.which("initdb") or next(
        iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))), None
    )
    if found is None:
        pytest.skip("no PostgreSQL is installed")
    bin_dir = Path(found).resolve().parent
    user = getpass.getuser()
    # It refuses to run as root, and leaves behind a user of its own for that.
    as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if user == "root" else []
    with tempfile.TemporaryDirectory(prefix="voxbus-pg-") as directory:
        if as_user:
            shutil.chown(directory, "postgres", "postgres")
        data = f"{directory}/data"
        run = subprocess.run(
            [*as_user, str(bin_dir / "initdb"), "-D", data, "-U", "voxbus", "-A", "trust", "--no-sync"],
            capture_output=True,
            cwd=directory,
            check=False,
        )
        if run.returncode != 0:
            pytest.skip(f"no PostgreSQL here: {run.stderr.decode()[-200:]}")
        command = [*as_user, str(bin_dir / "postgres"), "-D", data, "-k", directory]
        server, port = _start(command, directory)
        try:
            yield f"postgresql://voxbus@127.0.0.1:{port}"
        finally:
            server.send_signal(signal.SIGINT)  # SIGTERM would wait for every connection
            server.wait(20)


def _start(command: list[str], directory: str) -> tuple[subprocess.Popen[bytes], int]:
    """The server and its port, which it cannot choose itself: another program may be faster to take it."""
    log = Path(directory, "log")
    settings = ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
    for _ in range(3):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        with log.open("wb") as file:
            server = subprocess.Popen(
                [*command, *settings, "-p", str(port)], stdout=file, stderr=file, cwd=directory
            )
        until_s = time.monotonic() + 60
        while server.poll() is None and time.monotonic() < until_s:
            if b"ready to accept connections" in log.read_bytes():
                return server, port
            time.sleep(0.05)
        server.kill()
    pytest.fail(f"PostgreSQL did not start: {log.read_text()[-500:]}")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.lasting)])
async def any_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/scheduler.db"
    return await _new_database(request.getfixturevalue("postgres"))


@pytest.fixture
async def postgresql_url(postgres: str) -> str:
    """An empty database that several schedulers may share."""
    return await _new_database(postgres)


async def _new_database(server: str) -> str:
    name = f"t{os.urandom(6).hex()}"
    engine = database.connect(database.url_of(f"{server}/postgres"))
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text(f"CREATE DATABASE {name}"))
    await engine.dispose()
    return f"{server}/{name}"


@pytest.fixture
async def any_engine(any_database_url: str, migrated: Path) -> AsyncIterator[AsyncEngine]:
    url = database.url_of(any_database_url)
    if url.get_backend_name() == "sqlite":
        shutil.copy(migrated, str(url.database))
    engine = database.connect(url)
    await database.migrate(engine)
    yield engine
    await engine.dispose()


@pytest.fixture(scope="session")
def workers(shared_nats_url: str) -> Iterator[None]:
    """STT, LLM and TTS say that they have room, in a thread of their own. They never do anything."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def say_so() -> Bus:
        bus = await Bus.connect(BusConfig(url=shared_nats_url, name="workers"))
        for worker in subjects.WORKERS:
            await bus.answer(subjects.capacity(worker), lambda _: b"1000")
        return bus

    bus = asyncio.run_coroutine_threadsafe(say_so(), loop).result(30)
    yield
    asyncio.run_coroutine_threadsafe(bus.close(), loop).result(30)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(30)


@pytest.fixture
def agent() -> Agent:
    return Agent(
        name="reminder",
        prompt="You remind {name} of {day}.",
        lines=Lines(greeting="Hello {name}."),
        variables={"day": "Monday"},
    )


@pytest.fixture
async def exchange() -> AsyncIterator[Exchange]:
    """Calls that are ordered from it exist, and nothing rings."""
    carrier = pytest.importorskip("voxbus.devkit.carrier", reason=_SIMULATOR)
    async with carrier.Exchange(auth_token="token", put_through=False) as exchange:
        yield exchange


@pytest.fixture
async def carrier_api(exchange: Exchange) -> AsyncIterator[RestApi]:
    carrier = pytest.importorskip("voxbus.devkit.carrier", reason=_SIMULATOR)
    async with carrier.RestApi(exchange, own_numbers=frozenset({OURS})) as api:
        yield api


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with nothing in it but the schema, to be copied: making it takes longer than most tests."""

    async def make(url: str) -> None:
        engine = database.connect(database.url_of(url))
        await database.migrate(engine)
        await engine.dispose()

    path = tmp_path_factory.mktemp("migrated") / "scheduler.db"
    asyncio.run(make(f"sqlite:///{path}"))
    return path


@pytest.fixture
def environment(
    carrier_api: RestApi, exchange: Exchange, nats_url: str, tmp_path: Path, migrated: Path, workers: None
) -> dict[str, str]:
    """What a scheduler's process reads."""
    return {
        "NATS_URL": nats_url,
        "DATABASE_URL": f"sqlite:///{shutil.copy(migrated, tmp_path)}",
        "SCHEDULER_PORT": "0",
        "SCHEDULER_SECRET": SECRET,
        "AGENT_SHARED_SECRET": SHARED,
        "PUBLIC_URL": "https://voxbus.example",
        "TWILIO_ACCOUNT_SID": exchange.account_sid,
        "TWILIO_AUTH_TOKEN": exchange.auth_token,
        "TWILIO_FROM_NUMBER": OURS,
        "TWILIO_API_URL": carrier_api.url,
        "CALLS_PER_SECOND": "100",
        "CALLS_IN_AIR": "1000",
        "CARRIER_TIMEOUT_S": "2",
    }


MakeScheduler = Callable[..., Awaitable[Scheduler]]


@pytest.fixture
async def make_scheduler(environment: dict[str, str], bus: Bus, agent: Agent) -> AsyncIterator[MakeScheduler]:
    """A running scheduler, ``changes`` to its environment made; an empty value takes a variable away."""
    made: list[tuple[Scheduler, Bus]] = []
    await bus.agents.put(agent.name, agent.model_dump_json().encode())

    async def make(**changes: str) -> Scheduler:
        values = {name.lower(): value for name, value in (environment | changes).items() if value}
        own_bus = await Bus.connect(BusConfig(url=environment["NATS_URL"], name="scheduler"))
        one = Scheduler(SchedulerSettings.model_validate(values), own_bus)
        made.append((one, own_bus))
        await one.start()
        return one

    yield make
    for one, own_bus in made:
        await one.drain()
        await own_bus.close()


_NUMBERS = itertools.count(1000)


class Client:
    """Asks a scheduler's API, as whoever knows its secret."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def order(self, key: str | None = None, **fields: Any) -> httpx.Response:
        body = {"agent": "reminder", "variables": {"name": "Ann"}} | fields
        # A number is rung by one call at a time, so each call has its own.
        body.setdefault("to", f"+1555010{next(_NUMBERS):04d}")
        headers = {"idempotency-key": key} if key is not None else {}
        return await self.http.post("/v1/calls", json=body, headers=headers)

    async def ordered(self, **fields: Any) -> str:
        """The id of a new call."""
        answer = await self.order(**fields)
        assert answer.status_code == 202, answer.text
        call_id: str = answer.json()["id"]
        return call_id

    async def call(self, call_id: str) -> dict[str, object]:
        answer = await self.http.get(f"/v1/calls/{call_id}")
        assert answer.status_code == 200, answer.text
        view: dict[str, object] = answer.json()
        return view

    async def until(self, call_id: str, *states: str, timeout_s: float = 30.0) -> dict[str, object]:
        async with asyncio.timeout(timeout_s):
            while (view := await self.call(call_id))["state"] not in states:
                await asyncio.sleep(0.1)
        return view

    async def time_of(self, call_id: str, state: str) -> str:
        history = (await self.call(call_id))["history"]
        assert isinstance(history, list)
        return next(str(step["at"]) for step in history if step["state"] == state)

    async def history(self, call_id: str) -> list[str]:
        history = (await self.call(call_id))["history"]
        assert isinstance(history, list)
        return [step["state"] for step in history]


@pytest.fixture
async def scheduler(make_scheduler: MakeScheduler) -> Scheduler:
    return await make_scheduler()


@pytest.fixture
async def client_of() -> AsyncIterator[Callable[[int], Client]]:
    clients: list[httpx.AsyncClient] = []

    def make(port: int) -> Client:
        headers = {"authorization": f"Bearer {SECRET}"}
        http = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}",
            headers=headers,
            trust_env=False,
            verify=context(),
            timeout=30,
        )
        clients.append(http)
        return Client(http)

    yield make
    for http in clients:
        await http.aclose()


@pytest.fixture
def client(scheduler: Scheduler, client_of: Callable[[int], Client]) -> Client:
    return client_of(scheduler.port)


class Child:
    """A process of a service."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[dict[str, object]] = []
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.lines.append(json.loads(line))

    async def port(self) -> int:
        async with asyncio.timeout(30):
            while True:
                for line in self.lines:
                    if line["message"] == "listening":
                        return int(str(line["port"]))
                if self.process.returncode is not None:
                    pytest.fail(f"it ended with {self.process.returncode}: {self.lines[-3:]}")
                await asyncio.sleep(0.1)

    async def kill(self) -> None:
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGKILL)
        await self.process.wait()
        await self._reading


Spawn = Callable[..., Awaitable[Child]]


@pytest.fixture
async def spawn(environment: dict[str, str], bus: Bus, agent: Agent) -> AsyncIterator[Spawn]:
    children: list[Child] = []
    await bus.agents.put(agent.name, agent.model_dump_json().encode())

    async def start(service: str = "scheduler", **changes: str) -> Child:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            f"voxbus.{service}",
            env={**os.environ, **environment, **changes},
            stderr=asyncio.subprocess.PIPE,
        )
        child = Child(process)
        children.append(child)
        return child

    yield start
    for child in children:
        await child.kill()

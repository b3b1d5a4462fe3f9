"""All of voxbus on this machine: a NATS server and as many processes of each service as wanted.

async with Stack(counts={"llm": 2}, env={"TWILIO_VALIDATE": "off"}) as stack:
    stack.gateway_url
    stack.kill("llm-0")
    await stack.restart("llm-0")
"""

from __future__ import annotations

import asyncio
import dataclasses
import fcntl
import os
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from voxbus.common.bus import BusConfig, bus_config
from voxbus.common.bus.__main__ import set_up
from voxbus.common.settings import ServiceSettings, load
from voxbus.common.subjects import inbox_of
from voxbus.common.trust.files import key_file, write
from voxbus.common.trust.rights import OPERATOR, SETUP
from voxbus.devkit.children import Child, ChildFailed, OnLine
from voxbus.devkit.nats_server import NatsServer
from voxbus.devkit.own_variables import own

SERVICES = ("reporter", "stt", "llm", "tts", "gateway", "scheduler")
#: How they are stopped: first no call is placed or answered any more, and what became of them is told last.
_STOPPED = (("scheduler", "gateway"), ("stt", "llm", "tts"), ("reporter",))

#: What a service listens on for others, and the variable of the port.
PORTS = {"gateway": "GATEWAY_PORT", "scheduler": "SCHEDULER_PORT"}

#: Made at random for a stack that is given none.
SECRETS = ("SCHEDULER_SECRET", "AGENT_SHARED_SECRET", "INTERNAL_SECRET")

#: How our own environment may say to log in at another server than ours.
_LOGIN = ("NATS_USER", "NATS_PASSWORD", "NATS_TLS_CA_FILE", "NATS_TLS_CERT_FILE", "NATS_TLS_KEY_FILE")

#: Where the logins of a run are, in its directory; and the directory of ``voxbus up``.
KEYS = "keys"
UP_DIRECTORY = Path("var/up")

#: Models are loaded before a service calls itself ready; on a busy machine that takes its time.
READY_S = 60.0

#: A little more than what a service allows itself (``DRAIN_SECONDS``).
STOP_S = 25.0


def database_in(directory: Path) -> str:
    """The URL of the scheduler's database of a stack that is given none."""
    return f"sqlite:///{directory / 'scheduler.db'}"


class Stack:
    """``counts``: processes of each service, one where nothing is said, 0 for none. ``env``: on top of our
    own environment; ``env_of`` for one service alone. Of the first two none is given what only others read. Logs, the
    scheduler's database and the store of NATS go to ``directory``, else to a temporary one that is gone afterwards.
    ``nats_url``: a server that runs already, which the services log in to as our environment says; else ours listens on
    ``nats_port``, -1 = a free one, and each service has a login of its own, made for this run. ``on_line(name, line)``
    gets every line of every log.

    What ties the services together is the stack's own unless ``env`` says it: ports (free ones), the secrets
    ``SECRETS``, the database, and where reports go, which is the first scheduler. Our own environment may be
    somebody's real one, whose backend wants no reports of tests.
    """

    def __init__(
        self,
        *,
        counts: Mapping[str, int] | None = None,
        env: Mapping[str, str] | None = None,
        env_of: Mapping[str, Mapping[str, str]] | None = None,
        directory: Path | None = None,
        nats_url: str = "",
        nats_port: int = -1,
        on_line: OnLine | None = None,
    ) -> None:
        unknown = set(counts or {}) | set(env_of or {})
        if unknown - set(SERVICES):
            raise ValueError(f"no such service: {', '.join(sorted(unknown - set(SERVICES)))}")
        self._counts = dict.fromkeys(SERVICES, 1) | dict(counts or {})
        self._env = {name: secrets.token_urlsafe(24) for name in SECRETS} | dict(env or {})
        self._env_of = env_of or {}
        self._on_line = on_line
        self._temporary = None if directory else tempfile.TemporaryDirectory(prefix="voxbus-")
        self.directory = directory or Path(self._temporary.name if self._temporary else "")
        self._nats_url = nats_url
        self._keys = self.directory / KEYS
        config = self._keys / "nats" / "nats.conf"
        self.nats = NatsServer(self.directory / "nats", port=nats_port, config=config)
        self.children: dict[str, Child] = {}
        self._ports: dict[str, int] = {}

    @property
    def nats_url(self) -> str:
        return self._nats_url or self.nats.url

    @property
    def gateway_url(self) -> str:
        """The first gateway, as its own machine reaches it."""
        return self.url_of("gateway-0")

    @property
    def scheduler_url(self) -> str:
        """Where calls are ordered."""
        return self.url_of("scheduler-0")

    @property
    def gateway_urls(self) -> tuple[str, ...]:
        return tuple(self.url_of(name) for name in self.names("gateway"))

    def bus_config(self, name: str, login: str = OPERATOR) -> BusConfig:
        """For a connection beside those of the services; ``login``: one of ``voxbus.common.trust.rights``."""
        if self._nats_url:
            return dataclasses.replace(bus_config(load(ServiceSettings), login, name), url=self._nats_url)
        return BusConfig(
            url=self.nats.url,
            name=name,
            nkey_file=key_file(self._keys, login),
            inbox_prefix=inbox_of(login),
        )

    def secret(self, name: str) -> str:
        """One of ``SECRETS``, as the services have it."""
        return self._env[name]

    def url_of(self, name: str) -> str:
        return f"http://127.0.0.1:{self.children[name].port('http_port')}"

    def names(self, service: str) -> list[str]:
        """The processes of a service, dead ones included: ``llm-0``, ``llm-1``..."""
        return [name for name in self.children if name.rpartition("-")[0] == service]

    async def __aenter__(self) -> Stack:
        self.directory.mkdir(parents=True, exist_ok=True)
        self._claim()
        try:
            if not self._nats_url:
                await self._start_nats()
            # Together: most of the time goes into imports and models, and there is more than one core.
            others = (self._start_all(name) for name in SERVICES if name not in ("scheduler", "reporter"))
            await asyncio.gather(self._start_office(), *others)
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self, service: str) -> Child:
        """One more process of ``service``. Returns when it is ready; raises ChildFailed."""
        return await self._launch(f"{service}-{len(self.names(service))}")

    async def restart(self, name: str) -> Child:
        """A process in the place of one that ended, or that is stopped now. It listens where that one did."""
        await self.children[name].stop(STOP_S)
        return await self._launch(name)

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Sends a signal to one process, without waiting for what comes of it."""
        self.children[name].signal(number)

    async def stop(self) -> None:
        """Drains everything, gateways first and NATS last. Nothing is left behind."""
        for services in _STOPPED:
            names = [name for service in services for name in self.names(service)]
            await asyncio.gather(*(self.children[name].stop(STOP_S) for name in names))
        self.nats.stop()
        shutil.rmtree(self._keys, ignore_errors=True)
        self._claimed.close()
        if self._temporary is not None:
            self._temporary.cleanup()

    def _claim(self) -> None:
        """The store, the keys and the logs are of one run: a second one would take them from under the first."""
        self._claimed = (self.directory / "lock").open("w")
        try:
            fcntl.flock(self._claimed, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._claimed.close()
            raise ChildFailed(f"voxbus runs already with {self.directory}: end that one first") from None

    async def _start_nats(self) -> None:
        self._keys.mkdir(mode=0o700, exist_ok=True)
        write(self._keys)
        self.nats.start()
        await set_up(self.bus_config("setup", SETUP))

    async def _start_office(self) -> None:
        await self._start_all("scheduler")
        await self._start_all("reporter")  # which is told where the scheduler listens

    async def _start_all(self, service: str) -> None:
        await asyncio.gather(*(self.start(service) for _ in range(self._counts[service])))

    async def _launch(self, name: str) -> Child:
        service = name.rpartition("-")[0]
        child = Child(
            name,
            [sys.executable, "-m", f"voxbus.{service}"],
            self._environment(name),
            self.directory / f"{name}.log",
            self._on_line,
        )
        self.children[name] = child
        await child.start()
        await child.ready(READY_S)
        if service in PORTS:
            self._ports[name] = child.port("http_port")
        return child

    def _environment(self, name: str) -> dict[str, str]:
        service, _, number = name.rpartition("-")
        scheduler = self._ports.get("scheduler-0")
        ours = {
            "NATS_URL": self.nats_url,
            "LOG_FORMAT": "json",
            "METRICS_PORT": "0",
            "DATABASE_URL": database_in(self.directory),
            "API_URL": f"http://127.0.0.1:{scheduler}" if scheduler else "",
        }
        if not self._nats_url:
            ours |= dict.fromkeys(_LOGIN, "") | {"NATS_NKEY_FILE": str(key_file(self._keys, service))}
        asked = own(service, self._env) | dict(self._env_of.get(service, {}))
        if service in PORTS:
            port = asked.get(PORTS[service], "0") if number == "0" else "0"  # two cannot listen on one
            asked[PORTS[service]] = str(self._ports.get(name, port))
        return {**own(service, os.environ), **own(service, ours), **asked}


__all__ = ["SECRETS", "SERVICES", "ChildFailed", "Stack"]

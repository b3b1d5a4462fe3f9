"""The compose file, really run: a project of its own beside whatever else the engine has, on free ports."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LOGS = ROOT / "var" / "compose"

#: What the images are built from, and what runs beside them. Where no registry has one, a Dockerfile here may.
BASES = (
    "python:3.13-slim",
    "ghcr.io/astral-sh/uv:latest",
    "nats:2-alpine",
    "caddy:2.11-alpine",
    "postgres:17-alpine",
)
_STAND_INS = Path(__file__).parent / "stand_ins"

#: Of each, of ours; the bounded steps of a run are some of these long.
STEP_S = 240


class EngineFailed(Exception):
    """With what the engine said last."""


class Missing(Exception):
    """A base image that is not here, cannot be pulled, and has no stand-in."""


def docker(*command: str, environment: Mapping[str, str] | None = None, within_s: float = STEP_S) -> str:
    """What it says on stdout. Raises EngineFailed, also when it takes longer."""
    return _run(("docker", *command), environment or {}, within_s)


def _run(command: Sequence[str], environment: Mapping[str, str], within_s: float) -> str:
    # Nothing of ours that a compose file could read: whoever runs this may have keys in the environment.
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME") or "DOCKER" in name}
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=kept | dict(environment),
            capture_output=True,
            text=True,
            timeout=within_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise EngineFailed(f"{' '.join(command)}: not done after {within_s:g} s") from None
    if done.returncode != 0:
        raise EngineFailed(f"{' '.join(command)}: {done.stderr[-3000:] or done.stdout[-3000:]}")
    return done.stdout


def have_bases() -> None:
    """Raises Missing, and EngineFailed where no engine answers."""
    docker("version")
    for image in BASES:
        try:
            docker("image", "inspect", image)
            continue
        except EngineFailed:
            pass
        recipe = _STAND_INS / f"{image.partition(':')[0]}.Dockerfile"
        try:
            docker("pull", "-q", image, within_s=STEP_S)
        except EngineFailed as error:
            if not recipe.exists():
                raise Missing(f"{image} is not here and cannot be pulled") from error
            docker("build", "-q", "-t", image, "-f", str(recipe), str(_STAND_INS))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@dataclass
class Project:
    """``settings``: what .env would say; a file of them instead with ``env_file``."""

    name: str = field(default_factory=lambda: f"voxbus-test-{secrets.token_hex(3)}")
    gateway_port: int = field(default_factory=free_port)
    scheduler_port: int = field(default_factory=free_port)
    env_file: str = "/dev/null"
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.gateway_port}"

    @property
    def scheduler_url(self) -> str:
        return f"http://127.0.0.1:{self.scheduler_port}"

    def compose(
        self, *command: str, within_s: float = STEP_S, settings: Mapping[str, str] | None = None
    ) -> str:
        return docker("compose", *self._options, *command, environment=self._env(settings), within_s=within_s)

    def replace(self, service: str, settings: Mapping[str, str]) -> None:
        """As deploy/replace does."""
        _run(("deploy/replace", *self._options, service), self._env(settings), STEP_S)

    @property
    def _options(self) -> tuple[str, ...]:
        return ("-p", self.name, "--env-file", self.env_file)

    def _env(self, settings: Mapping[str, str] | None) -> dict[str, str]:
        ports = {"GATEWAY_PORT": str(self.gateway_port), "SCHEDULER_PORT": str(self.scheduler_port)}
        return {"VOXBUS_TAG": "test", **ports, **self.settings, **(settings or {})}

    async def composing(self, *command: str, **settings: str) -> str:
        """The same, while calls last."""
        return await asyncio.to_thread(lambda: self.compose(*command, settings=settings))

    def containers(self, service: str) -> list[str]:
        """The ids of those that run."""
        return self.compose("ps", "-q", "--status", "running", service).split()

    def names(self, service: str) -> set[str]:
        """Their names, which end in a number each."""
        return set(self.compose("ps", "--format", "{{.Name}}", service).split())

    def states(self) -> dict[str, set[str]]:
        """Of each service, how its containers are: ``healthy``, or what else."""
        found: dict[str, set[str]] = {}
        for line in self.compose("ps", "--all", "--format", "json").splitlines():
            one: dict[str, Any] = json.loads(line)
            found.setdefault(one["Service"], set()).add(one["Health"] or f"{one['State']} {one['ExitCode']}")
        return found

    def read(self, service: str, path: str) -> str:
        """A file of a container."""
        return self.compose("exec", "-T", service, "cat", path)

    def memory_mb(self) -> dict[str, float]:
        """What each container holds."""
        ids = self.compose("ps", "-q").split()
        lines = docker("stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}", *ids).splitlines()
        units = {"KiB": 1 / 1024, "MiB": 1.0, "GiB": 1024.0}
        found = {}
        for name, amount in (line.split()[:2] for line in lines):
            found[name.removeprefix(f"{self.name}-")] = float(amount[:-3]) * units[amount[-3:]]
        return found

    def keep_logs(self) -> Path:
        LOGS.mkdir(parents=True, exist_ok=True)
        path = LOGS / f"{time.strftime('%Y%m%d-%H%M%S')}.log"
        path.write_text(self.compose("logs", "--no-color", "--timestamps"))
        return path

    def remove(self) -> None:
        self.compose("--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout", "5")

"""Kills one process after another, and starts each again, as an orchestrator would."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable

from voxbus.devkit.chaos.core_schedule import Schedule
from voxbus.devkit.chaos.facts import Death
from voxbus.devkit.stack import Stack

NATS = "nats"


class Killer:
    """``number``: the signal. ``down_s``: how long a process is gone before its successor is started.
    ``held(service, pid)``: the calls in a process's hands. ``tell`` is called with each death as it happens.

    The last process of a service that has several is never killed: who has only one left has another problem.
    """

    def __init__(
        self,
        stack: Stack,
        schedule: Schedule,
        down_s: float,
        number: signal.Signals,
        held: Callable[[str, int], tuple[str, ...]],
        tell: Callable[[Death], None],
    ) -> None:
        self._stack = stack
        self._schedule = schedule
        self._down_s = down_s
        self._number = number
        self._held = held
        self._tell = tell
        self._down: set[str] = set()
        self._restarts: set[asyncio.Task[None]] = set()
        self.deaths: list[Death] = []

    async def run(self, until_s: float) -> None:
        """Returns at ``until_s`` (Unix time), and once everybody is back. Raises ChildFailed."""
        while True:
            pause_s = self._schedule.pause_s()
            if time.time() + pause_s >= until_s:
                break
            await asyncio.sleep(pause_s)
            self._kill_one()
        await asyncio.gather(*self._restarts)

    def _kill_one(self) -> None:
        service = self._schedule.service()
        names = [NATS] if service == NATS else self._stack.names(service)
        alive = [name for name in names if name not in self._down]
        if not alive or (len(names) > 1 and len(alive) == 1):
            return
        name = self._schedule.one_of(alive)
        pid = self._stack.nats.pid if service == NATS else self._stack.children[name].pid
        death = Death(service, name, pid, time.time(), held=self._held(service, pid))
        self.deaths.append(death)
        self._down.add(name)
        restart = asyncio.create_task(self._replace(death), name=f"replace {name}")
        self._restarts.add(restart)
        self._tell(death)

    async def _replace(self, death: Death) -> None:
        if death.service == NATS:
            await self._stack.nats.restart(self._number, self._down_s)
        else:
            self._stack.kill(death.name, self._number)
            await self._stack.children[death.name].wait()
            await asyncio.sleep(self._down_s)
            await self._stack.restart(death.name)
        death.back_s = time.time()
        self._down.discard(death.name)

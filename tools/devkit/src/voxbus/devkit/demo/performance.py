"""One scripted call against a running stack: who speaks, who is killed, and what is left of it afterwards."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from voxbus.common.bus import Bus
from voxbus.common.events import Ended, Stored
from voxbus.devkit.caller import Caller, ScriptFailed
from voxbus.devkit.carrier import CallPlan, Carrier
from voxbus.devkit.demo.console import LiveTranscript
from voxbus.devkit.demo.facts import CarrierFacts, Kill, Moment, facts_of
from voxbus.devkit.demo.kills import Killer, busy_llm
from voxbus.devkit.demo.listen import Speakers
from voxbus.devkit.demo.script import Lines, perform
from voxbus.devkit.stack import Stack

_ENDED_WITHIN_S = 5.0


@dataclass(frozen=True)
class Outcome:
    """``problem``: why the script could not go on, empty when it came to its end."""

    log: list[Stored]
    facts: CarrierFacts
    kills: tuple[Kill, ...]
    problem: str


@dataclass
class Performance:
    """``print_line`` shows the transcript while the call lasts. ``run`` once."""

    stack: Stack
    bus: Bus
    live: LiveTranscript
    print_line: Callable[[str], None]
    speakers: Speakers | None = None
    kills: list[Kill] = field(default_factory=list)

    async def run(
        self, plan: CallPlan, lines: Lines, moments: Mapping[int, Moment], recording: Path
    ) -> Outcome:
        """Writes the recording to ``recording``, however the call went."""
        self._ended = asyncio.Event()
        self._restarts: list[asyncio.Task[None]] = []

        caller = Caller(lambda caller: perform(caller, lines))
        problem = ""
        async with Carrier() as carrier, httpx.AsyncClient(trust_env=False) as http:
            killer = Killer(moments, lambda: busy_llm(self.stack, http), self._kill)

            def on_event(stored: Stored) -> None:
                killer.notice(stored)
                for line in self.live.lines(stored):
                    self.print_line(line)
                if isinstance(stored.event, Ended):
                    self._ended.set()

            self._call = carrier.prepare(plan)
            log = await self.bus.open_log(self._call.result.call_sid, on_event)
            listening = asyncio.create_task(self._play()) if self.speakers else None
            try:
                await self._call.run(caller)
            except ScriptFailed as failure:
                problem = str(failure)
            with contextlib.suppress(TimeoutError):  # the checks will say that it never ended
                await asyncio.wait_for(self._ended.wait(), _ENDED_WITHIN_S)
            if listening is not None:
                listening.cancel()
            for restart in self._restarts:
                restart.cancel()  # one that is not up yet ends with the stack
            await log.close()
        result = self._call.result
        result.recording.write(recording)
        events = await self.bus.read_log(result.call_sid)
        return Outcome(events, facts_of(result, caller), tuple(self.kills), problem)

    def _kill(self, name: str, turn: int, moment: Moment) -> None:
        pid = self.stack.children[name].pid
        self.stack.kill(name)
        at_ms = self._call.result.recording.now_ms
        self.kills.append(Kill("llm", pid, turn, at_ms, moment))
        for line in self.live.say(
            at_ms / 1000, "", "", note=f"SIGKILL for {name}, which works on turn {turn}", alarm=True
        ):
            self.print_line(line)
        self._restarts.append(asyncio.create_task(self._restart(name)))

    async def _restart(self, name: str) -> None:
        """Whoever runs services for real has a supervisor that does this."""
        await self.stack.children[name].wait()
        await self.stack.restart(name)

    async def _play(self) -> None:
        recording, played = self._call.result.recording, 0
        while self.speakers is not None:
            for index in range(played, recording.frames):
                self.speakers.play(*recording.frame(index))
            played = recording.frames
            await asyncio.sleep(0.01)

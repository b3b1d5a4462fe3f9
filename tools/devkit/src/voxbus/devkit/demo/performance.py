"""One call of the demo while it lasts: its transcript appears, it can be heard; then its report is waited for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from voxbus.common.bus import Bus
from voxbus.common.events import Ended, ReportDelivered, ReportLost, Stored
from voxbus.devkit.caller import Caller, ScriptFailed
from voxbus.devkit.carrier import Call
from voxbus.devkit.demo.console import LiveTranscript
from voxbus.devkit.demo.facts import CarrierFacts, Kill, facts_of
from voxbus.devkit.demo.listen import Speakers

_ENDED_WITHIN_S = 5.0
_REPORTED_WITHIN_S = 10.0


@dataclass(frozen=True)
class Outcome:
    """``problem``: why the script could not go on, empty when it came to its end."""

    log: list[Stored]
    facts: CarrierFacts
    problem: str
    kills: Sequence[Kill] = ()


@dataclass
class Performance:
    """``print_line`` shows the transcript; ``notice`` is told each event of the call. ``hold`` once."""

    bus: Bus
    live: LiveTranscript
    print_line: Callable[[str], None]
    speakers: Speakers | None = None
    notice: Callable[[Stored], None] = lambda _: None
    _early: list[Stored] | None = field(default_factory=list)
    _ended: asyncio.Event = field(default_factory=asyncio.Event)
    _reported: asyncio.Event = field(default_factory=asyncio.Event)

    async def hold(self, call: Call, held: Awaitable[object], party: Caller, recording: Path) -> Outcome:
        """``held``: the call itself. Writes the recording to ``recording``, however it went."""
        result, problem = call.result, ""
        log = await self.bus.open_log(result.call_sid, self._on_event)
        early, self._early = self._early or [], None
        for stored in (*log.snapshot, *early):
            self._on_event(stored)
        listening = asyncio.create_task(self._play(call)) if self.speakers else None
        try:
            await held
        except ScriptFailed as failure:
            problem = str(failure)
        # The checks will say what never came.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), _ENDED_WITHIN_S)
            await asyncio.wait_for(self._reported.wait(), _REPORTED_WITHIN_S)
        if listening is not None:
            listening.cancel()
        await log.close()
        result.recording.write(recording)
        return Outcome(await self.bus.read_log(result.call_sid), facts_of(result, party), problem)

    def _on_event(self, stored: Stored) -> None:
        if self._early is not None:  # what was there before is still being read
            self._early.append(stored)
            return
        self.notice(stored)
        for line in self.live.lines(stored):
            self.print_line(line)
        match stored.event:
            case Ended():
                self._ended.set()
            case ReportDelivered() | ReportLost():
                self._reported.set()
            case _:
                pass

    async def _play(self, call: Call) -> None:
        recording, played = call.result.recording, 0
        while self.speakers is not None:
            for index in range(played, recording.frames):
                self.speakers.play(*recording.frame(index))
            played = recording.frames
            await asyncio.sleep(0.01)

"""``voxbus tap`` as it is typed, while calls go on."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from voxbus.common import events as ev
from voxbus.common.bus import Bus

if TYPE_CHECKING:
    from tests.conftest import Script

WITHIN_S = 60


class Tap:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def line(self, *parts: str) -> str:
        """The next line; it must have these words in it, in this order."""
        assert self.process.stdout is not None
        shown = (await self.process.stdout.readline()).decode()
        at = 0
        for part in parts:
            at = shown.find(part, at)
            assert at >= 0, (part, shown)
        return shown


@asynccontextmanager
async def tap(nats_url: str, which: str) -> AsyncIterator[Tap]:
    async with asyncio.timeout(WITHIN_S):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "voxbus.devkit.cli", "tap", which),
            env={**os.environ, "NATS_URL": nats_url},
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            shown = Tap(process)
            await shown.line("Nothing is masked")
            yield shown
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def test_a_call_is_shown_so_far_and_as_it_goes_on_until_it_is_over(
    bus: Bus, nats_url: str, new_script: Callable[[], Script]
) -> None:
    script, other = new_script().start(), new_script().start()
    for stored in (*script.log, *other.log):
        await bus.append(stored.event)
    async with tap(nats_url, script.sid) as shown:
        for stored in script.log:
            await shown.line(stored.event.kind)
        # From here on live: nothing of this was there when it looked into the log.
        await bus.append(ev.Dtmf(call=other.sid, stream_sid="MZ2", sequence=1, digit="9", media_ms=100))
        await bus.append(ev.Dtmf(call=script.sid, stream_sid="MZ1", sequence=1, digit="5", media_ms=100))
        await shown.line("gateway", "dtmf", "key 5")
        await bus.append(ev.Ended(call=script.sid, reason="caller_hung_up"))
        await shown.line("gateway", "ended")
        assert await shown.process.wait() == 0
        assert await shown.line() == ""


async def test_all_calls_are_shown_from_now_on(
    bus: Bus, nats_url: str, new_script: Callable[[], Script]
) -> None:
    calls = [new_script().start() for _ in range(2)]
    for call in calls:
        for stored in call.log:
            await bus.append(stored.event)
    async with tap(nats_url, "--all") as shown:
        first = asyncio.create_task(shown.line("gateway", "dtmf", "key 5"))
        number = 0
        while not first.done():  # when it begins to listen cannot be seen
            number += 1
            await bus.append(
                ev.Dtmf(call=calls[0].sid, stream_sid="MZ1", sequence=number, digit="5", media_ms=100)
            )
            await asyncio.sleep(0.02)
        assert calls[0].sid[-6:] in await first
        await bus.append(ev.Ended(call=calls[1].sid, reason="caller_hung_up"))
        while calls[1].sid[-6:] not in (line := await shown.line()):
            assert "key 5" in line
        assert "ended" in line
        assert shown.process.returncode is None, "it goes on, whatever ends"

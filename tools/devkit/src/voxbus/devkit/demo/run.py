"""The demo, from nothing to the pages: starts everything, holds the calls, measures, reports."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import httpx

from voxbus.common.bus import Bus
from voxbus.devkit.carrier import LineQuality
from voxbus.devkit.crm import Crm
from voxbus.devkit.demo import callee, inbound, outbound, script
from voxbus.devkit.demo.console import Style, report
from voxbus.devkit.demo.listen import Speakers
from voxbus.devkit.demo.office import Office
from voxbus.devkit.demo.result import Result
from voxbus.devkit.demo.rig import Rig
from voxbus.devkit.demo.vendors import Providers, learn, vendors
from voxbus.devkit.local_carrier import LocalCarrier
from voxbus.devkit.stack import Stack

#: What the carrier calls. It leads to the gateway's own port, as behind a tunnel or a load balancer.
PUBLIC_URL = "https://demo.voxbus.test"

#: A quiet room. No telephone is silent to the last bit, and a detector of speech that never hears a room is slower.
NOISE_DBFS = -60.0

PASSED, FAILED = 0, 1


@dataclass(frozen=True)
class Options:
    """``seed``: the voices of caller and callee, and the days and hours that they speak of. ``keep``: the services'
    logs, the scheduler's database and the store of NATS stay. ``listen``: plays the calls while they last.
    ``environment``: of all services, on top."""

    inbound: bool = True
    outbound: bool = True
    seed: int = 1
    keep: bool = False
    listen: bool = False
    directory: Path = Path("var/demo")
    providers: Providers = field(default_factory=Providers)
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def llm_workers(self) -> int:
        return inbound.LLM_WORKERS if self.inbound else 1


class Act(NamedTuple):
    """``rehearse`` synthesizes ahead what will be said; ``play`` holds the call, and calls its second argument when
    another one may begin."""

    title: str
    rehearse: Callable[[int], object]
    play: Callable[[Rig, Callable[[], None]], Awaitable[Result]]


CALL_IN = Act("A call in: somebody rings the agent", script.rehearse, inbound.call_in)
CALL_OUT = Act("A call out: the scheduler is asked to ring somebody", callee.rehearse, outbound.call_out)


async def demo(options: Options) -> int:
    """Returns the exit status, ``PASSED`` only when everything happened that has to happen."""
    began_s = time.monotonic()
    style = Style.of(sys.stdout, dict(os.environ))
    calls = "two whole calls" if options.inbound and options.outbound else "a whole call"
    print(f"{style.paint('voxbus demo', 'bold')}: {calls} on this machine, {options.providers.title}\n")
    services = f"nats, gateway, stt, {options.llm_workers} llm, tts, scheduler, reporter"
    print(f"  starting {services} ...", end="", flush=True)
    acts = [act for act, wanted in ((CALL_IN, options.inbound), (CALL_OUT, options.outbound)) if wanted]
    # What was rehearsed once is kept: while a call lasts, the machine has other things to do.
    rehearsals = (asyncio.to_thread(act.rehearse, options.seed) for act in acts)
    rehearsing = asyncio.gather(*rehearsals)
    async with rig(options, style) as ready:
        print(f" ready in {time.monotonic() - began_s:.1f} s")
        learn(ready.vendors.desk.book, await rehearsing)
        results = await _held(acts, ready)
        wrong = ready.vendors.desk.protocol_errors
    for act, result in zip(acts, results, strict=True):
        print("\n".join(["", style.paint(act.title, "bold"), "", *report(result.summary, style)]))
    if options.providers.simulated:
        print(f"\n  protocol errors that the simulated vendors counted: {len(wrong)}")
        for what in wrong:
            print(style.paint(f"  {what}", "red"))
    print(f"\n  {time.monotonic() - began_s:.0f} s in all. Open the first of these:")
    for result in results:
        print("")
        for path in result.write():
            print(f"  {path}")
    return PASSED if all(result.summary.passed for result in results) and not wrong else FAILED


async def _held(acts: Sequence[Act], rig: Rig) -> list[Result]:
    """An act begins when the one before it lets it, or is over."""
    playing: list[asyncio.Task[Result]] = []
    try:
        for act in acts:
            rig.say(f"\n{rig.style.paint(act.title, 'bold')}\n")
            following = asyncio.Event()
            task = asyncio.create_task(_play(act, rig, following))
            playing.append(task)
            await following.wait()
            if task.done():
                task.result()
        return list(await asyncio.gather(*playing))
    finally:
        for task in playing:
            task.cancel()


async def _play(act: Act, rig: Rig, following: asyncio.Event) -> Result:
    try:
        return await act.play(rig, following.set if rig.together else lambda: None)
    finally:
        following.set()


@contextlib.asynccontextmanager
async def rig(options: Options, style: Style) -> AsyncIterator[Rig]:
    """Everything runs."""
    async with contextlib.AsyncExitStack() as open_things:
        # First, so that what is missing for it shows before anything is started.
        speakers = open_things.enter_context(Speakers()) if options.listen else None
        line = LineQuality(noise_dbfs=NOISE_DBFS, seed=options.seed)
        carrier = await open_things.enter_async_context(LocalCarrier(PUBLIC_URL, line=line))
        simulated = await open_things.enter_async_context(vendors())
        # A filler would be taken for the answer, and a slow machine for a quick one.
        environment = carrier.environment | {"PERSONA": callee.AGENT, "FILLER_AFTER_MS": "5000"}
        environment |= options.providers.environment
        environment |= options.environment
        if options.providers.simulated:
            environment |= simulated.environment
        kept = options.directory / f"services-{secrets.token_hex(4)}" if options.keep else None
        counts = {"llm": options.llm_workers}
        crm = await open_things.enter_async_context(Crm())
        made = Stack(counts=counts, env=environment, env_of={"llm": crm.environment}, directory=kept)
        stack = await open_things.enter_async_context(made)
        bus = await Bus.connect(stack.bus_config("demo"))
        open_things.push_async_callback(bus.close)
        bearer = {"authorization": f"Bearer {stack.secret('SCHEDULER_SECRET')}"}
        http = httpx.AsyncClient(base_url=stack.scheduler_url, headers=bearer, trust_env=False, timeout=30)
        office = Office(await open_things.enter_async_context(http))
        carrier.serve(stack)
        yield Rig(
            stack,
            bus,
            carrier.exchange,
            office,
            style,
            options.seed,
            options.directory,
            speakers,
            simulated,
            crm,
            together=options.inbound and options.outbound and not options.listen,
        )

"""A whole run: everything started, calls held, processes killed, the toll counted."""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
import signal
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np

from voxbus.common.bus import Bus
from voxbus.common.errors import BusUnavailable
from voxbus.common.events import Attached, Ended, Stored
from voxbus.common.fold import fold
from voxbus.devkit.carrier import Carrier, Exchange, RestApi, Route
from voxbus.devkit.chaos.backend import Backend
from voxbus.devkit.chaos.caller import AGENT, AGENTS, Asker, rehearse
from voxbus.devkit.chaos.calls import FROM_NUMBER, PUBLIC_URL, STAGGER_S, CallsIn, CallsOut, Held
from voxbus.devkit.chaos.console import death_line, report
from voxbus.devkit.chaos.core_cost import Cost, cost_of
from voxbus.devkit.chaos.core_schedule import Schedule
from voxbus.devkit.chaos.facts import CallFacts, Facts
from voxbus.devkit.chaos.files import write
from voxbus.devkit.chaos.killer import Killer
from voxbus.devkit.core_measure import audible
from voxbus.devkit.stack import Stack

#: Processes of each service: one may always die.
PROCESSES = {"gateway": 2, "stt": 2, "llm": 2, "tts": 2, "scheduler": 1, "reporter": 1}

#: Reports are tried for 21 s; then whatever did not come is lost.
_REPORTS_S = 45.0
_POLL_S = 0.2


@dataclass(frozen=True)
class Options:
    """``calm_s``: no death before that, so that it is known how a turn is undisturbed. ``spoken``: the share of the
    questions that are spoken; the others are asked with a key. ``outbound``: the share of the calls that are ordered
    from the scheduler."""

    calls: int = 10
    talk_s: float = 60.0
    kill: tuple[str, ...] = ("stt", "llm", "tts", "gateway")
    every_s: float = 5.0
    down_s: float = 1.0
    signal: str = "KILL"
    calm_s: float = 15.0
    spoken: float = 0.5
    outbound: float = 0.0
    seed: int = 1
    directory: Path = Path("var/chaos")


class _Holders:
    """Which STT worker has which call, as the log says."""

    def __init__(self) -> None:
        self._worker: dict[str, str] = {}

    def notice(self, stored: Stored) -> None:
        match stored.event:
            case Attached(call=sid, worker=worker):
                self._worker[sid] = worker
            case Ended(call=sid):
                self._worker.pop(sid, None)
            case _:
                pass

    def held(self, service: str, pid: int) -> tuple[str, ...]:
        if service != "stt":
            return ()
        return tuple(sid for sid, worker in self._worker.items() if f"-{pid}-" in worker)


class Run:
    def __init__(self, options: Options) -> None:
        self._options = options
        self._token = secrets.token_hex(16)
        self._secret = secrets.token_hex(16)
        self._began_s = 0.0

    async def run(self) -> Cost:
        options = self._options
        await asyncio.to_thread(rehearse)
        options.directory.mkdir(parents=True)
        async with AsyncExitStack() as everything:
            backend = await everything.enter_async_context(Backend(self._secret))
            exchange = await everything.enter_async_context(Exchange(self._token))
            api = await everything.enter_async_context(RestApi(exchange))
            print(f"  starting nats and {sum(PROCESSES.values())} services ...", flush=True)
            stack = await everything.enter_async_context(
                Stack(
                    counts=PROCESSES,
                    env=self._environment(backend.url, exchange.account_sid, api.url),
                    directory=(options.directory / "services").resolve(),
                )
            )
            backend.behind = stack.scheduler_url
            exchange.route = Route(PUBLIC_URL, stack.gateway_urls[::-1])
            bus = await Bus.connect(stack.bus_config("chaos"), lambda *_: None)
            everything.push_async_callback(bus.close)
            carrier = await everything.enter_async_context(Carrier())
            calls_in = CallsIn(carrier, stack.gateway_urls, self._token)
            scheduler = stack.scheduler_url
            calls_out = CallsOut(exchange, api, scheduler, stack.secret("SCHEDULER_SECRET"))
            killer, held = await self._calls(stack, bus, calls_in, calls_out)
            await _reported(bus, held)
            told = [await _facts(bus, one) for one in held]
            facts = Facts(tuple(told), tuple(killer.deaths), backend.delivered(), calls_out.dialled())
        cost = cost_of(facts)
        for line in report(cost, self._began_s):
            print(line)
        print(f"\n  {write(options.directory, dataclasses.asdict(options), facts, cost, self._began_s)}")
        return cost

    async def _calls(
        self, stack: Stack, bus: Bus, calls_in: CallsIn, calls_out: CallsOut
    ) -> tuple[Killer, list[Held]]:
        options = self._options
        holders = _Holders()
        follower = await bus.follow(holders.notice)
        self._began_s = time.time()
        killer = Killer(
            stack,
            Schedule(options.kill, options.every_s, Random(options.seed)),
            options.down_s,
            signal.Signals[f"SIG{options.signal}"],
            holders.held,
            lambda death: print(death_line(death, self._began_s), flush=True),
        )
        killing = asyncio.create_task(self._kill(killer))
        outbound = round(options.calls * options.outbound)
        held = await asyncio.gather(
            *(
                (calls_out if number < outbound else calls_in).hold(number, self._asker(number))
                for number in range(options.calls)
            )
        )
        await killing
        await follower.close()
        return killer, held

    def _asker(self, number: int) -> Asker:
        options = self._options
        return Asker(options.talk_s, options.spoken, options.seed * 1000 + number)

    async def _kill(self, killer: Killer) -> None:
        options = self._options
        await asyncio.sleep(options.calm_s)
        await killer.run(self._began_s + options.talk_s + options.calls * STAGGER_S)

    def _environment(self, backend_url: str, account_sid: str, api_url: str) -> dict[str, str]:
        return {
            "TWILIO_AUTH_TOKEN": self._token,
            "TWILIO_VALIDATE": "on",
            "TWILIO_ACCOUNT_SID": account_sid,
            "TWILIO_FROM_NUMBER": FROM_NUMBER,
            "TWILIO_API_URL": api_url,
            "CALLS_PER_SECOND": "10",
            "PUBLIC_URL": PUBLIC_URL,
            "AGENTS_DIR": str(AGENTS),
            "PERSONA": AGENT,
            "AGENT_SHARED_SECRET": self._secret,
            "API_URL": backend_url,
            "SCRIPTED_TOKEN_DELAY_MS": "20",
            "STT_CALLS": str(self._options.calls + 10),
            "STT_PROVIDERS": "pocketsphinx",
            "LLM_PROVIDERS": "scripted",
            "TTS_PROVIDERS": "espeak",
        }


async def _reported(bus: Bus, held: Sequence[Held]) -> None:
    """Until there is a verdict on the report of each call, or it is too late for one; what is missing is counted."""
    deadline_s = time.monotonic() + _REPORTS_S
    for one in held:
        while one.call is not None and time.monotonic() < deadline_s:
            try:
                if fold(await bus.read_log(one.call.result.call_sid)).reported is not None:
                    break
            except BusUnavailable:
                pass  # it is being restarted
            await asyncio.sleep(_POLL_S)


async def _facts(bus: Bus, held: Held) -> CallFacts:
    if held.call is None:
        silence = np.zeros(0, dtype=np.bool_)
        return CallFacts("", 0.0, (), silence, silence, (), problem=held.problem)
    result = held.call.result
    recording = result.recording
    return CallFacts(
        result.call_sid,
        recording.zero_unix_s,
        tuple(held.asker.asked),
        audible(recording.agent),
        recording.queued,
        tuple(await bus.read_log(result.call_sid)),
        tuple(recording.moments),
        len(result.stream_sids),
        recording.late_ms,
        held.problem,
    )

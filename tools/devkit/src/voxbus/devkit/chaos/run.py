"""A whole run: everything started, calls placed, processes killed, the toll counted."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from voxbus.common.bus import Bus, BusConfig
from voxbus.common.events import Attached, Ended, ReportDelivered, ReportLost, Stored
from voxbus.devkit.caller import Caller
from voxbus.devkit.carrier import Call, CallPlan, Carrier, Route
from voxbus.devkit.chaos.backend import Backend
from voxbus.devkit.chaos.caller import AGENT, AGENTS, Asker, askers, rehearse
from voxbus.devkit.chaos.console import death_line, report
from voxbus.devkit.chaos.core_cost import Cost, cost_of
from voxbus.devkit.chaos.core_schedule import Schedule
from voxbus.devkit.chaos.facts import CallFacts, Facts
from voxbus.devkit.chaos.files import write
from voxbus.devkit.chaos.killer import Killer
from voxbus.devkit.core_measure import audible
from voxbus.devkit.stack import Stack

PUBLIC_URL = "https://chaos.voxbus.test"

#: Processes of each service: one may always die.
PROCESSES = {"gateway": 2, "stt": 2, "llm": 2, "tts": 2, "scheduler": 1, "reporter": 1}

#: Calls begin one after another: a burst at the start is not what is measured.
_STAGGER_S = 0.15
#: Reports are tried for 21 s; then whatever did not come is lost.
_REPORTS_S = 45.0


@dataclass(frozen=True)
class Options:
    """``calm_s``: no death before that, so that it is known how a turn is undisturbed. ``spoken``: the share of the
    questions that are spoken; the others are asked with a key."""

    calls: int = 10
    talk_s: float = 60.0
    kill: tuple[str, ...] = ("stt", "llm", "tts", "gateway")
    every_s: float = 5.0
    down_s: float = 1.0
    calm_s: float = 15.0
    spoken: float = 0.5
    seed: int = 1
    directory: Path = Path("var/chaos")


class _Holders:
    """Who has which call, as the log says."""

    def __init__(self) -> None:
        self.stt: dict[str, str] = {}
        self.unreported: set[str] = set()
        self.all_reported = asyncio.Event()

    def notice(self, stored: Stored) -> None:
        match stored.event:
            case Attached(call=sid, worker=worker):
                self.stt[sid] = worker
            case Ended(call=sid):
                self.stt.pop(sid, None)
            case ReportDelivered(call=sid) | ReportLost(call=sid):
                self.unreported.discard(sid)
                if not self.unreported:
                    self.all_reported.set()
            case _:
                pass


class Run:
    def __init__(self, options: Options) -> None:
        self._options = options
        self._holders = _Holders()
        self._began_s = 0.0

    async def run(self) -> Cost:
        options = self._options
        token, secret = secrets.token_hex(16), secrets.token_hex(16)
        await asyncio.to_thread(rehearse)
        options.directory.mkdir(parents=True)
        async with Backend(secret) as backend:
            env = {
                "TWILIO_AUTH_TOKEN": token,
                "TWILIO_VALIDATE": "on",
                "PUBLIC_URL": PUBLIC_URL,
                "AGENTS_DIR": str(AGENTS),
                "PERSONA": AGENT,
                "AGENT_SHARED_SECRET": secret,
                "API_URL": backend.url,
                "SCRIPTED_TOKEN_DELAY_MS": "20",
                "STT_CALLS": str(options.calls + 10),
                "STT_PROVIDER": "pocketsphinx",
                "LLM_PROVIDER": "scripted",
                "LLM_FALLBACK": "",
                "TTS_PROVIDER": "espeak",
            }
            print(f"  starting nats and {sum(PROCESSES.values())} services ...", flush=True)
            directory = (options.directory / "services").resolve()
            async with Stack(counts=PROCESSES, env=env, directory=directory) as stack:
                backend.behind = stack.scheduler_url
                bus = await Bus.connect(BusConfig(url=stack.nats_url, name="chaos"))
                follower = await bus.follow(self._holders.notice)
                try:
                    facts = await self._calls(stack, bus, backend, token)
                finally:
                    await follower.close()
                    await bus.close()
        cost = cost_of(facts)
        for line in report(cost, self._began_s):
            print(line)
        print(f"\n  {write(options.directory, dataclasses.asdict(options), facts, cost, self._began_s)}")
        return cost

    async def _calls(self, stack: Stack, bus: Bus, backend: Backend, token: str) -> Facts:
        options = self._options
        parties = askers(options.calls, options.talk_s, options.spoken, options.seed)
        self._began_s = time.time()
        killer = Killer(
            stack,
            Schedule(options.kill, options.every_s, options.seed),
            options.down_s,
            self._held,
            lambda death: print(death_line(death, self._began_s), flush=True),
        )
        async with Carrier() as carrier:
            plans = _plans(stack, token, options.calls)
            calls = [carrier.prepare(plan) for plan in plans]
            self._holders.unreported = {call.result.call_sid for call in calls}
            killing = asyncio.create_task(self._kill(killer))
            await asyncio.gather(
                *(
                    self._hold(n, call, party)
                    for n, (call, party) in enumerate(zip(calls, parties, strict=True))
                )
            )
            await killing
        with contextlib.suppress(TimeoutError):  # what is missing is counted
            await asyncio.wait_for(self._holders.all_reported.wait(), _REPORTS_S)
        told = [await _facts(bus, call, party) for call, party in zip(calls, parties, strict=True)]
        return Facts(tuple(told), tuple(killer.deaths), backend.delivered())

    async def _kill(self, killer: Killer) -> None:
        await asyncio.sleep(self._options.calm_s)
        await killer.run(self._began_s + self._options.talk_s + self._options.calls * _STAGGER_S)

    async def _hold(self, number: int, call: Call, party: Asker) -> None:
        await asyncio.sleep(number * _STAGGER_S)
        await call.run(Caller(party.script))

    def _held(self, service: str, _name: str, pid: int) -> tuple[str, ...]:
        if service != "stt":
            return ()
        return tuple(sid for sid, worker in self._holders.stt.items() if f"-{pid}-" in worker)


def _plans(stack: Stack, token: str, count: int) -> list[CallPlan]:
    """Each call comes to another gateway than the one before, as behind a load balancer."""
    gateways = stack.gateway_urls
    plans = []
    for number in range(count):
        first = number % len(gateways)
        plans.append(
            CallPlan(
                voice_url=f"{PUBLIC_URL}/twilio/voice",
                status_url=f"{PUBLIC_URL}/twilio/status",
                auth_token=token,
                call_sid="CA" + secrets.token_hex(16),
                route=Route(PUBLIC_URL, (*gateways[first:], *gateways[:first])),
            )
        )
    return plans


async def _facts(bus: Bus, call: Call, party: Asker) -> CallFacts:
    recording = call.result.recording
    problem = party.problem
    if not problem and call.result.ended_by != "application":
        problem = f"it was ended by the {call.result.ended_by}"
    return CallFacts(
        call.result.call_sid,
        recording.zero_unix_s,
        tuple(party.asked),
        audible(recording.agent),
        recording.queued,
        tuple(await bus.read_log(call.result.call_sid)),
        tuple(recording.moments),
        len(call.result.stream_sids),
        recording.late_ms,
        problem,
    )

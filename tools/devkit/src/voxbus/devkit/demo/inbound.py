"""A call in: somebody rings the agent, and two workers die while they answer."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import httpx

from voxbus.devkit.caller import Caller
from voxbus.devkit.carrier import Call, CallPlan, Carrier
from voxbus.devkit.demo.checks import check, looked_up, says
from voxbus.devkit.demo.facts import Kill, Moment
from voxbus.devkit.demo.kills import Killer, busy_llm
from voxbus.devkit.demo.performance import Performance
from voxbus.devkit.demo.result import RECORDING, Result, conclude
from voxbus.devkit.demo.rig import Rig
from voxbus.devkit.demo.script import BOOKED, LONG_ANSWER, OFFER, perform, rehearse
from voxbus.devkit.demo.summary import Check, Summary

KILLS: dict[int, Moment] = {OFFER: "first_word", BOOKED: "mid_reply"}

#: Every turn has a worker left, even where a killed one's successor takes its time to start.
LLM_WORKERS = len(KILLS) + 1

_CALL_LIMIT_S = 80.0


async def call_in(rig: Rig, next_call: Callable[[], None]) -> Result:
    """``next_call`` is called when the first worker was killed: until the second is, one more caller is no trouble."""
    lines = await asyncio.to_thread(rehearse, rig.seed)
    sid = "CA" + secrets.token_hex(16)
    plan = CallPlan(
        voice_url=f"{rig.public_url}/twilio/voice",
        status_url=f"{rig.public_url}/twilio/status",
        auth_token=rig.exchange.auth_token,
        call_sid=sid,
        line=rig.exchange.line,
        time_limit_s=_CALL_LIMIT_S,
        route=rig.exchange.route,
    )
    folder = rig.folder(sid)
    caller = Caller(lambda caller: perform(caller, lines))
    performance = rig.performance("in")
    async with Carrier() as carrier, httpx.AsyncClient(trust_env=False) as http:
        call = carrier.prepare(plan)
        deaths = _Deaths(rig, call, performance, next_call)
        performance.notice = Killer(KILLS, lambda: busy_llm(rig.stack, http), deaths.kill).notice
        outcome = await performance.hold(call, call.run(caller), caller, folder / RECORDING)
        deaths.forget()
    outcome = replace(outcome, kills=deaths.kills)

    def checks(summary: Summary) -> list[Check]:
        asked = says(summary, BOOKED, lines.booked)
        return [
            *check(summary, outcome.facts, list(KILLS.values())),
            looked_up(summary, LONG_ANSWER, rig.crm),
            asked,
        ]

    return conclude(outcome, folder, await rig.office.report(sid), checks)


@dataclass
class _Deaths:
    rig: Rig
    call: Call
    performance: Performance
    next_call: Callable[[], None]
    kills: list[Kill] = field(default_factory=list)
    _restarts: list[asyncio.Task[None]] = field(default_factory=list)

    def kill(self, name: str, turn: int, moment: Moment) -> None:
        pid = self.rig.stack.children[name].pid
        self.rig.stack.kill(name)
        at_ms = self.call.result.recording.now_ms
        self.kills.append(Kill("llm", pid, turn, at_ms, moment))
        note = f"SIGKILL for {name}, which works on turn {turn}"
        for line in self.performance.live.say(at_ms / 1000, "", "", note=note, alarm=True):
            self.rig.say(line)
        self._restarts.append(asyncio.create_task(self._restart(name)))
        self.next_call()

    async def _restart(self, name: str) -> None:
        """Whoever runs services for real has a supervisor that does this."""
        await self.rig.stack.children[name].wait()
        await self.rig.stack.restart(name)

    def forget(self) -> None:
        """One that is not up yet ends with the stack."""
        for restart in self._restarts:
            restart.cancel()

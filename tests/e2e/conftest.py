"""One stack for all of these tests, with two of each worker, and a telephone to call it with.

Calls last as long as they last: tests run several at once where they do not disturb each other.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import pytest
import pytest_asyncio

from voxbus.common.bus import Bus
from voxbus.common.events import Ended, Event, Stored
from voxbus.common.fold import CallState, fold
from voxbus.devkit.caller import Caller, Script, ScriptFailed
from voxbus.devkit.carrier import Call, CallPlan, CallResult, Carrier, Exchange, Route
from voxbus.devkit.core_narrate import narrate
from voxbus.devkit.local_carrier import LocalCarrier
from voxbus.devkit.speech import speak
from voxbus.devkit.stack import Stack

from .deaths import Supervisor, Watch

#: Leads to the gateways of the stack, as a load balancer would.
PUBLIC_URL = "https://e2e.voxbus.test"

_ENDED_S = 30.0
#: Calls that are about themselves. How many at once go well on a machine that other tests use is another question.
_AT_ONCE = 7

#: Of silence, and the agent has finished. A busy machine may make it pause longer in mid-sentence than a person would.
PAUSE_MS = 1500

#: Everything that callers say here, synthesized ahead: a script that waits for it would hold up all the other calls.
LINES = (
    "goodbye",
    "mm-hm",
    "please stop that",
    "tell me a long story",
    "tell me a story",
    "the moon is made of old green cheese",
    "yes please",
)

E = TypeVar("E", bound=Event)
C = TypeVar("C")


async def agree(caller: Caller) -> None:
    """Hears the greeting, says yes, hears the answer, says goodbye."""
    await caller.listen(quiet_ms=PAUSE_MS)
    await caller.say(speak("yes please"))
    await caller.listen(quiet_ms=PAUSE_MS)
    await caller.say(speak("goodbye"))
    await caller.expect_hangup()


class Calls(Generic[C]):
    """Calls by name. One that failed is told by the tests that are about it."""

    @classmethod
    async def hold(cls, calls: dict[str, Awaitable[C]]) -> Calls[C]:
        """All of them, the first ones first."""
        room = asyncio.Semaphore(_AT_ONCE)

        async def one(call: Awaitable[C]) -> C:
            async with room:
                return await call

        outcomes = await asyncio.gather(*map(one, calls.values()), return_exceptions=True)
        return cls(dict(zip(calls, outcomes, strict=True)))

    def __init__(self, outcomes: dict[str, C | BaseException]) -> None:
        self._outcomes = outcomes

    def __getitem__(self, name: str) -> C:
        outcome = self._outcomes[name]
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def all(self) -> list[tuple[str, C]]:
        return [(name, self[name]) for name in self._outcomes]


@dataclass
class Held:
    """A call that is over, from both of its ends."""

    caller: Caller
    result: CallResult
    log: list[Stored]

    @property
    def state(self) -> CallState:
        return fold(self.log)

    def events(self, kind: type[E]) -> list[E]:
        return [stored.event for stored in self.log if isinstance(stored.event, kind)]

    @property
    def verbs(self) -> list[str]:
        return [executed.verb for executed in self.result.verbs]

    def heard(self, turn: int) -> str:
        """What the caller heard of a turn, as the log has it."""
        return self.state.turns[turn].heard_text


@dataclass
class Phone:
    """Places calls against the stack."""

    stack: Stack
    bus: Bus
    carrier: Carrier
    exchange: Exchange
    recordings: Path

    def plan(self, agent: str = "talker", **more: Any) -> CallPlan:
        plan = CallPlan(
            voice_url=f"{PUBLIC_URL}/twilio/voice?agent={agent}",
            status_url=f"{PUBLIC_URL}/twilio/status",
            auth_token=self.exchange.auth_token,
            call_sid="CA" + secrets.token_hex(16),
            time_limit_s=90,
            route=Route(PUBLIC_URL, self.stack.gateway_urls),
        )
        return replace(plan, **more)

    async def call(self, script: Script, agent: str = "talker", **plan: Any) -> Held:
        """Rings, holds the call as scripted, and waits until its log says that it has ended."""
        return await self.hold(self.carrier.prepare(self.plan(agent, **plan)), script)

    async def hold(self, call: Call, party: Script | Caller) -> Held:
        sid = call.result.call_sid
        ended = asyncio.Event()

        def on_event(stored: Stored) -> None:
            if isinstance(stored.event, Ended):
                ended.set()

        live = await self.bus.open_log(sid, on_event)
        caller = party if isinstance(party, Caller) else Caller(party)
        try:
            result = await call.run(caller)
            async with asyncio.timeout(_ENDED_S):
                await ended.wait()
        except (ScriptFailed, TimeoutError) as error:
            error.add_note(await self.story(call))
            raise
        finally:
            await live.close()
        return Held(caller, result, await self.bus.read_log(sid))

    async def story(self, call: Call) -> str:
        """What happened in a call that did not go as it should."""
        began_s = call.result.recording.zero_unix_s
        log = await self.bus.read_log(call.result.call_sid)
        told = (f"{s.time_s - began_s:8.3f}  {s.event.kind:<20}{narrate(s.event)}" for s in log)
        seen = (f"{m.at_ms / 1000:8.3f}  {m.what} {m.detail}" for m in call.result.recording.moments)
        return "\n".join(("the log:", *told, "the line:", *seen, *map(str, call.result.debugger.entries)))


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def phone(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Phone]:
    await asyncio.to_thread(lambda: [speak(line) for line in LINES])
    recordings = tmp_path_factory.mktemp("recordings")
    async with LocalCarrier(PUBLIC_URL) as local, Carrier() as carrier:
        stack = Stack(
            counts={"gateway": 2, "stt": 2, "llm": 2, "tts": 2},
            env=local.environment
            | {
                "AGENTS_DIR": str(Path(__file__).parent / "agents"),
                "PERSONA": "talker",
                "RECORDINGS_DIR": str(recordings),
                "SCRIPTED_TOKEN_DELAY_MS": "40",  # a worker is at work long enough to be met at it
                "FILLER_AFTER_MS": "5000",  # a busy machine is no reason for words that no test waits for
                "CALLS_PER_SECOND": "20",
            },
            directory=tmp_path_factory.mktemp("stack"),
        )
        async with stack:
            local.serve(stack)
            bus = await Bus.connect(stack.bus_config("e2e"))
            yield Phone(stack, bus, carrier, local.exchange, recordings)
            await bus.close()
    # After everything that the tests did, deaths and deploys among them: no service lacked a right.
    lacking = [
        line
        for log in stack.directory.glob("*.log")
        for line in log.read_text().splitlines()
        if "NATS refused a subject" in line
    ]
    assert lacking == []


@pytest_asyncio.fixture(loop_scope="session")
async def watch(phone: Phone) -> AsyncIterator[Watch]:
    watch = Watch()
    follower = await phone.bus.follow(watch.notice)
    yield watch
    await follower.close()


@pytest_asyncio.fixture(loop_scope="session")
async def supervisor(phone: Phone) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(phone.stack)
    yield supervisor
    await supervisor.done()

"""Workers die, freeze, or are told to go, while calls last. The calls go on."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import TYPE_CHECKING

import pytest

from voxbus.common.events import Attached, Heard, Sentence, SpeechStarted, Status, Utterance
from voxbus.devkit.callees import machine, person
from voxbus.devkit.caller import Caller
from voxbus.devkit.carrier import Call
from voxbus.devkit.speech import speak

from .conftest import PAUSE_MS, PUBLIC_URL, agree
from .deaths import (
    Supervisor,
    Watch,
    ask,
    assert_nothing_was_played_twice,
    assert_stories,
)

if TYPE_CHECKING:
    from .conftest import Phone

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

FROZEN_S = 5.0

Moment = Callable[[int], Awaitable[object]]


async def test_workers_are_killed_in_the_middle_of_turns(
    phone: Phone, watch: Watch, supervisor: Supervisor
) -> None:
    call = phone.carrier.prepare(phone.plan("brief"))
    half_s = speak("tell me a story").duration_ms / 2000

    async def while_the_caller_speaks(_: int) -> None:
        await asyncio.sleep(half_s)
        await supervisor.end(supervisor.holder(watch, call))

    async def before_the_first_word(turn: int) -> None:
        await watch.first(Utterance, call, turn=turn)
        await supervisor.end(await supervisor.at_work())

    async def while_sentences_are_spoken(turn: int) -> None:
        await watch.first(Sentence, call, turn=turn, index=1)
        await supervisor.end("tts-0")

    async def in_the_middle_of_the_reply(turn: int) -> None:
        first_words = watch.soon(Sentence, call, turn=turn, index=0)
        await watch.first(Utterance, call, turn=turn)
        name = await supervisor.at_work()
        await first_words
        await supervisor.end(name)

    moments: list[Moment] = [
        before_the_first_word,
        while_the_caller_speaks,
        while_sentences_are_spoken,
        in_the_middle_of_the_reply,
    ]

    async def script(caller: Caller) -> None:
        await caller.listen(quiet_ms=PAUSE_MS)
        for turn, moment in enumerate(moments, start=2):
            killing = asyncio.ensure_future(moment(turn))
            await ask(caller, call, watch, turn)
            await killing

    held = await phone.hold(call, script)
    assert_stories(held, len(moments))
    assert_nothing_was_played_twice(held)
    assert len({attached.worker for attached in held.events(Attached)}) == 2


async def test_what_frozen_workers_say_when_they_are_woken_counts_for_nothing(
    phone: Phone, watch: Watch, supervisor: Supervisor
) -> None:
    calls = [phone.carrier.prepare(phone.plan("brief")) for _ in range(3)]
    by_voice, by_key, by_key_too = calls
    freezing: list[asyncio.Task[None]] = []

    def freeze(name: str) -> None:
        freezing.append(asyncio.create_task(supervisor.freeze(name, FROZEN_S)))

    async def while_the_caller_speaks() -> None:
        await asyncio.sleep(0.4)
        freeze(supervisor.holder(watch, by_voice))

    async def in_the_middle_of_the_reply() -> None:
        await watch.first(Utterance, by_key, turn=2)
        name = await supervisor.at_work()
        freeze(name)

    async def while_sentences_are_spoken() -> None:
        await watch.first(Sentence, by_key_too, turn=2, index=0)
        freeze("tts-1")

    def script(
        call: Call, moment: Callable[[], Awaitable[None]], key: str
    ) -> Callable[[Caller], Awaitable[None]]:
        async def talk(caller: Caller) -> None:
            await caller.listen(quiet_ms=PAUSE_MS)
            striking = asyncio.ensure_future(moment())
            await ask(caller, call, watch, 2, key=key)
            await striking
            await asyncio.gather(*freezing)
            await ask(caller, call, watch, 3, key=key)

        return talk

    moments = (while_the_caller_speaks, in_the_middle_of_the_reply, while_sentences_are_spoken)
    held = await asyncio.gather(
        *(
            phone.hold(call, script(call, moment, key))
            for call, moment, key in zip(calls, moments, ("", "1", "1"), strict=True)
        )
    )
    assert len(freezing) == len(moments)
    for one, said in zip(held, ("tell me a story", "1", "1"), strict=True):
        assert_stories(one, 2, said=said)
        assert_nothing_was_played_twice(one)


async def test_workers_that_are_told_to_go_leave_twenty_calls_to_the_others(
    phone: Phone, watch: Watch, supervisor: Supervisor
) -> None:
    calls = [phone.carrier.prepare(phone.plan("brief")) for _ in range(20)]

    def script(call: Call) -> Callable[[Caller], Awaitable[None]]:
        async def talk(caller: Caller) -> None:
            await caller.listen(quiet_ms=PAUSE_MS)
            await ask(caller, call, watch, 2, key="1")

        return talk

    async def deploy() -> tuple[float, list[int]]:
        await watch.first(Sentence, calls[10], turn=2)
        asked_s = time.time()
        leaving = ("stt-0", "llm-0", "tts-0")
        return asked_s, await asyncio.gather(*(supervisor.end(name, signal.SIGTERM) for name in leaving))

    deploying = asyncio.create_task(deploy())
    held = await asyncio.gather(*(phone.hold(call, script(call)) for call in calls))
    asked_s, statuses = await deploying
    assert statuses == [0, 0, 0]
    for one in held:
        assert_stories(one, 1, said="1")
        assert_nothing_was_played_twice(one)
    taken_s = [s.time_s - asked_s for one in held for s in one.log if isinstance(s.event, Attached)]
    handed_over_s = [after_s for after_s in taken_s if after_s > 0]
    # That nobody waits for a lease to run out tests/common/test_bus_jobs.py shows, and how long it takes in the end
    # `voxbus chaos --signal TERM`.
    assert handed_over_s
    assert median(handed_over_s) < 5


# Calls out


@pytest.mark.parametrize("service", ["gateway", "stt", "llm"])
async def test_whoever_says_hello_while_a_process_dies_is_greeted_once(
    phone: Phone, watch: Watch, supervisor: Supervisor, service: str
) -> None:
    call = phone.carrier.prepare(phone.plan("messenger", direction="outbound-api"))

    async def kill() -> None:
        await watch.first(SpeechStarted, call)
        names = {
            "gateway": ["gateway-0"],
            "stt": [supervisor.holder(watch, call)],
            "llm": ["llm-0", "llm-1"],  # whoever would have greeted
        }
        await asyncio.gather(*(supervisor.end(name) for name in names[service]))

    held, _ = await asyncio.gather(phone.hold(call, person(agree)), kill())
    # A reply that the caller did not wait for, because the line was silent meanwhile, is none that was heard.
    heard = [turn.heard_text for _, turn in sorted(held.state.turns.items()) if turn.heard_text]
    assert heard == ["Hello, this is a test about Monday. Is that fine?", "You are confirmed.", "Goodbye."]


async def test_an_stt_worker_is_killed_while_it_waits_for_a_machine(
    phone: Phone, watch: Watch, supervisor: Supervisor
) -> None:
    plan = phone.plan(
        "messenger",
        direction="outbound-api",
        amd_url=f"{PUBLIC_URL}/twilio/amd",
        detection="DetectMessageEnd",
    )
    call = phone.carrier.prepare(plan)
    mailbox = machine("You have reached a mailbox. Please leave a message.")

    async def kill() -> None:
        await watch.first(Status, call)
        await supervisor.end(supervisor.holder(watch, call))

    held, _ = await asyncio.gather(phone.hold(call, mailbox), kill())
    (through,) = [utterance for utterance in held.events(Utterance) if utterance.ended_by == "machine"]
    assert held.heard(through.turn).startswith("Hello, this is a test for a machine.")
    assert held.heard(through.turn).endswith("and goodbye.")
    assert all(heard.complete for heard in held.events(Heard) if heard.turn == through.turn)
    assert held.result.ended_by == "application"

"""Processes die, or are told to go, while calls last. The calls go on."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

import httpx
import pytest
import pytest_asyncio

from voxbus.common.events import Attached, Event, Heard, Interrupted, Resumed, Sentence, Stored, Utterance
from voxbus.devkit.caller import Caller
from voxbus.devkit.core_measure import dead_air
from voxbus.devkit.demo.kills import busy_llm
from voxbus.devkit.speech import speak

if TYPE_CHECKING:
    from tests.e2e.conftest import Held, Phone

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

#: A killed worker may add 1.5 s to the 0.5 s that end a turn; the rest is room for a busy machine.
SILENCE_MS = 3500


class Watch:
    """Everything that happens on the bus, for tests that act in the middle of it."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Callable[[Event], bool], asyncio.Future[Event]]] = []

    def notice(self, stored: Stored) -> None:
        for is_it, future in self._waiting:
            if not future.done() and is_it(stored.event):
                future.set_result(stored.event)

    async def first(self, is_it: Callable[[Event], bool], timeout_s: float = 30) -> Event:
        """The first event from now on that is it."""
        future: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        self._waiting.append((is_it, future))
        async with asyncio.timeout(timeout_s):
            return await future


@pytest_asyncio.fixture(loop_scope="session")
async def watch(phone: Phone) -> AsyncIterator[Watch]:
    watch = Watch()
    follower = await phone.bus.follow(watch.notice)
    yield watch
    await follower.close()


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def whole_again(phone: Phone) -> AsyncIterator[None]:
    """Whoever died is there again for the next test."""
    yield
    for name, child in list(phone.stack.children.items()):
        if child.status is not None:
            await phone.stack.restart(name)


async def story(caller: Caller) -> None:
    await caller.listen()
    await caller.say(speak("tell me a story"))
    await caller.listen(quiet_ms=2500)


def story_is_whole(call: Held) -> bool:
    said = [sentence for sentence in call.events(Sentence) if sentence.turn == 2 and sentence.attempt == 0]
    return (
        call.events(Interrupted) == []
        and call.heard(2) == " ".join(sentence.text for sentence in said)
        and all(heard.complete for heard in call.events(Heard))
        and call.heard(2).endswith("about the sea.")
    )


def added_silence_ms(call: Held) -> int:
    """The longest time in which nobody was to be heard, before the end of the story."""
    recording = call.result.recording
    end = recording.played()[-1].end_ms * 8
    return max(
        (span.duration_ms for span in dead_air(recording.caller[:end], recording.agent[:end], 300)), default=0
    )


async def at_work(phone: Phone) -> str:
    """The LLM worker that answers the only call there is."""
    async with httpx.AsyncClient() as http, asyncio.timeout(10):
        while (name := await busy_llm(phone.stack, http)) is None:
            await asyncio.sleep(0.002)
    return name


async def test_an_llm_worker_is_killed_in_the_middle_of_a_reply(phone: Phone, watch: Watch) -> None:
    call = phone.carrier.prepare(phone.plan())
    sid = call.result.call_sid

    async def kill() -> None:
        first_words = asyncio.create_task(
            watch.first(lambda e: isinstance(e, Sentence) and (e.call, e.turn) == (sid, 2))
        )
        await watch.first(lambda e: isinstance(e, Utterance) and (e.call, e.turn) == (sid, 2))
        name = await at_work(phone)
        await first_words
        phone.stack.kill(name)

    held, _ = await asyncio.gather(phone.hold(call, story), kill())
    assert story_is_whole(held)
    assert added_silence_ms(held) < SILENCE_MS


async def test_an_llm_worker_is_killed_before_its_first_word(phone: Phone, watch: Watch) -> None:
    call = phone.carrier.prepare(phone.plan())
    sid = call.result.call_sid

    async def kill() -> None:
        await watch.first(lambda e: isinstance(e, Utterance) and (e.call, e.turn) == (sid, 2))
        phone.stack.kill(await at_work(phone))

    held, _ = await asyncio.gather(phone.hold(call, story), kill())
    assert story_is_whole(held)
    assert added_silence_ms(held) < SILENCE_MS


async def test_an_stt_worker_is_killed_while_the_caller_speaks(phone: Phone, watch: Watch) -> None:
    call = phone.carrier.prepare(phone.plan())
    sid = call.result.call_sid
    holder = asyncio.create_task(watch.first(lambda e: isinstance(e, Attached) and e.call == sid))
    speech = speak("tell me a long story")

    async def kill() -> None:
        attached = await holder
        assert isinstance(attached, Attached)
        await asyncio.sleep(speech.duration_ms / 2000)  # half of what is said
        phone.stack.kill(holder_of(phone, attached))

    async def script(caller: Caller) -> None:
        await caller.listen()
        killing = asyncio.create_task(kill())
        await caller.say(speech)
        await caller.listen(quiet_ms=2500)
        await killing

    held = await phone.hold(call, script)
    assert [utterance.text for utterance in held.events(Utterance)] == ["tell me a long story"]
    assert len({attached.worker for attached in held.events(Attached)}) == 2
    assert story_is_whole(held)
    assert added_silence_ms(held) < SILENCE_MS


def holder_of(phone: Phone, attached: Attached) -> str:
    """The process that the event names: its worker id holds the pid."""
    (name,) = (n for n in phone.stack.names("stt") if f"-{phone.stack.children[n].pid}-" in attached.worker)
    return name


@pytest.mark.parametrize("victim", ["tts-0", "tts-1"])
async def test_a_tts_worker_is_killed_while_the_agent_speaks(phone: Phone, watch: Watch, victim: str) -> None:
    call = phone.carrier.prepare(phone.plan())
    sid = call.result.call_sid

    async def kill() -> None:
        await watch.first(lambda e: isinstance(e, Sentence) and (e.call, e.turn) == (sid, 2))
        phone.stack.kill(victim)

    held, _ = await asyncio.gather(phone.hold(call, story), kill())
    assert story_is_whole(held)
    assert added_silence_ms(held) < SILENCE_MS


@pytest.mark.parametrize("service", ["stt", "llm", "tts"])
async def test_a_worker_that_is_told_to_go_leaves_its_calls_to_the_other(
    phone: Phone, watch: Watch, service: str
) -> None:
    call = phone.carrier.prepare(phone.plan())
    sid = call.result.call_sid
    leaving = phone.stack.children[f"{service}-0"]

    async def go() -> int:
        await watch.first(lambda e: isinstance(e, Utterance) and e.call == sid)
        leaving.signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            return await leaving.wait()

    held, status = await asyncio.gather(phone.hold(call, story), go())
    assert status == 0
    assert story_is_whole(held)
    assert added_silence_ms(held) < SILENCE_MS


async def test_a_gateway_that_is_told_to_go_leaves_its_calls_to_the_other(phone: Phone, watch: Watch) -> None:
    call = phone.carrier.prepare(phone.plan())
    sid = call.result.call_sid
    leaving = phone.stack.children["gateway-0"]  # the first that the route tries

    async def go() -> int:
        await watch.first(lambda e: isinstance(e, Heard) and (e.call, e.turn) == (sid, 1))
        leaving.signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            return await leaving.wait()

    async def script(caller: Caller) -> None:
        await caller.listen()
        await caller.wait(4000)
        await caller.say(speak("yes please"))
        await caller.listen()
        await caller.say(speak("goodbye"))
        await caller.expect_hangup()

    held, status = await asyncio.gather(phone.hold(call, script), go())
    assert status == 0
    assert len(held.events(Resumed)) == 1
    assert [verb for verb in held.verbs if verb != "Pause"] == [
        "Connect",
        "Redirect",
        "Connect",
        "Redirect",
        "Hangup",
    ]
    assert [utterance.text for utterance in held.events(Utterance)] == ["yes please", "goodbye"]
    assert held.heard(2) == "You are confirmed."

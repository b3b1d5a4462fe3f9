"""Processes die, or are told to go, while calls last. The calls go on."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import httpx
import pytest
import pytest_asyncio

from voxbus.common.events import (
    Attached,
    Event,
    Heard,
    Interrupted,
    Resumed,
    Sentence,
    SpeechStarted,
    Status,
    Stored,
    Utterance,
)
from voxbus.devkit.callees import machine, person
from voxbus.devkit.caller import Caller
from voxbus.devkit.carrier import Call
from voxbus.devkit.children import Child
from voxbus.devkit.core_measure import dead_air
from voxbus.devkit.demo.kills import busy_llm
from voxbus.devkit.speech import speak

from .conftest import PUBLIC_URL, agree

if TYPE_CHECKING:
    from .conftest import Held, Phone

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

#: A killed worker may add 1.5 s to the 0.5 s that end a turn; the rest is room for a busy machine.
SILENCE_MS = 3500


class Watch:
    """Everything that happens on the bus, for tests that act in the middle of it."""

    def __init__(self) -> None:
        self._waiting: list[tuple[str, type[Event], int, asyncio.Future[Event]]] = []

    def notice(self, stored: Stored) -> None:
        event = stored.event
        for sid, kind, turn, future in self._waiting:
            is_it = event.call == sid and isinstance(event, kind) and getattr(event, "turn", 0) == turn
            if is_it and not future.done():
                future.set_result(event)

    async def first(self, kind: type[Event], call: Call, *, turn: int = 0) -> Event:
        """The first event of that kind in the call, and of the turn, from now on."""
        future: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        self._waiting.append((call.result.call_sid, kind, turn, future))
        async with asyncio.timeout(30):
            return await future


@pytest_asyncio.fixture(loop_scope="session")
async def watch(phone: Phone) -> AsyncIterator[Watch]:
    watch = Watch()
    follower = await phone.bus.follow(watch.notice)
    yield watch
    await follower.close()


class Supervisor:
    """Ends processes, and starts them again at once, as an orchestrator would."""

    def __init__(self, phone: Phone) -> None:
        self._stack = phone.stack
        self._restarts: list[asyncio.Task[Child]] = []

    async def end(self, name: str, number: int = signal.SIGKILL) -> int:
        """Returns the exit status."""
        child = self._stack.children[name]
        child.signal(number)
        async with asyncio.timeout(30):
            status = await child.wait()
        self._restarts.append(asyncio.create_task(self._stack.restart(name)))
        return status

    async def done(self) -> None:
        await asyncio.gather(*self._restarts)


@pytest_asyncio.fixture(loop_scope="session")
async def supervisor(phone: Phone) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(phone)
    yield supervisor
    await supervisor.done()


async def story(caller: Caller) -> None:
    await caller.listen()
    await caller.say(speak("tell me a story"))
    await caller.listen(quiet_ms=2200)


def assert_story_is_whole(call: Held) -> None:
    """Every sentence once, in order and to its end, and no long silence on the way."""
    said = [sentence for sentence in call.events(Sentence) if sentence.turn == 2 and sentence.attempt == 0]
    assert call.events(Interrupted) == []
    assert call.heard(2) == " ".join(sentence.text for sentence in said)
    assert call.heard(2).endswith("about the sea.")
    assert all(heard.complete for heard in call.events(Heard))
    assert silence_ms(call) < SILENCE_MS


def silence_ms(call: Held) -> int:
    """The longest time before the end of the story in which nobody was to be heard."""
    recording = call.result.recording
    end = recording.played()[-1].end_ms * 8
    silences = dead_air(recording.caller[:end], recording.agent[:end], 300)
    return max((silence.duration_ms for silence in silences), default=0)


async def at_work(phone: Phone) -> str:
    """The LLM worker that answers the only call there is."""
    async with httpx.AsyncClient() as http, asyncio.timeout(10):
        while (name := await busy_llm(phone.stack, http)) is None:
            await asyncio.sleep(0.002)
    return name


async def test_an_llm_worker_is_killed_in_the_middle_of_a_reply(
    phone: Phone, watch: Watch, supervisor: Supervisor
) -> None:
    call = phone.carrier.prepare(phone.plan())
    first_words = asyncio.create_task(watch.first(Sentence, call, turn=2))

    async def kill() -> None:
        await watch.first(Utterance, call, turn=2)
        name = await at_work(phone)
        await first_words
        await supervisor.end(name)

    held, _ = await asyncio.gather(phone.hold(call, story), kill())
    assert_story_is_whole(held)


async def test_an_llm_worker_is_killed_before_its_first_word(
    phone: Phone, watch: Watch, supervisor: Supervisor
) -> None:
    call = phone.carrier.prepare(phone.plan())

    async def kill() -> None:
        await watch.first(Utterance, call, turn=2)
        await supervisor.end(await at_work(phone))

    held, _ = await asyncio.gather(phone.hold(call, story), kill())
    assert_story_is_whole(held)


async def test_an_stt_worker_is_killed_while_the_caller_speaks(
    phone: Phone, watch: Watch, supervisor: Supervisor
) -> None:
    call = phone.carrier.prepare(phone.plan())
    holder = asyncio.create_task(watch.first(Attached, call))
    speech = speak("tell me a long story")

    async def kill() -> None:
        attached = await holder
        assert isinstance(attached, Attached)
        await asyncio.sleep(speech.duration_ms / 2000)  # half of what is said
        await supervisor.end(holder_of(phone, attached))

    async def script(caller: Caller) -> None:
        await caller.listen()
        killing = asyncio.create_task(kill())
        await caller.say(speech)
        await caller.listen(quiet_ms=2200)
        await killing

    held = await phone.hold(call, script)
    assert [utterance.text for utterance in held.events(Utterance)] == ["tell me a long story"]
    assert len({attached.worker for attached in held.events(Attached)}) == 2
    assert_story_is_whole(held)


def holder_of(phone: Phone, attached: Attached) -> str:
    """The process that the event names: its worker id holds the pid."""
    (name,) = (n for n in phone.stack.names("stt") if f"-{phone.stack.children[n].pid}-" in attached.worker)
    return name


async def test_a_tts_worker_is_killed_while_the_agent_speaks(
    phone: Phone, watch: Watch, supervisor: Supervisor
) -> None:
    # Two calls have six sentences between them: the worker that is killed has some of them in its hands.
    calls = [phone.carrier.prepare(phone.plan()) for _ in range(2)]

    async def kill() -> None:
        await watch.first(Sentence, calls[0], turn=2)
        await supervisor.end("tts-0")

    killing = asyncio.create_task(kill())
    for held in await asyncio.gather(*(phone.hold(call, story) for call in calls)):
        assert_story_is_whole(held)
    await killing


async def test_workers_that_are_told_to_go_leave_their_calls_to_the_others(
    phone: Phone, watch: Watch, supervisor: Supervisor
) -> None:
    calls = [phone.carrier.prepare(phone.plan()) for _ in range(2)]

    async def deploy() -> list[int]:
        await watch.first(Utterance, calls[0], turn=2)
        leaving = ("stt-0", "llm-0", "tts-0")
        return await asyncio.gather(*(supervisor.end(name, signal.SIGTERM) for name in leaving))

    deploying = asyncio.create_task(deploy())
    for held in await asyncio.gather(*(phone.hold(call, story) for call in calls)):
        assert_story_is_whole(held)
    assert await deploying == [0, 0, 0]


async def questions(caller: Caller) -> None:
    await caller.listen()
    await caller.wait(4000)  # in which the call moves to the other gateway
    await caller.say(speak("yes please"))
    await caller.listen()
    await caller.say(speak("goodbye"))
    await caller.expect_hangup()


@pytest.mark.parametrize(("number", "codes"), [(signal.SIGTERM, {31921}), (signal.SIGKILL, {31921, 31903})])
async def test_a_gateway_ends_and_its_call_goes_on_at_the_other(
    phone: Phone, watch: Watch, supervisor: Supervisor, number: signal.Signals, codes: set[int]
) -> None:
    call = phone.carrier.prepare(phone.plan())

    async def end() -> int:
        await watch.first(Heard, call, turn=1)
        return await supervisor.end("gateway-0", number)  # the first that the route tries

    held, status = await asyncio.gather(phone.hold(call, questions), end())
    assert status == (0 if number == signal.SIGTERM else -number)
    assert len(held.events(Resumed)) == 1
    verbs = [verb for verb in held.verbs if verb != "Pause"]
    assert verbs == ["Connect", "Redirect", "Connect", "Redirect", "Hangup"]
    assert [utterance.text for utterance in held.events(Utterance)] == ["yes please", "goodbye"]
    assert held.heard(2) == "You are confirmed."
    assert set(held.result.debugger.codes) == codes


# Calls out


@pytest.mark.parametrize("service", ["gateway", "stt", "llm"])
async def test_whoever_says_hello_while_a_process_dies_is_greeted_once(
    phone: Phone, watch: Watch, supervisor: Supervisor, service: str
) -> None:
    call = phone.carrier.prepare(phone.plan("messenger", direction="outbound-api"))
    holder = asyncio.create_task(watch.first(Attached, call))

    async def kill() -> None:
        attached = await holder
        assert isinstance(attached, Attached)
        await watch.first(SpeechStarted, call)
        names = {
            "gateway": ["gateway-0"],
            "stt": [holder_of(phone, attached)],
            "llm": ["llm-0", "llm-1"],  # whoever would have greeted
        }
        await asyncio.gather(*(supervisor.end(name) for name in names[service]))

    held, _ = await asyncio.gather(phone.hold(call, person(agree)), kill())
    heard = [turn.heard_text for _, turn in sorted(held.state.turns.items())]
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
    holder = asyncio.create_task(watch.first(Attached, call))
    mailbox = machine("You have reached a mailbox. Please leave a message.")

    async def kill() -> None:
        attached = await holder
        assert isinstance(attached, Attached)
        await watch.first(Status, call)
        await supervisor.end(holder_of(phone, attached))

    held, _ = await asyncio.gather(phone.hold(call, mailbox), kill())
    (through,) = [utterance for utterance in held.events(Utterance) if utterance.ended_by == "machine"]
    assert held.heard(through.turn).startswith("Hello, this is a test for a machine.")
    assert held.heard(through.turn).endswith("and goodbye.")
    assert all(heard.complete for heard in held.events(Heard) if heard.turn == through.turn)
    assert held.result.ended_by == "application"

"""Calls that are ordered, and whoever lifts the telephone: what the callee heard, and what the order came to."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import pytest_asyncio

from voxbus.common.events import Heard, Interrupted, Sentence, Started, Status, Utterance
from voxbus.devkit.callees import Callee, machine, mute, person, screener
from voxbus.devkit.caller import Caller
from voxbus.devkit.carrier import CallResult, Span, Telephone
from voxbus.devkit.demo.office import Office
from voxbus.devkit.speech import speak

from .conftest import PAUSE_MS, Calls, Held, agree

if TYPE_CHECKING:
    from voxbus.devkit.demo.facts import Order

    from .conftest import Phone

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

GREETING = "Hello, this is a test about Friday. Is that fine?"
WHO = "This is a test, about Friday."
MESSAGE = (
    "Hello, this is a test for a machine. It was about Friday. Thank you for your attention, and goodbye."
)
MAILBOX = "You have reached the mailbox of somebody who is out. Please leave a message after the tone."

#: The silence that ends a turn, and much for everything else: how fast it is the benchmark says, on an idle machine.
ANSWERED_MS = 15_000.0

_numbers = itertools.count(15550100200)


@dataclass
class CallOut(Held):
    """``order``: what the scheduler knows of it, ``report`` what the reporter made of it."""

    order: Order
    report: dict[str, Any]

    def spans_after(self, ms: float) -> list[Span]:
        """Where the agent was played, from then on."""
        return [span for span in self.result.recording.played() if span.end_ms > ms]

    @property
    def first_words_ms(self) -> float:
        """When the agent was first to be heard."""
        return self.result.recording.played()[0].start_ms


@dataclass
class Desk:
    """Orders calls."""

    phone: Phone
    office: Office

    async def call(
        self, callee: Callee, agent: str = "messenger", *, day: str = "Friday", **telephone: Any
    ) -> CallOut:
        """Until the call is over, and reported."""
        number = f"+{next(_numbers)}"
        exchange = self.phone.exchange
        line = Telephone(party=lambda: callee, **telephone)
        exchange.telephones = {**exchange.telephones, number: line}
        variables = {"day": day} if agent == "messenger" else {}
        call_id = await self.office.order(number, agent, variables)
        sid = await self.office.placed(call_id, 30)
        outgoing = exchange.calls[sid]
        assert outgoing.task is not None
        try:
            result: CallResult = await outgoing.task
        except AssertionError as error:
            error.add_note(await self.phone.story(outgoing.call))
            raise
        order = await self.office.came_out(call_id, 30)
        report = await self.office.report(sid)
        assert report is not None
        return CallOut(callee, result, await self.phone.bus.read_log(sid), order, json.loads(report))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(phone: Phone) -> AsyncIterator[Desk]:
    headers = {"authorization": f"Bearer {phone.stack.secret('SCHEDULER_SECRET')}"}
    async with httpx.AsyncClient(
        base_url=phone.stack.scheduler_url, headers=headers, trust_env=False, timeout=30
    ) as http:
        yield Desk(phone, Office(http))


async def listen(caller: Caller) -> None:
    await caller.listen(quiet_ms=PAUSE_MS)


async def hello(caller: Caller) -> None:
    """The one to whom a screener puts the call through."""
    await caller.say(speak("Hello?"))
    await agree(caller)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def calls(desk: Desk) -> Calls[CallOut]:
    """All of them, several at a time."""
    await asyncio.to_thread(lambda: [speak(line) for line in ("Hello?", "yes please", "goodbye")])
    return await Calls.hold(
        {
            "person": desk.call(person(agree)),
            "mute": desk.call(mute(listen)),
            "machine": desk.call(machine(MAILBOX)),
            "hung_up_on": desk.call(machine(MAILBOX), "shy"),
            "fax": desk.call(Fax()),
            "screened": desk.call(screener("Who is calling please?", hello)),
            "busy": desk.call(mute(listen), fate="busy"),
            "no_answer": desk.call(mute(listen), fate="no-answer"),
        }
    )


class Fax(Callee):
    """Whistles, and waits to be whistled at."""

    def __init__(self) -> None:
        async def whistle(caller: Caller) -> None:
            self.greeted.set()
            await caller.expect_hangup()

        super().__init__("machine", whistle)

    async def verdict(self, mode: str) -> str:
        await self.greeted.wait()
        return "fax"


async def test_a_person_says_hello_and_is_greeted_once(calls: Calls[CallOut]) -> None:
    call = calls["person"]
    (hello, *_) = call.caller.said
    assert call.first_words_ms > hello.end_ms
    assert call.caller.responses[0].response_ms < ANSWERED_MS
    assert [call.heard(turn) for turn in (1, 2, 3)] == [GREETING, "You are confirmed.", "Goodbye."]
    assert [utterance.text for utterance in call.events(Utterance)][1:] == ["yes please", "goodbye"]
    assert [sentence.turn for sentence in call.events(Sentence)] == [1, 1, 2, 3]
    assert call.events(Interrupted) == []


async def test_the_order_and_the_report_say_how_it_came_out(calls: Calls[CallOut]) -> None:
    call = calls["person"]
    assert (call.order.state, call.report["outcome"]) == ("completed", "completed")
    assert call.report["answeredBy"] == "human"
    assert call.verbs == ["Connect", "Redirect", "Hangup"]
    (started,) = call.events(Started)
    assert (started.direction, started.context["day"]) == ("outbound", "Friday")


async def test_who_says_nothing_is_greeted_after_a_second_and_a_half(calls: Calls[CallOut]) -> None:
    call = calls["mute"]
    assert 1500 <= call.first_words_ms <= 1500 + ANSWERED_MS
    assert [utterance.ended_by for utterance in call.events(Utterance)] == ["no_input"]
    assert call.heard(1) == GREETING


async def test_the_message_begins_after_the_beep_and_is_on_the_machine_whole(calls: Calls[CallOut]) -> None:
    call = calls["machine"]
    beep = call.caller.said[-1]
    spans = call.spans_after(beep.end_ms)
    last_words = [heard for heard in call.events(Heard) if heard.turn == call.state.latest_turn]
    assert call.heard(call.state.latest_turn) == MESSAGE
    assert all(heard.complete and heard.known_by == "mark" for heard in last_words)
    # What was played last is the message, whole, with as many gaps as the machine makes. The agent had begun to greet,
    # perhaps: then it stopped, and was quiet for a while, or what was played last would be longer.
    message_ms = sum(heard.played_ms for heard in last_words)
    played_ms = 0.0
    while played_ms < message_ms - 100:
        span = spans.pop()
        played_ms += span.duration_ms
    assert played_ms == pytest.approx(message_ms, abs=100)
    assert span.start_ms >= beep.end_ms
    assert call.result.ended_by == "application"
    assert (call.order.state, call.report["outcome"]) == ("voicemail", "voicemail")
    assert call.report["answeredBy"] == "machine_end_beep"


async def test_a_machine_is_hung_up_on_as_soon_as_it_is_known(calls: Calls[CallOut]) -> None:
    call = calls["hung_up_on"]
    assert call.result.ended_by == "application"
    # It was known after 2.4 s, in the middle of the greeting, to which the agent had nothing to say yet.
    assert call.caller.now_ms < 2400 + ANSWERED_MS
    assert call.caller.said == []
    assert call.events(Sentence) == []
    assert [utterance.ended_by for utterance in call.events(Utterance)][-1] == "machine"
    assert (call.order.state, call.report["outcome"]) == ("voicemail", "voicemail")
    assert call.report["answeredBy"] == "machine_start"


async def test_a_fax_gets_no_message(calls: Calls[CallOut]) -> None:
    call = calls["fax"]
    assert call.events(Sentence) == []
    assert (call.order.state, call.report["answeredBy"]) == ("voicemail", "fax")


async def test_a_screener_hears_who_and_why_and_the_person_is_greeted(calls: Calls[CallOut]) -> None:
    call = calls["screened"]
    said = [utterance.text for utterance in call.events(Utterance)]
    assert said[:2] == ["who is calling please", "please hold"]
    assert [call.heard(turn) for turn in (1, 2, 3, 4)] == [WHO, "", GREETING, "You are confirmed."]
    assert [response.said.text for response in call.caller.responses][1] == "Hello?"
    assert all(response.response_ms < ANSWERED_MS for response in call.caller.responses)
    assert call.order.state == "completed"


@pytest.mark.parametrize("fate", ["busy", "no_answer"])
async def test_nobody_to_talk_to(calls: Calls[CallOut], fate: str) -> None:
    call = calls[fate]
    assert (call.order.state, call.report["outcome"]) == (fate, fate)
    assert call.events(Started) == []
    assert [status.direction for status in call.events(Status)][:1] == ["outbound"]


async def test_nothing_is_sent_against_the_protocol(calls: Calls[CallOut]) -> None:
    for name, call in calls.all():
        assert call.result.debugger.protocol_warnings == [], name

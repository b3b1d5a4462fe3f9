"""Which keys cut the agent. What they mean is in tests/stt/test_core_keys.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from voxbus.common import events as ev
from voxbus.common.agents import Agent, Dtmf, Lines
from voxbus.common.events import Stored
from voxbus.common.fold import CallState, fold
from voxbus.gateway.core_keys import Keys

from .twilio import Running, Twilio, Workers

FRAME = bytes(range(160))


def call(dtmf: Dtmf | None = None, *keys: tuple[str, int]) -> CallState:
    agent = Agent(name="a", prompt="p", lines=Lines(greeting="Hi."), dtmf=dtmf or Dtmf())
    log: list[ev.Event] = [
        ev.Started(call="c", stream_sid="M", session="s", direction="inbound", agent=agent),
        *(
            ev.Dtmf(call="c", stream_sid="M", sequence=number, digit=digit, media_ms=at_ms)
            for number, (digit, at_ms) in enumerate(keys, 1)
        ),
    ]
    return fold(Stored(number, 0.0, event) for number, event in enumerate(log, 1))


@pytest.mark.parametrize(
    ("keys", "cut"),
    [
        ([("1", 0)], [True]),
        ([("1", 0), ("2", 100)], [True, True]),
        ([("1", 0), ("#", 200)], [True, False]),
        ([("1", 0), ("#", 200), ("#", 400)], [True, False, False]),
        ([("1", 0), ("#", 5000)], [True, False]),
        ([("1", 0), ("#", 5001)], [True, True]),
        ([("#", 0)], [True]),
        ([("#", 0), ("#", 200)], [True, False]),
        ([("#", 0), ("1", 200)], [True, True]),
    ],
)
def test_a_terminator_cuts_nothing_after_a_code(keys: list[tuple[str, int]], cut: list[bool]) -> None:
    pressed = Keys(call(Dtmf(length=1)))
    assert [pressed.cuts(digit, at_ms, speaks=True) for digit, at_ms in keys] == cut
    assert pressed.count == len(keys)


def test_a_terminator_leaves_an_answer_that_is_not_heard_yet() -> None:
    assert not Keys(call()).cuts("#", 0, speaks=False)
    assert Keys(call()).cuts("1", 0, speaks=False)


def test_an_agent_names_its_terminator_and_its_patience() -> None:
    assert Keys(call(Dtmf(terminator=""))).cuts("#", 0, speaks=False)
    patient = Keys(call(Dtmf(terminator="*", timeout_ms=9000)))
    assert [patient.cuts(key, at_ms, speaks=True) for key, at_ms in (("#", 0), ("*", 9000))] == [True, False]


def test_a_code_may_end_on_another_stream() -> None:
    assert not Keys(call(None, ("1", 1000))).cuts("#", 3000, speaks=True)


@pytest.mark.asyncio(loop_scope="session")
async def test_the_answer_to_a_code_is_not_cut_by_its_terminator(
    gateway: Running, workers: Callable[[str], Workers]
) -> None:
    call, agent = await calling(gateway, workers)
    await agent.say("One two three four.", FRAME * 500)
    await call.wait_for("media")
    await call.press("1")
    (cut,) = await gateway.log(call.sid, ev.Interrupted)
    assert cut.turn == 1
    await agent.utterance(text="1", ended_by="dtmf")
    await agent.say("Five.", FRAME * 5, turn=2)
    await call.press("#")
    await gateway.log(call.sid, ev.Dtmf, 2)
    (mark,) = await call.wait_for("mark")
    await call.mark(mark["mark"]["name"])
    heard = await gateway.log(call.sid, ev.Heard, 2)
    assert [(event.turn, event.complete) for event in heard] == [(1, False), (2, True)]
    assert len(await gateway.log(call.sid, ev.Interrupted)) == 1


@pytest.mark.asyncio(loop_scope="session")
async def test_a_key_is_in_the_log_behind_what_it_cut(
    gateway: Running, workers: Callable[[str], Workers]
) -> None:
    call, agent = await calling(gateway, workers)
    await agent.say("One two three four.", FRAME * 500)
    await call.wait_for("media")
    await call.press("#")
    await gateway.log(call.sid, ev.Dtmf)
    kinds = [stored.event.kind for stored in await gateway.bus.read_log(call.sid)]
    assert kinds.index("interrupted") < kinds.index("dtmf")


async def calling(gateway: Running, workers: Callable[[str], Workers]) -> tuple[Twilio, Workers]:
    call = gateway.call()
    await call.begin()
    await gateway.log(call.sid, ev.Started)
    agent = workers(call.sid)
    await agent.attach()
    return call, agent

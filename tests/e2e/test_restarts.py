"""Gateways and NATS end while calls last: the line breaks, and the conversation goes on."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import pytest

from voxbus.common.events import Ended, Heard, ReportDelivered, Resumed, Utterance
from voxbus.common.fold import fold
from voxbus.devkit.caller import Caller, ScriptFailed
from voxbus.devkit.carrier import Call
from voxbus.devkit.speech import speak

from .conftest import PAUSE_MS
from .deaths import STORY, Supervisor, Watch, ask, assert_nothing_was_played_twice, assert_stories, silence_ms

if TYPE_CHECKING:
    from .conftest import Phone

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

#: The agent goes on within 2 s on a quiet machine; the rest is room for a busy one.
GOES_ON_MS = 8000
_REPORTED_S = 30.0


async def reported(phone: Phone, call: Call) -> list[ReportDelivered]:
    """What the log says of the report, once it says anything."""
    async with asyncio.timeout(_REPORTED_S):
        while fold(log := await phone.bus.read_log(call.result.call_sid)).reported is None:
            await asyncio.sleep(0.05)
    return [stored.event for stored in log if isinstance(stored.event, ReportDelivered)]


async def test_a_gateway_that_is_told_to_go_hands_its_call_over_in_a_quiet_moment(
    phone: Phone, watch: Watch, supervisor: Supervisor
) -> None:
    call = phone.carrier.prepare(phone.plan("brief"))

    async def script(caller: Caller) -> None:
        await caller.listen(quiet_ms=PAUSE_MS)
        resumed = watch.soon(Resumed, call)
        ending = asyncio.create_task(
            supervisor.end("gateway-0", signal.SIGTERM)
        )  # the first that the route tries
        await ask(caller, call, watch, 2)
        assert await ending == 0
        await resumed
        await caller.say(speak("goodbye"))
        await caller.expect_hangup()

    held = await phone.hold(call, script)
    verbs = [verb for verb in held.verbs if verb != "Pause"]
    assert verbs == ["Connect", "Redirect", "Connect", "Redirect", "Hangup"]
    assert held.heard(2) == " ".join(STORY)
    assert held.result.debugger.codes == [31921, 31921]


async def test_a_gateway_is_killed_while_the_agent_speaks(
    phone: Phone, watch: Watch, supervisor: Supervisor
) -> None:
    goes_on = phone.carrier.prepare(phone.plan("brief"))
    breaks_off = phone.carrier.prepare(phone.plan("brief", on_loss="end_call"))

    async def script(caller: Caller) -> None:
        await caller.listen(quiet_ms=PAUSE_MS)
        killing = asyncio.create_task(kill())
        await ask(caller, goes_on, watch, 2)
        assert await killing == -signal.SIGKILL
        await caller.say(speak("goodbye"))
        await caller.expect_hangup()

    async def kill() -> int:
        await watch.first(Heard, goes_on, turn=2, sentence=0)
        return await supervisor.end("gateway-0")

    async def script_of_who_is_cut_off(caller: Caller) -> None:
        with pytest.raises(ScriptFailed, match="the call ended"):
            await caller.listen(quiet_ms=60_000)

    held, cut_off = await asyncio.gather(
        phone.hold(goes_on, script), phone.hold(breaks_off, script_of_who_is_cut_off)
    )
    # Where the carrier runs the next verb, the other gateway goes on with the sentence that was cut.
    assert len(held.events(Resumed)) == 1
    assert set(held.result.debugger.codes) == {31921, 31903}
    assert [utterance.text for utterance in held.events(Utterance)] == ["tell me a story", "goodbye"]
    assert held.heard(2) == " ".join(STORY)
    again_ms = sum(span.duration_ms for span in held.result.recording.played()) - sum(
        heard.played_ms for heard in held.events(Heard)
    )
    (second,) = (heard for heard in held.events(Heard) if heard.turn == 2 and heard.sentence == 1)
    assert again_ms < second.played_ms + 200
    assert silence_ms(held) < GOES_ON_MS, f"{silence_ms(held)} ms"
    # Where it ends the call instead, the call has ended, and is reported.
    assert cut_off.result.ended_by == "connection"
    (ended,) = cut_off.events(Ended)
    assert (ended.reason, ended.detail) == ("carrier", "completed")
    assert len(await reported(phone, breaks_off)) == 1
    assert len(await reported(phone, goes_on)) == 1


async def test_a_gateway_is_killed_in_the_middle_of_a_goodbye(
    phone: Phone, watch: Watch, supervisor: Supervisor
) -> None:
    call = phone.carrier.prepare(phone.plan("brief"))

    async def script(caller: Caller) -> None:
        await caller.listen(quiet_ms=PAUSE_MS)
        half_said = watch.soon(Heard, call, turn=2, sentence=0)
        await asyncio.sleep(0)
        await caller.press("8")
        await half_said
        await supervisor.end("gateway-0")
        await caller.expect_hangup()

    held = await phone.hold(call, script)
    assert held.heard(2) == "It was good to talk. I hope that the goat is well, and goodbye."
    assert [heard.complete for heard in held.events(Heard) if heard.turn == 2] == [True, True]
    # A gateway that is not told in time that the goodbye was heard takes the call once more, to hang up itself.
    assert held.verbs[:4] == ["Connect", "Redirect", "Connect", "Redirect"]
    assert held.verbs[-1] == "Hangup"
    assert [ended.reason for ended in held.events(Ended)] == ["agent_hung_up"]


async def test_nats_restarts_while_callers_and_agents_speak(phone: Phone, watch: Watch) -> None:
    calls = [phone.carrier.prepare(phone.plan("brief")) for _ in range(2)]
    asking, listening = calls

    async def ask_through_it(caller: Caller) -> None:
        await caller.listen(quiet_ms=PAUSE_MS)
        await watch.first(Heard, listening, turn=2, sentence=0)
        restarting = asyncio.create_task(phone.stack.nats.restart(signal.SIGKILL, down_s=0.3))
        await ask(caller, asking, watch, 2)
        await restarting

    async def listen_through_it(caller: Caller) -> None:
        await caller.listen(quiet_ms=PAUSE_MS)
        await caller.wait(600)  # until the other one listens as well
        await ask(caller, listening, watch, 2, key="1")

    held = await asyncio.gather(phone.hold(asking, ask_through_it), phone.hold(listening, listen_through_it))
    for one, said in zip(held, ("tell me a story", "1"), strict=True):
        assert_stories(one, 1, said=said)
        assert_nothing_was_played_twice(one)
    for call in calls:
        assert len(await reported(phone, call)) == 1

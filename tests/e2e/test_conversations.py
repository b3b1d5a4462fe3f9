"""Calls that go as they should, several at once on one stack, and what each end of them saw."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from voxbus.common.audio import HZ, active_level_dbfs, peak_dbfs
from voxbus.common.events import (
    BargeIn,
    Dtmf,
    Heard,
    Interrupted,
    Sentence,
    SpeechStarted,
    Started,
    Status,
    Utterance,
)
from voxbus.devkit.caller import Caller
from voxbus.devkit.carrier import LineQuality
from voxbus.devkit.speech import speak

from .conftest import PAUSE_MS, Calls, Held, agree

if TYPE_CHECKING:
    from .conftest import Phone

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

#: Words a minute. People hum for half a second; what lasts 700 ms is meant.
HUM_RATE = 280

GREETING = "Hello, this is a test."
BYE = "goodbye"

#: The silence that ends a turn, and a second for everything else. How fast it is in the end the benchmark says; here
#: several calls share a machine that may be busy with others as well.
ANSWERED_MS = 5000.0

#: From the caller's first frame to the agent's silence, on a machine that may be busy. The demo and the benchmark say
#: how long it takes in the end.
CLEARED_MS = 5000.0


async def barge_in(caller: Caller) -> None:
    await caller.listen(quiet_ms=PAUSE_MS)
    await caller.say(speak("tell me a story"))
    await caller.interrupt(speak("please stop that"), after_ms=1500)
    await caller.listen(quiet_ms=PAUSE_MS)
    await caller.say(speak(BYE))
    await caller.expect_hangup()


async def backchannel(caller: Caller) -> None:
    await caller.listen(quiet_ms=PAUSE_MS)
    await caller.say(speak("tell me a story"))
    await caller.mm_hm(speak("mm-hm", rate=HUM_RATE), after_ms=1500)
    await caller.listen(quiet_ms=PAUSE_MS)


async def story(caller: Caller) -> None:
    await caller.listen(quiet_ms=PAUSE_MS)
    await caller.say(speak("tell me a story"))
    await caller.listen(quiet_ms=PAUSE_MS)


async def story_after_a_stall(caller: Caller) -> None:
    """The connection stands still while the greeting ends: its echo comes when the agent has long been silent."""
    await caller.until_speaking(1000)
    caller.stall(700)
    await story(caller)


async def silence(caller: Caller) -> None:
    await caller.expect_hangup(timeout_s=30)


async def keys(caller: Caller) -> None:
    await caller.listen(quiet_ms=PAUSE_MS)
    await caller.press("1#")
    await caller.listen(quiet_ms=PAUSE_MS)


async def key_over_the_agent(caller: Caller) -> None:
    await caller.listen(quiet_ms=PAUSE_MS)
    await caller.say(speak("tell me a story"))
    await caller.until_speaking(1500)
    await caller.press("1#")
    await caller.listen(quiet_ms=PAUSE_MS)


async def terminators(caller: Caller) -> None:
    """One alone over the greeting, then one behind a code that was complete without it."""
    await caller.until_speaking(100)
    await caller.press("#")
    await caller.listen(quiet_ms=PAUSE_MS)
    await caller.press("2#")
    await caller.listen(quiet_ms=PAUSE_MS)


async def unknown_words(caller: Caller) -> None:
    await caller.listen(quiet_ms=PAUSE_MS)
    await caller.say(speak("the moon is made of old green cheese"))
    await caller.listen(quiet_ms=PAUSE_MS)


async def hanging_up(caller: Caller) -> None:
    await caller.listen(quiet_ms=PAUSE_MS)
    await caller.say(speak("tell me a story"))
    await caller.until_speaking(500)
    await caller.hang_up()


async def second_thoughts(caller: Caller) -> None:
    await caller.listen(quiet_ms=PAUSE_MS)
    await caller.say(speak(BYE))
    await caller.listen(quiet_ms=60)  # a second later it would be too late
    await caller.say(speak("yes please"))
    await caller.listen(quiet_ms=PAUSE_MS)
    await caller.say(speak(BYE))
    await caller.expect_hangup()


SCRIPTS = (
    agree,
    barge_in,
    backchannel,
    story,
    keys,
    key_over_the_agent,
    unknown_words,
    hanging_up,
    second_thoughts,
)
ECHO = LineQuality(echo_db=-24, echo_delay_ms=220, noise_dbfs=-60)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def calls(phone: Phone) -> Calls[Held]:
    """Every script above, several at a time; ``story`` over lines with an echo, too."""
    return await Calls.hold(
        {
            "silence": phone.call(silence, "impatient"),
            "terminators": phone.call(terminators, "brief"),
            "echo": phone.call(story, line=ECHO),
            "stall": phone.call(story_after_a_stall, line=ECHO),
            **{script.__name__: phone.call(script) for script in SCRIPTS},
        }
    )


async def test_a_call_from_hello_to_goodbye(calls: Calls[Held]) -> None:
    call = calls["agree"]
    assert [utterance.text for utterance in call.events(Utterance)] == ["yes please", "goodbye"]
    assert [call.heard(turn) for turn in (1, 2, 3)] == [GREETING, "You are confirmed.", "Goodbye."]
    assert all(heard.complete and heard.known_by == "mark" for heard in call.events(Heard))
    assert [response.response_ms < ANSWERED_MS for response in call.caller.responses] == [True]
    (started,) = call.events(Started)
    assert (started.direction, started.agent.name) == ("inbound", "talker")


async def test_the_agent_hangs_up_through_the_next_verb(calls: Calls[Held]) -> None:
    call = calls["agree"]
    assert call.verbs == ["Connect", "Redirect", "Hangup"]
    assert call.result.ended_by == "application"
    assert call.state.ended is not None
    assert call.state.ended.reason == "agent_hung_up"
    assert [status.status for status in call.events(Status)] == ["completed"]


async def test_who_speaks_after_the_goodbye_is_answered_and_not_hung_up_on(calls: Calls[Held]) -> None:
    call = calls["second_thoughts"]
    assert [call.heard(turn) for turn in (2, 3, 4)] == ["Goodbye.", "You are confirmed.", "Goodbye."]
    assert call.verbs == ["Connect", "Redirect", "Hangup"]


async def test_nothing_is_sent_against_the_protocol(calls: Calls[Held]) -> None:
    for name, call in calls.all():
        assert call.result.debugger.protocol_warnings == [], name
        # 31921 is logged for every close of ours that leads to the next verb.
        assert set(call.result.debugger.codes) <= {31921}, name


async def test_the_playout_never_runs_dry(calls: Calls[Held]) -> None:
    for name in ("agree", "story", "keys"):
        assert calls[name].result.recording.gaps(shorter_than_ms=200) == (), name


async def test_the_agent_is_as_loud_as_it_should_be(calls: Calls[Held]) -> None:
    agent = calls["story"].result.recording.agent
    assert -22.0 <= active_level_dbfs(agent, HZ) <= -18.0
    assert peak_dbfs(agent) <= -3.0


async def test_an_interruption_stops_the_agent_at_once(calls: Calls[Held]) -> None:
    call = calls["barge_in"]
    (reaction,) = call.caller.reactions
    assert reaction.clear_ms is not None
    assert reaction.clear_ms < CLEARED_MS
    # It falls silent at the one, and the other, after half a second more of speech, says that it was right to.
    log = [stored.event for stored in call.log]
    over_agent = next(event for event in call.events(SpeechStarted) if event.over_agent)
    assert log.index(over_agent) < log.index(call.events(BargeIn)[0])
    (interrupted,) = call.events(Interrupted)
    assert interrupted.turn == 2
    heard, whole = call.heard(2), calls["story"].heard(2)
    assert whole.startswith(heard)
    assert len(heard.split()) < len(whole.split())


async def test_the_words_of_the_interruption_are_the_next_turn(calls: Calls[Held]) -> None:
    call = calls["barge_in"]
    said = [utterance.text for utterance in call.events(Utterance) if not utterance.backchannel]
    assert said == ["tell me a story", "please stop that", "goodbye"]
    assert call.heard(3) == "I stopped."


async def test_the_agent_goes_on_after_mm_hm(calls: Calls[Held]) -> None:
    call = calls["backchannel"]
    assert call.events(Interrupted) == []
    assert len(call.events(Heard)) == len(call.events(Sentence))
    assert call.heard(2) == calls["story"].heard(2)
    assert call.state.latest_turn == 2  # it was no turn


@pytest.mark.parametrize("name", ["echo", "stall"])
async def test_its_own_echo_never_interrupts_the_agent(calls: Calls[Held], name: str) -> None:
    call = calls[name]
    assert call.events(BargeIn) == []
    assert call.events(Interrupted) == []
    assert [utterance.text for utterance in call.events(Utterance)] == ["tell me a story"]
    assert call.heard(2) == calls["story"].heard(2)


async def test_silence_is_answered_twice_and_then_ended(calls: Calls[Held]) -> None:
    call = calls["silence"]
    assert [utterance.ended_by for utterance in call.events(Utterance)] == ["no_input"] * 3
    heard = [call.heard(turn) for turn in (1, 2, 3, 4)]
    assert heard == ["Hello.", "Are you there?", "Hello again?", "Goodbye then."]
    assert call.verbs[-1] == "Hangup"


async def test_keys_are_an_utterance(calls: Calls[Held]) -> None:
    call = calls["keys"]
    assert [key.digit for key in call.events(Dtmf)] == ["1", "#"]
    assert [(utterance.text, utterance.ended_by) for utterance in call.events(Utterance)] == [("1", "dtmf")]
    assert call.heard(2) == "You are confirmed."


async def test_a_key_cuts_the_agent(calls: Calls[Held]) -> None:
    call = calls["key_over_the_agent"]
    pressed, cleared = (
        call.result.recording.times_of("pressed")[0],
        call.result.recording.times_of("clear")[0],
    )
    assert 0 <= cleared - pressed < CLEARED_MS
    (interrupted,) = call.events(Interrupted)
    assert interrupted.turn == 2
    assert call.heard(3) == "You are confirmed."


async def test_a_terminator_is_answered_alone_and_does_not_cut_the_answer_to_its_code(
    calls: Calls[Held],
) -> None:
    call = calls["terminators"]
    assert [key.digit for key in call.events(Dtmf)] == ["#", "2", "#"]
    said = [(utterance.text, utterance.ended_by) for utterance in call.events(Utterance)]
    assert said == [("", "no_words"), ("2", "dtmf")]
    assert (call.heard(2), call.heard(3)) == ("Say that again.", "You are confirmed.")


async def test_what_the_grammar_does_not_know_is_asked_for_again(calls: Calls[Held]) -> None:
    call = calls["unknown_words"]
    assert [utterance.text for utterance in call.events(Utterance)] == [""]
    assert call.heard(2) == "Say that again."


async def test_a_caller_who_hangs_up_ends_the_call(calls: Calls[Held]) -> None:
    call = calls["hanging_up"]
    assert call.state.ended is not None
    assert call.state.ended.reason == "caller_hung_up"
    assert call.verbs == ["Connect"]


async def test_ten_calls_at_once(phone: Phone) -> None:
    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(phone.call(agree)) for _ in range(10)]
    for call in (task.result() for task in calls):
        assert [utterance.text for utterance in call.events(Utterance)] == ["yes please", "goodbye"]
        assert [call.heard(turn) for turn in (1, 2, 3)] == [GREETING, "You are confirmed.", "Goodbye."]
        assert call.result.debugger.protocol_warnings == []

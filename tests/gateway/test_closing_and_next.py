"""When our side closes the socket, and what Twilio is told then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from voxbus.common import events as ev
from voxbus.common.agents import Agent, Voice
from voxbus.common.events import Event, Stored
from voxbus.common.fold import CallState, fold
from voxbus.gateway.core_closing import Closing
from voxbus.gateway.core_next import MAX_TRIES, Dial, HangUp, Next, Reconnect, decide

SID = "CA" + "0" * 32
SENTENCE = ev.Sentence(call=SID, turn=1, index=0, text="Bye.", voice=Voice())
REPLY_ENDED = ev.ReplyEnded(call=SID, turn=1, sentences=1, reason="complete")
HEARD = ev.Heard(
    call=SID, stream_sid="MZ0", turn=1, sentence=0, complete=True, played_ms=1, text="Bye.", known_by="mark"
)
HANGUP = ev.HangupRequested(call=SID, turn=1, reason="done")
TRANSFER = ev.TransferRequested(call=SID, turn=1, target="desk")
SPEECH = ev.SpeechStarted(call=SID, holder=2, media_ms=0, over_agent=False)


def said(turn: int, text: str, **more: Any) -> ev.Utterance:
    fields: dict[str, Any] = {"start_media_ms": 0, "end_media_ms": 1, "ended_by": "silence"} | more
    return ev.Utterance(call=SID, holder=2, turn=turn, text=text, **fields)


class Line:
    """A stream MZ0 of a call, from 0 ms on."""

    def __init__(self, agent: Agent) -> None:
        self.state = CallState()
        self.closing = Closing(self.state, "MZ0", 0)
        self._sequence = 0
        self.now = 0.0
        started = ev.Started(call=SID, stream_sid="MZ0", session="s", direction="inbound", agent=agent)
        self.log(started)

    def log(self, *events: Event) -> None:
        for event in events:
            self._sequence += 1
            if self.state.apply(Stored(self._sequence, 0, event)):
                self.closing.on_event(event, self.now)

    def attach(self) -> None:
        self.log(ev.Attached(call=SID, worker="w", nonce="n"))

    def due(self, now: float, silent_since: float | None = None) -> str | None:
        self.now = now
        return self.closing.due(now, silent_since)


@pytest.fixture
def line(agent: Agent) -> Line:
    return Line(agent)


def test_a_call_that_no_worker_takes(line: Line) -> None:
    assert line.due(2999, 0) is None
    assert line.due(3000, 0) == "no_capacity"
    line.attach()
    assert line.due(3001, 0) is None


def test_a_greeting_that_nobody_has(line: Line) -> None:
    line.attach()
    assert line.due(6999, 0) is None
    assert line.due(7000, 0) == "no_capacity"
    assert line.closing.lacking == "llm"


def test_a_greeting_that_nobody_speaks(line: Line) -> None:
    line.attach()
    line.now = 6000
    line.log(SENTENCE, REPLY_ENDED)
    assert line.due(12_999, 0) is None
    assert line.due(13_000, 0) == "no_capacity"
    assert line.closing.lacking == "tts"


def test_a_greeting_that_is_heard_is_owed_no_more(line: Line) -> None:
    line.attach()
    line.log(SENTENCE)
    line.closing.heard()
    assert line.due(60_000, 0) is None


def test_an_utterance_is_answered_in_time_or_never(line: Line) -> None:
    line.attach()
    line.log(SENTENCE, HEARD)
    line.now = 10_000
    line.log(said(2, "hello"))
    line.now = 18_000
    line.log(said(3, "hello?"))  # asking again does not make it younger
    assert line.due(24_999, 0) is None
    assert line.due(25_000, 0) == "no_capacity"
    assert line.closing.lacking == "llm"
    line.log(replace(SENTENCE, turn=3), replace(HEARD, turn=3))
    assert line.due(25_001, 0) is None


def test_who_asks_a_tool_is_waited_for(line: Line) -> None:
    line.attach()
    line.log(SENTENCE, HEARD, said(2, "look it up"))
    line.now = 10_000
    line.log(ev.ToolCalled(call=SID, turn=2, index=0, name="look_up", arguments="{}"))
    assert line.due(24_999, 0) is None
    assert line.due(25_000, 0) == "no_capacity"


def test_an_answer_may_be_to_say_nothing(line: Line) -> None:
    line.attach()
    line.log(SENTENCE, HEARD, said(2, "hold on"), replace(REPLY_ENDED, turn=2, sentences=0))
    assert line.due(60_000, 0) is None


def test_who_speaks_is_not_told_that_nobody_is_there(line: Line) -> None:
    line.attach()
    line.now = 6000
    line.log(SPEECH)
    assert line.due(7000, 0) is None


def test_while_the_bus_is_away_nothing_is_owed(line: Line) -> None:
    line.attach()
    line.closing.wait(20_000)
    assert line.due(26_999, 0) is None
    assert line.due(27_000, 0) == "no_capacity"


def test_while_the_bus_is_away_no_worker_can_take_the_call(line: Line) -> None:
    line.closing.wait(4_000)
    assert line.due(6_999, 0) is None
    assert line.due(7_000, 0) == "no_capacity"
    assert line.closing.lacking == "stt"


def test_a_machine_is_not_answered_before_it_is_through(agent: Agent) -> None:
    line = Line(agent.model_copy(update={"machine_detection": "leave_message"}))
    line.attach()
    line.log(said(2, "you have reached"), ev.Status(call=SID, sequence=0, answered_by="machine_start"))
    assert line.due(60_000, 0) is None


@pytest.mark.parametrize(("heard", "expected"), [(False, "no_capacity"), (True, None)])
def test_what_a_call_is_owed_goes_with_it_to_another_stream(
    line: Line, heard: bool, expected: str | None
) -> None:
    line.attach()
    line.log(SENTENCE, REPLY_ENDED, *([HEARD] if heard else []))
    closing = Closing(line.state, "MZ1", 100_000)
    resumed = ev.Resumed(call=SID, stream_sid="MZ1")
    line.log(resumed)
    closing.on_event(resumed, 100_000)
    assert closing.due(107_000, 0) == expected


def test_a_hangup_waits_for_the_verdict(line: Line) -> None:
    line.attach()
    line.log(SENTENCE, HANGUP)
    assert line.due(1000, None) is None
    line.log(REPLY_ENDED)
    assert line.due(1001, None) is None
    line.log(HEARD)
    assert line.due(2000, 1001) is None
    assert line.due(2001, 1001) == "agent_done"


def test_a_machine_is_hung_up_on_at_once(agent: Agent) -> None:
    line = Line(agent.model_copy(update={"machine_detection": "hang_up"}))
    line.attach()
    line.log(ev.Status(call=SID, sequence=0, answered_by="machine_start"))
    through = said(2, "", ended_by="machine")
    line.log(through, replace(HANGUP, turn=2), replace(REPLY_ENDED, turn=2, sentences=0))
    assert line.due(1, None) == "agent_done"


def test_a_transfer_waits_for_the_verdict_and_no_longer(line: Line) -> None:
    line.attach()
    line.log(SENTENCE, TRANSFER, REPLY_ENDED)
    assert line.due(1001, None) is None
    line.log(HEARD)
    assert line.due(1002, 1002) == "agent_done"


@pytest.mark.parametrize("begins_ms", [500, 1500])
def test_who_speaks_during_the_goodbye_or_after_it_is_waited_for(line: Line, begins_ms: float) -> None:
    line.attach()
    line.log(SENTENCE, HANGUP, REPLY_ENDED)
    line.due(begins_ms)
    line.log(SPEECH)
    line.due(1600)
    line.log(HEARD)
    assert line.due(9000, 1600) is None
    line.log(said(2, "wait"))
    assert line.due(23_999, 1600) is None


def test_a_murmur_after_the_goodbye_holds_the_hangup_only_while_it_lasts(line: Line) -> None:
    line.attach()
    line.log(SENTENCE, HANGUP, REPLY_ENDED, HEARD, SPEECH)
    assert line.due(2500, 0) is None
    line.log(said(1, "okay", backchannel=True))
    assert line.due(2501, 0) == "agent_done"


def test_a_guess_that_they_are_done_holds_the_hangup_until_it_is_confirmed(line: Line) -> None:
    line.attach()
    line.log(SENTENCE, HANGUP, REPLY_ENDED, HEARD, SPEECH)
    line.log(said(2, "one more thing", final=False))
    assert line.due(2500, 0) is None
    line.log(ev.UtteranceConfirmed(call=SID, holder=2, turn=2, attempt=0))
    assert line.due(12_000, 0) is None  # now the hangup is taken back
    assert line.state.hangup is None


def test_speech_that_nobody_decides_holds_a_hangup_for_a_while(line: Line) -> None:
    line.attach()
    line.log(SENTENCE, HANGUP, REPLY_ENDED, HEARD, SPEECH)
    assert line.due(14_999, 0) is None
    assert line.due(15_000, 0) == "agent_done"


def test_a_hangup_does_not_wait_for_audio_that_never_comes(line: Line) -> None:
    line.attach()
    line.due(10_000)
    line.log(SENTENCE, HANGUP, REPLY_ENDED)
    assert line.due(14_999, 0) is None
    assert line.due(15_000, 0) == "unheard"


def test_a_transfer_does_not_wait_for_audio_that_never_comes(line: Line) -> None:
    line.attach()
    line.log(SENTENCE, TRANSFER, REPLY_ENDED)
    assert line.due(4_999, 0) is None
    assert line.due(5_000, 0) == "agent_done"


def test_a_hangup_waits_for_as_long_as_the_agent_speaks(line: Line) -> None:
    line.attach()
    line.log(SENTENCE, HANGUP, REPLY_ENDED)
    assert line.due(60_000, None) is None
    assert line.due(61_000, 60_500) is None
    assert line.due(65_500, 60_500) == "unheard"


def test_an_utterance_cancels_the_hangup(line: Line) -> None:
    line.attach()
    line.log(SENTENCE, HANGUP, REPLY_ENDED)
    line.log(said(2, "wait"))
    assert line.due(14_999, 0) is None


def test_a_hangup_that_was_interrupted_waits_for_what_the_caller_has_to_say(line: Line) -> None:
    line.attach()
    line.log(SENTENCE, HANGUP, REPLY_ENDED)
    line.due(1000)
    line.log(ev.Interrupted(call=SID, stream_sid="MZ0", turn=1, sentence=0, played_ms=0, text=""))
    assert line.due(5999, 1000) is None
    assert line.due(6000, 1000) == "unheard"


def test_the_time_limit_cuts_thirty_seconds_later(line: Line) -> None:
    line.attach()
    line.due(1000)
    line.log(
        ev.Utterance(
            call=SID, holder=2, turn=2, text="", start_media_ms=0, end_media_ms=0, ended_by="time_limit"
        )
    )
    assert line.due(30_999, 0) is None
    assert line.due(31_000, 0) == "time_limit"


def test_another_stream_takes_over(line: Line) -> None:
    line.attach()
    line.log(ev.Resumed(call=SID, stream_sid="MZ1"))
    assert line.due(1, 0) == "superseded"


def test_a_stream_that_resumes_is_not_superseded_by_the_one_before(agent: Agent) -> None:
    line = Line(agent)
    closing = Closing(line.state, "MZ1", 0)
    assert closing.due(1, 0) is None


def test_a_call_that_somebody_ended(line: Line) -> None:
    line.log(ev.Ended(call=SID, reason="carrier"))
    assert line.due(1, None) == "ended"


# Another gateway takes over


def test_nobody_is_handed_over_unasked(line: Line) -> None:
    assert not line.closing.hands_over(10_000, 9_900)


@pytest.mark.parametrize(
    ("now", "silent_since", "expected"),
    [
        (1_300, None, False),  # the agent speaks
        (1_300, 1_200, True),  # it has just stopped
        (2_000, 1_200, False),  # the caller may be about to answer
        (6_900, 1_200, False),
        (7_000, 1_200, True),  # no better moment has come
        (12_900, None, False),
        (13_000, None, True),  # there is no more time
    ],
)
def test_a_call_is_handed_over_when_the_agent_has_just_stopped(
    line: Line, now: float, silent_since: float | None, expected: bool
) -> None:
    line.closing.hand_over(1_000, by_ms=13_000)
    assert line.closing.hands_over(now, silent_since) is expected


def test_a_call_is_not_handed_over_while_the_caller_speaks(line: Line) -> None:
    line.attach()
    line.closing.hand_over(0, by_ms=20_000)
    line.now = 100
    line.log(SPEECH)
    assert not line.closing.hands_over(200, 0)
    assert not line.closing.hands_over(11_000, 0)
    line.now = 11_000
    line.log(said(2, "hello"))
    assert line.closing.hands_over(11_100, 0)


# /twilio/next


@pytest.fixture
def started(agent: Agent) -> ev.Started:
    desk = agent.model_copy(update={"transfer_targets": {"desk": "+15550100"}})
    return ev.Started(call=SID, stream_sid="MZ0", session="s", direction="inbound", agent=desk)


def test_a_call_that_goes_on_gets_a_new_stream(
    stored: Callable[..., list[Stored]], started: ev.Started
) -> None:
    state = fold(stored(started))
    assert decide(state, 0, 0) == Reconnect(1, 0)
    assert decide(state, 1, 0) == Reconnect(1, 1)
    state = fold(stored(started, ev.Resumed(call=SID, stream_sid="MZ1")))
    assert decide(state, 1, 2) == Reconnect(2, 0)


def test_streams_that_never_start_end_the_call() -> None:
    decision = decide(CallState(), 0, 0)
    tries = 0
    while isinstance(decision, Reconnect):
        tries += 1
        decision = decide(CallState(), decision.streams, decision.tries)
    assert tries == MAX_TRIES - 1
    assert decision == HangUp("connection_lost", "the media stream could not be started", apologize=True)


def test_a_caller_who_was_not_told_why_is_told_by_the_carrier(
    stored: Callable[..., list[Stored]], started: ev.Started
) -> None:
    ended = ev.Ended(call=SID, reason="no_capacity", unsaid=True)
    assert decide(fold(stored(started, ended)), 0, 0) == HangUp(None, apologize=True)


def test_a_call_that_has_begun_is_not_apologized_to(
    stored: Callable[..., list[Stored]], started: ev.Started
) -> None:
    decision = decide(fold(stored(started)), 1, MAX_TRIES - 1)
    assert decision == HangUp("connection_lost", "the media stream could not be started")


RESUMED = ev.Resumed(call=SID, stream_sid="MZ1")
CUT = ev.Interrupted(call=SID, stream_sid="MZ0", turn=1, sentence=0, played_ms=0, text="")


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ((SENTENCE, HANGUP, REPLY_ENDED, HEARD), HangUp("agent_hung_up")),
        ((HANGUP, replace(REPLY_ENDED, sentences=0)), HangUp("agent_hung_up")),  # nothing was to be said
        ((SENTENCE, HANGUP), Reconnect(1, 0)),  # there may be more of it
        ((SENTENCE, HANGUP, REPLY_ENDED), Reconnect(1, 0)),
        ((SENTENCE, replace(SENTENCE, index=1), HANGUP, REPLY_ENDED, HEARD), Reconnect(1, 0)),
        ((SENTENCE, HANGUP, REPLY_ENDED, CUT), Reconnect(1, 0)),  # the caller has something to say
        ((RESUMED, SENTENCE, HANGUP, REPLY_ENDED), Reconnect(2, 0)),
        ((SENTENCE, HANGUP, REPLY_ENDED, RESUMED), HangUp("agent_hung_up")),  # once more is enough
        ((SENTENCE, HANGUP, REPLY_ENDED, ev.Ended(call=SID, reason="agent_hung_up")), HangUp(None)),
    ],
)
def test_a_goodbye_that_broke_off_is_gone_on_with_once(
    stored: Callable[..., list[Stored]], started: ev.Started, log: tuple[Event, ...], expected: Next
) -> None:
    attached = ev.Attached(call=SID, worker="w", nonce="n")
    assert decide(fold(stored(started, attached, said(1, "bye"), *log)), 0, 0) == expected


def test_a_goodbye_that_cannot_go_on_is_left_out(
    stored: Callable[..., list[Stored]], started: ev.Started
) -> None:
    state = fold(stored(started, SENTENCE, HANGUP, REPLY_ENDED))
    decision = decide(state, 1, MAX_TRIES - 1)
    assert isinstance(decision, HangUp)
    assert decision.ended == "agent_hung_up"


def test_hangup_and_transfer(stored: Callable[..., list[Stored]], started: ev.Started) -> None:
    assert decide(fold(stored(started, HANGUP)), 0, 0) == HangUp("agent_hung_up")
    assert decide(fold(stored(started, SENTENCE, TRANSFER)), 0, 0) == Dial("+15550100")
    unknown = replace(TRANSFER, target="nobody")
    assert decide(fold(stored(started, SENTENCE, unknown)), 0, 0) == HangUp(
        "error", "the transfer target has no number"
    )


def test_an_ended_call_is_hung_up(stored: Callable[..., list[Stored]], started: ev.Started) -> None:
    assert decide(fold(stored(started, ev.Ended(call=SID, reason="time_limit"))), 0, 0) == HangUp(None)

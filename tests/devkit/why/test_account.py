"""What the account of a call says, on scripted logs."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxbus.common import events as ev
from voxbus.common.agents import Voice
from voxbus.devkit.why.core_account import account, lines

if TYPE_CHECKING:
    from tests.conftest import Script


def told(script: Script) -> list[str]:
    """Without the first line, which says what call it is."""
    return list(lines(account(script.log)))[1:]


def found(script: Script) -> list[tuple[int, str]]:
    """(turn, text) of each finding."""
    return [(one.turn, one.text) for one in account(script.log).findings]


def talk(script: Script, turns: int = 4) -> Script:
    """A greeting and answers, each 800 ms after the caller's last word."""
    script.start().at(0.3).answers(1, "Hello there.").at(1.5).hears(1, played_ms=1000)
    for turn in range(2, turns + 2):
        script.at(turn * 5).says(turn, "what time is it").at(turn * 5 + 0.2).answers(turn, "It is noon.")
        script.at(turn * 5 + 2).hears(turn, response_ms=800.0)
    return script


def test_a_call_as_it_should_be(script: Script) -> None:
    talk(script).at(60).ends("agent_hung_up").add(ev.ReportDelivered(call=script.sid, attempts=1))
    assert told(script) == [
        "The agent hung up.",
        "The report was delivered at attempt 1.",
        "Nothing unusual.",
    ]
    head = next(lines(account(script.log)))
    assert head.startswith(f"{script.sid}: inbound call, agent test_agent, 2023-11-1")
    assert head.endswith(", 60 s, 5 turns: completed")


def test_a_goodbye_that_was_not_heard_is_told(script: Script) -> None:
    talk(script).at(30).says(6, "bye").answers(6, "Goodbye.").ends("agent_hung_up")
    assert told(script)[0] == "The agent hung up, and its goodbye was not heard."


def test_nobodys_words_and_numbers_are_told(script: Script) -> None:
    talk(script).at(30).says(6, "my secret", dropped_frames=3).answers(6, "Sorry.", fallback="timeout").ends()
    text = "\n".join(lines(account(script.log)))
    assert not re.search(r"secret|noon|Sorry|\+1555|what time", text)


@pytest.mark.parametrize(
    ("fields", "stage"),
    [
        (
            {"endpoint_ms": 1700.0},
            "waiting for the end of what the caller said took 1700 ms (in this call usually 500)",
        ),
        ({"recognition_ms": 1300.0}, "recognition took 1300 ms (in this call usually 20)"),
    ],
)
def test_a_slow_answer_names_the_stage_that_was_slow(
    script: Script, fields: dict[str, float], stage: str
) -> None:
    talk(script).at(30).says(6, "and now", **fields).answers(6, "Soon.").at(33).hears(6, response_ms=2000.0)
    assert found(script.ends()) == [
        (6, f"answered 2000 ms after the caller's last word (in this call usually 800): {stage}")
    ]


def test_a_slow_model_and_a_slow_bus(script: Script) -> None:
    talk(script).at(30).says(6, "and now").answers(6, "Soon.", first_token_ms=1000.0)
    script.at(33).hears(6, response_ms=2700.0)
    ((turn, text),) = found(script.ends())
    assert turn == 6
    assert text.endswith(
        "the way between the services (the bus, a queue, a worker that died) took 1070 ms (in this call usually 70), "
        "the model's first word took 1000 ms (in this call usually 100)"
    )


def test_a_job_that_came_back_shows_without_other_turns_to_compare_with(script: Script) -> None:
    script.start().says(2, "hello").answers(2, "Hi.").at(3).hears(2, response_ms=1750.0).ends()
    ((_, text),) = found(script)
    assert text.endswith("the way between the services (the bus, a queue, a worker that died) took 1020 ms")


def test_a_little_more_than_usual_is_nothing(script: Script) -> None:
    talk(script).at(30).says(6, "and now").answers(6, "Soon.").at(33).hears(6, response_ms=1090.0).ends()
    assert found(script) == []


def test_a_call_that_is_slow_throughout_is_not_its_own_excuse(script: Script) -> None:
    script.start().says(2, "hello").answers(2, "Hi.", first_token_ms=1500.0)
    script.at(3).hears(2, response_ms=2200.0).ends()
    assert found(script) == [
        (2, "answered 2200 ms after the caller's last word: the model's first word took 1500 ms")
    ]


def test_dead_air_before_an_answer_and_inside_it(script: Script) -> None:
    talk(script).at(30).says(6, "and now").at(30.2).answers(6, "One.", "Two.", "Three.")
    script.at(35).hears(6, 0, response_ms=4000.0).at(38).hears(6, 1).at(39).hears(6, 2).ends()
    texts = [text for turn, text in found(script) if turn == 6]
    assert "dead air: 3480 ms without a word of the answer, fillers aside" in texts
    assert "dead air: 2100 ms of silence before sentence 2" in texts
    assert len(texts) == 3  # and the slow answer


def test_who_was_not_answered(script: Script) -> None:
    script.start().at(1).says(2, "hello").at(5).says(3, "hello?").answers(3, "Hi.").hears(3).ends()
    assert found(script) == [(2, "never answered, for 4.0 s")]


def test_who_hung_up_at_once_was_not_left_waiting(script: Script) -> None:
    script.start().at(1).says(2, "bye").at(2).ends()
    assert found(script) == []


def test_what_was_not_understood_and_not_heard(script: Script) -> None:
    script.start().says(2, "", ended_by="no_words").answers(2, "Pardon?").hears(2)
    script.says(3, "yes", dropped_frames=5).answers(3, "Fine.").hears(3)
    script.says(4, "", ended_by="no_input").answers(4, "Are you there?").hears(4)
    script.says(5, "well", ended_by="max_duration").answers(5, "I see.").hears(5).ends()
    assert found(script) == [
        (2, "the caller was not understood: 1.0 s of speech without a word"),
        (3, "5 frames of the caller (100 ms) never reached the recognizer"),
        (4, "nobody spoke, and the agent asked again"),
        (5, "the caller's turn was ended at its longest (MAX_TURN_MS)"),
    ]


def test_replies_that_went_wrong(script: Script) -> None:
    script.start().says(2, "a").answers(2, "Sorry.", fallback="rate_limited", reason="fallback").hears(2)
    script.says(3, "b").answers(3, "A long", reason="length").hears(3)
    script.says(4, "c").answers(4, "Half.", reason="takeover").hears(4)
    script.says(5, "d").answers(5, "Else.", provider="scripted").hears(5, underrun_ms=240.0).ends()
    assert found(script) == [
        (2, "no model answered (rate_limited), the fallback line was said"),
        (3, "the model's answer was longer than it may be (LLM_MAX_TOKENS)"),
        (4, "another LLM worker took the reply over and could only end it where it was"),
        (5, "answered by scripted, not by openai as the rest of the call"),
        (5, "240 ms of gaps inside its sentences: audio came too late"),
    ]


def test_a_reply_that_nobody_saw_played(script: Script) -> None:
    script.start().says(2, "a").answers(2, "One.", "Two.").says(3, "b").answers(3, "Three.").hears(3).ends()
    assert found(script) == [(2, "2 sentences of which nobody can say what was heard")]


def test_tools_that_failed_or_never_returned(script: Script) -> None:
    of: dict[str, Any] = {"call": script.sid, "turn": 2, "name": "book"}
    script.start().says(2, "book it").add(
        ev.Sentence(call=script.sid, turn=2, index=0, text="Fine.", voice=Voice()),
        ev.ToolCalled(**of, index=0),
        ev.ToolReturned(**of, index=0, ok=False),
        ev.ToolCalled(**of, index=1),
    )
    assert [text for _, text in found(script.ends())] == [
        "the tool book failed",
        "the tool book never returned",
    ]


def test_interruptions(script: Script) -> None:
    cut: dict[str, Any] = {"call": script.sid, "stream_sid": "MZ1", "turn": 1, "sentence": 1}
    script.start().answers(1, "Hello there.", "I have news.").at(1).hears(1)
    script.at(2).add(ev.Paused(**cut, played_ms=600, media_ms=1900, reaction_ms=450.0))
    script.add(ev.Interrupted(**cut, played_ms=600, text="I have")).ends()
    assert told(script)[0] == (
        "   0:02.0  turn 1   the caller interrupted sentence 2, 0.6 s into it; "
        "the agent fell silent late, 450 ms after the caller's first frame"
    )


def test_an_agent_that_stops_at_every_noise(script: Script) -> None:
    at: dict[str, Any] = {"call": script.sid, "stream_sid": "MZ1", "turn": 1, "sentence": 0}
    script.start().answers(1, "Hello there.")
    for second in range(3):
        script.at(second).add(ev.Continued(**at, media_ms=second))
    assert [text for _, text in found(script.hears(1).ends())] == [
        "the agent stopped 3 times for sounds that meant nothing: echo, noise, or a listener's mm-hm"
    ]


def test_workers_and_streams_that_were_replaced(script: Script) -> None:
    def lost(stream_sid: str, code: int) -> ev.Disconnected:
        return ev.Disconnected(call=script.sid, stream_sid=stream_sid, code=code)

    script.start().at(5).add(ev.Attached(call=script.sid, worker="w2", nonce="n2"))
    script.at(10).add(lost("MZ1", 1006)).at(11.5).add(ev.Resumed(call=script.sid, stream_sid="MZ2"))
    script.at(20).add(ev.Resumed(call=script.sid, stream_sid="MZ3"))
    script.at(30).add(lost("MZ3", 1001)).at(45).ends("connection_lost")
    assert [text for _, text in found(script)] == [
        "STT worker w2 took the call over from w, which stopped, hung or died",
        "the media stream was lost (close code 1006)",
        "the call was back on another stream after 1.5 s",
        "the call came back on another stream: its gateway died without a word",
        "the gateway stopped and let the call go on at another one",
    ]
    assert told(script)[-2] == "The connection to the caller was lost and did not come back."


def test_nobody_took_the_call(script: Script) -> None:
    script.start()
    del script.log[1]
    script.at(3).add(ev.Ended(call=script.sid, reason="no_capacity", detail="no STT worker took it"))
    assert told(script)[:2] == [
        "   0:00.0           no STT worker took the call: nobody listened to the caller",
        "No STT worker took it in time: the agent apologized and hung up.",
    ]


def test_a_worker_that_came_late(script: Script) -> None:
    script.start()
    script.log[1] = ev.Stored(2, script.START_S + 2.5, script.log[1].event)
    assert found(script) == [
        (0, "an STT worker took the call only after 2.5 s: none was free, or none was there")
    ]


def eventful(script: Script) -> Script:
    """A bit of everything."""
    of: dict[str, Any] = {"call": script.sid, "stream_sid": "MZ1", "turn": 2}
    talk(script, 2).at(20).says(4, "", ended_by="no_words", dropped_frames=2).answers(
        4, "Sorry.", fallback="auth"
    )
    script.add(
        ev.Paused(**of, sentence=0, played_ms=3, media_ms=5), ev.Continued(**of, sentence=0, media_ms=5)
    )
    script.add(ev.Attached(call=script.sid, worker="w2", nonce="n2"))
    script.holder = len(script.log)
    script.add(ev.ToolCalled(call=script.sid, turn=4, index=0, name="book"))
    script.add(ev.Interrupted(**(of | {"turn": 4}), sentence=0, played_ms=9, text="So"))
    script.at(30).says(5, "bye").add(
        ev.UtteranceWithdrawn(call=script.sid, holder=script.holder, turn=5, attempt=0)
    )
    script.add(ev.Disconnected(call=script.sid, stream_sid="MZ1", code=1006))
    script.at(31).add(ev.Resumed(call=script.sid, stream_sid="MZ2")).says(5, "goodbye", attempt=1)
    script.add(ev.HangupRequested(call=script.sid, turn=5, attempt=1, reason="over")).at(40).ends("error")
    script.add(ev.Status(call=script.sid, sequence=1, status="completed"))
    return script.add(ev.ReportLost(call=script.sid, attempts=1, error="HTTP 400"))


def test_a_call_can_be_told_at_any_moment(script: Script) -> None:
    log = eventful(script).log
    for events in range(1, len(log) + 1):
        assert next(lines(account(log[:events]))).startswith(script.sid)


@given(order=st.randoms(use_true_random=False))
def test_whatever_a_log_holds_can_be_told(new_script: Callable[[], Script], order: random.Random) -> None:
    events = [stored.event for stored in eventful(new_script()).log]
    order.shuffle(events)
    log = [ev.Stored(number, 1e9 + number, event) for number, event in enumerate(events, 1)]
    assert list(lines(account(log)))


def test_work_that_came_to_nothing_is_not_told(script: Script) -> None:
    talk(script)
    stale = ev.Utterance(
        call=script.sid, holder=1, turn=9, text="", start_media_ms=0, end_media_ms=9, ended_by="no_words"
    )
    assert found(script.add(stale).ends()) == []


@pytest.mark.parametrize(
    ("direction", "reason", "text"),
    [
        ("inbound", "caller_hung_up", "The caller hung up before the end of the agent's reply."),
        ("outbound", "caller_hung_up", "The callee hung up before the end of the agent's reply."),
        ("inbound", "carrier", "The carrier ended it before the end of the agent's reply: no word why."),
        ("inbound", "time_limit", "The call was cut at its time limit (MAX_CALL_S)."),
        ("inbound", "error", "An error of ours ended it: no detail."),
        ("inbound", "transferred", "The agent transferred the call."),
    ],
)
def test_how_it_ended(script: Script, direction: ev.Direction, reason: ev.EndReason, text: str) -> None:
    script.start(direction).answers(1, "Hello there.").at(1).ends(reason)
    assert text in told(script)


@pytest.mark.parametrize(("status", "last"), [("busy", "Nothing unusual."), ("failed", None)])
def test_a_call_that_nobody_answered(script: Script, status: str, last: str | None) -> None:
    script.add(ev.Status(call=script.sid, sequence=3, direction="outbound", status=status, sip_code=486))
    text = f"There was no conversation: the carrier says {status} (SIP 486)."
    assert told(script) == [text, *([last] if last else [])]
    assert account(script.log).head.state == status


def test_a_call_that_only_the_carrier_has_ended(script: Script) -> None:
    talk(script).add(ev.Status(call=script.sid, sequence=3, status="completed"))
    assert told(script) == ["The carrier says completed, and no gateway has ended the call yet."]


def test_a_call_that_goes_on_and_one_whose_report_is_lost(script: Script) -> None:
    talk(script)
    assert told(script) == ["The call is not over.", "Nothing unusual."]
    script.ends().add(ev.ReportLost(call=script.sid, attempts=4, error="HTTP 503"))
    assert told(script) == [
        "The caller hung up.",
        "The report was LOST after 4 attempts (HTTP 503); `voxbus reports replay` delivers it.",
    ]

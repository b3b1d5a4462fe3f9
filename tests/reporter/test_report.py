"""The report, from scripted logs."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxbus.common import events as ev
from voxbus.common.agents import Agent, Voice
from voxbus.common.report import AgentLine, CallerLine, CallReport, schema
from voxbus.reporter.core_basis import PATIENCE_S, basis, wait_s
from voxbus.reporter.core_report import build

if TYPE_CHECKING:
    from tests.conftest import Script

SCHEMA = Path(__file__).parents[2] / "docs" / "call-report.schema.json"


@pytest.fixture
def conversation(script: Script) -> Script:
    """A greeting, an answer, an interruption, and goodbye."""
    script.start().at(0.3).answers(1, "Hello there.").at(1.5).hears(1, played_ms=1000)
    script.at(4).says(2, "what time is it").at(4.2).answers(2, "It is noon.", "Anything else?")
    script.at(5.2).hears(2, 0, played_ms=800, response_ms=800.0)
    script.at(5.9).add(
        ev.Interrupted(call=script.sid, stream_sid="MZ1", turn=2, sentence=1, played_ms=500, text="Anything")
    )
    script.at(7).says(3, "no", dropped_frames=4).at(7.1).answers(3, "Sorry.", fallback="timeout")
    script.at(8).hears(3, response_ms=700.0)
    return script.at(9).ends()


def test_who_when_and_how(conversation: Script) -> None:
    report = build(conversation.log)
    assert report.call_sid == conversation.sid
    assert report.session_id == "session-1"
    assert (report.direction, report.from_, report.to) == ("inbound", "+15550100001", "+15550100002")
    assert report.agent == "test_agent"
    assert report.started_at == datetime.fromtimestamp(conversation.START_S, UTC)
    assert report.duration_ms == 9000
    assert (report.outcome, report.end_reason) == ("completed", "caller_hung_up")


def test_the_transcript_tells_what_was_said_and_what_was_heard(conversation: Script) -> None:
    lines = build(conversation.log).transcript
    assert [(line.speaker, line.start_ms, line.end_ms, line.text) for line in lines] == [
        ("agent", 500, 1500, "Hello there."),
        ("caller", 2480, 3480, "what time is it"),
        ("agent", 4400, 5200, "It is noon."),
        ("agent", 5400, 5900, "Anything else?"),
        ("caller", 5480, 6480, "no"),
        ("agent", 7100, 8000, "Sorry."),
    ]
    cut = lines[3]
    assert isinstance(cut, AgentLine)
    assert (cut.heard, cut.verdict) == ("Anything", "cut")


def test_the_parts_of_a_turn(conversation: Script) -> None:
    greeting, answered, last = build(conversation.log).turns
    assert (greeting.cause, greeting.caller, greeting.heard) == ("start", "", "Hello there.")
    assert greeting.latency.total is None
    assert greeting.latency.endpointing is None
    assert answered.interrupted
    assert (answered.agent, answered.heard) == ("It is noon. Anything else?", "It is noon. Anything")
    parts = answered.latency.model_dump()
    assert parts == {
        "endpointing": 500.0,
        "recognition": 20.0,
        "tools": None,
        "first_token": 100.0,
        "first_sentence": 50.0,
        "synthesis": 60.0,
        "playout": 70.0,
        "total": 800.0,
    }
    assert last.dropped_frames == 4


def test_sums(conversation: Script) -> None:
    report = build(conversation.log)
    assert report.interruptions == 1
    assert report.dropped_frames == 4
    assert [(fallback.turn, fallback.cause) for fallback in report.fallbacks] == [(3, "timeout")]
    (model,) = report.usage.llm
    assert (model.provider, model.model, model.replies) == ("openai", "m", 3)
    assert (model.input_tokens, model.output_tokens) == (300, 30)
    (voice,) = report.usage.tts
    assert (voice.provider, voice.voice, voice.sentences) == ("espeak", "en", 4)
    assert voice.characters == len("Hello there.It is noon.Anything else?Sorry.")


def test_a_guess_that_was_taken_back_costs_but_was_never_said(script: Script) -> None:
    script.start().says(2, "i want").answers(2, "What?")
    script.add(ev.UtteranceWithdrawn(call=script.sid, holder=script.holder, turn=2, attempt=0))
    script.says(2, "i want to go", attempt=1).answers(2, "Go then.", attempt=1).ends()
    report = build(script.log)
    assert [line.text for line in report.transcript if isinstance(line, CallerLine)] == ["i want to go"]
    assert [turn.agent for turn in report.turns] == ["Go then."]
    assert report.usage.llm[0].replies == 2
    assert report.usage.tts[0].characters == len("What?Go then.")


def test_a_guess_that_nobody_confirmed_was_never_said(script: Script) -> None:
    script.start().says(2, "hel", final=False).answers(2, "What?").ends()
    report = build(script.log)
    assert report.transcript == ()
    assert report.turns == ()


def test_a_noise_is_no_line_of_the_transcript(script: Script) -> None:
    script.start().says(0, "", backchannel=True).answers(1, "Hello.").at(2).hears(1).ends()
    assert [line.speaker for line in build(script.log).transcript] == ["agent"]


def test_backchannels_are_heard_and_take_no_turn(script: Script) -> None:
    script.start().answers(1, "A long story.").at(1).says(1, "mm-hm", backchannel=True).at(2).hears(1).ends()
    report = build(script.log)
    assert [turn.turn for turn in report.turns] == [1]
    (line,) = (line for line in report.transcript if isinstance(line, CallerLine))
    assert line.backchannel


def test_keys_are_told_from_speech(script: Script) -> None:
    script.start().says(2, "1 2", ended_by="dtmf", endpoint_ms=0, recognition_ms=0).answers(2, "Twelve.")
    report = build(script.hears(2, response_ms=50).ends().log)
    (line,) = (line for line in report.transcript if isinstance(line, CallerLine))
    assert line.by == "keys"
    assert report.turns[0].latency.total is None


def test_silence_is_a_cause_and_no_line(script: Script) -> None:
    script.start().says(2, "", ended_by="no_input", endpoint_ms=0).answers(2, "Are you there?").ends()
    report = build(script.log)
    assert [line.speaker for line in report.transcript] == ["agent"]
    assert report.turns[0].cause == "no_input"


def test_tools(script: Script) -> None:
    sid = script.sid
    script.start().says(2, "bye")
    script.add(ev.ToolCalled(call=sid, turn=2, index=0, name="end_call"))
    script.add(ev.ToolReturned(call=sid, turn=2, index=0, name="end_call", ok=True, duration_ms=1.25))
    script.add(ev.ToolCalled(call=sid, turn=2, index=1, name="look_up")).ends("agent_hung_up")
    (turn,) = build(script.log).turns
    assert [(tool.name, tool.ok, tool.duration_ms) for tool in turn.tools] == [
        ("end_call", True, 1.2),
        ("look_up", None, 0.0),
    ]


def test_the_time_in_tools_is_not_the_models(script: Script) -> None:
    sid = script.sid
    script.start().says(2, "when is it")
    script.add(ev.ToolCalled(call=sid, turn=2, index=0, name="look_up"))
    script.add(ev.ToolReturned(call=sid, turn=2, index=0, name="look_up", ok=True, duration_ms=70))
    said = ev.Sentence(
        call=sid, turn=2, index=0, text="x", voice=Voice(), first_token_ms=100, tools_ms=80, ready_ms=130
    )
    script.add(said).hears(2, response_ms=900).ends()
    (turn,) = build(script.log).turns
    assert (turn.latency.tools, turn.latency.first_token, turn.latency.first_sentence) == (80, 20, 30)


def test_what_nobody_could_tell_is_unknown(script: Script) -> None:
    script.start().says(2, "hi").answers(2, "Hello to you.").ends("connection_lost")
    report = build(script.log)
    line = report.transcript[-1]
    assert isinstance(line, AgentLine)
    assert (line.heard, line.verdict) == ("", "unknown")
    assert report.outcome == "failed"


def test_a_call_that_nobody_answered(script: Script) -> None:
    for sequence, status in enumerate(("initiated", "ringing", "busy")):
        script.at(sequence).add(
            ev.Status(
                call=script.sid,
                sequence=sequence,
                status=status,
                session="session-2",
                direction="outbound",
                from_number="+15550100002",
                to_number="+15550100001",
            )
        )
    report = build(script.ends("carrier").log)
    assert (report.outcome, report.session_id, report.agent) == ("busy", "session-2", "")
    assert (report.direction, report.to) == ("outbound", "+15550100001")
    assert report.duration_ms == 2000
    assert report.transcript == ()


def test_a_call_that_goes_on_has_no_report(script: Script) -> None:
    with pytest.raises(ValueError, match="not ended"):
        build(script.start().log)


def test_what_came_after_the_end_of_the_given_log_changes_nothing(conversation: Script) -> None:
    until_ended = tuple(conversation.log)
    conversation.at(10).add(ev.Status(call=conversation.sid, sequence=3, status="completed"))
    through = [s for s in conversation.log if s.sequence <= until_ended[-1].sequence]
    assert build(through).to_json() == build(until_ended).to_json()


turns = st.lists(
    st.tuples(
        st.text("ab ", min_size=1, max_size=5),
        st.lists(st.text("xyz.", min_size=1, max_size=9), max_size=3),
        st.sampled_from(["heard", "cut", "withdrawn", "nothing"]),
        st.floats(0, 3000),
    ),
    max_size=6,
)


@given(turns=turns)
def test_any_call_makes_a_report_that_can_be_read_back(
    new_script: Callable[[], Script], turns: list[tuple[str, list[str], str, float]]
) -> None:
    script = new_script().start()
    for number, (said, replies, fate, response_ms) in enumerate(turns, 2):
        script.at(number).says(number, said).answers(number, *replies)
        if fate == "withdrawn":
            script.add(ev.UtteranceWithdrawn(call=script.sid, holder=script.holder, turn=number, attempt=0))
        elif fate == "heard" and replies:
            script.hears(number, response_ms=response_ms)
        elif fate == "cut":
            script.add(
                ev.Interrupted(
                    call=script.sid,
                    stream_sid="MZ1",
                    turn=number,
                    sentence=0,
                    played_ms=9,
                    text="x",
                    response_ms=response_ms,
                )
            )
    report = build(script.at(100).ends().log)
    assert CallReport.model_validate_json(report.to_json()) == report
    assert len(report.turns) == sum(fate != "withdrawn" for *_, fate, _ in turns)
    starts = [line.start_ms for line in report.transcript]
    assert starts == sorted(starts)
    for turn in report.turns:
        parts = turn.latency.model_dump()
        total = parts.pop("total")
        if total is not None:
            assert sum(part or 0 for part in parts.values()) == pytest.approx(total, abs=0.5)


def test_the_published_schema_is_that_of_the_report() -> None:
    assert json.loads(SCHEMA.read_text()) == schema(), "make docs"


def test_readers_take_fields_that_they_do_not_know(conversation: Script) -> None:
    wire = json.loads(build(conversation.log).to_json())
    wire["later"] = 1
    assert CallReport.model_validate(wire).call_sid == conversation.sid
    wire["version"] = 2
    with pytest.raises(ValueError, match="version"):
        CallReport.model_validate(wire)


def test_voices_are_counted_each(script: Script) -> None:
    script.start()
    for index, name in enumerate(("a", "b", "a")):
        script.add(ev.Sentence(call=script.sid, turn=1, index=index, text="12345", voice=Voice(name=name)))
    usage = build(script.ends().log).usage
    assert [(voice.voice, voice.characters) for voice in usage.tts] == [("a", 10), ("b", 5)]


RECORDED = {"store": "s1", "place": "CA/MZ1.wav"}


@pytest.fixture
def recorded(script: Script, agent: Agent) -> Script:
    """A call of an agent that records, over after 9 s. The recording began 2 s into it."""
    script.agent = agent.model_copy(update={"recording": True})
    script.start().at(2).add(ev.RecordingStarted(call=script.sid, stream_sid="MZ1", **RECORDED))
    return script.at(9).ends()


def closed(script: Script, at_s: float, **fields: object) -> Script:
    known: dict[str, Any] = {
        "length_ms": 7000,
        "size_bytes": 112_058,
        "sha256": "ab" * 32,
        **RECORDED,
    } | fields
    return script.at(at_s).add(ev.RecordingEnded(call=script.sid, stream_sid="MZ1", **known))


def test_a_call_that_nobody_records_has_no_recording(conversation: Script) -> None:
    assert build(conversation.log).recording is None


def test_the_recording_is_in_the_report_with_its_place_length_and_checksum(recorded: Script) -> None:
    assert 0 < wait_s(recorded.log, recorded.START_S + 9.1) < 1
    assert wait_s(recorded.log, recorded.START_S + 9 + PATIENCE_S) == 0
    report = build(basis(closed(recorded, 9.4).log))
    assert wait_s(recorded.log, recorded.START_S + 9.5) == 0
    assert report.recording is not None
    assert report.recording.state == "complete"
    (part,) = report.recording.parts
    assert (part.place, part.started_ms, part.length_ms) == (RECORDED["place"], 2000, 7000)
    assert (part.size_bytes, part.sha256, part.cause) == (112_058, "ab" * 32, "")


def test_a_file_that_is_not_closed_is_named_without_a_checksum(recorded: Script) -> None:
    before = build(basis(recorded.log))
    assert before.recording is not None
    assert (before.recording.state, before.recording.parts[0].cause) == ("incomplete", "not_closed")
    assert before.recording.parts[0].sha256 == ""
    # Nor does one whose disk did not answer say what is in it.
    unknown: dict[str, Any] = {"length_ms": 0, "size_bytes": 0, "sha256": "", "cause": "not_closed"}
    hung = build(basis(closed(recorded, 9.4, **unknown).log))
    assert hung.recording == before.recording
    recorded.log.pop()
    # What came too late for the first attempt is in no later one either: they are the same bytes.
    late = closed(recorded, 9 + PATIENCE_S + 1)
    assert build(basis(late.log)).to_json() == before.to_json()


def test_what_was_lost_makes_it_incomplete(recorded: Script) -> None:
    report = build(basis(closed(recorded, 9.4, lost_ms=1000, cause="ENOSPC").log))
    assert report.recording is not None
    assert (report.recording.state, report.recording.parts[0].lost_ms) == ("incomplete", 1000)


def test_a_call_that_ended_before_its_notice_was_heard(script: Script, agent: Agent) -> None:
    script.agent = agent.model_copy(update={"recording": True})
    report = build(script.start().at(1).ends().log)
    assert report.recording is not None
    assert (report.recording.state, report.recording.parts) == ("none", ())

"""One test for each rule of the fold."""

from __future__ import annotations

import pytest

from voxbus.common import events as ev
from voxbus.common.agents import Agent, Voice
from voxbus.common.events import Event, Stored
from voxbus.common.fold import CallState, fold

SID = "CA" + "0" * 32
STREAM = "MZ1"


class Script:
    """Writes a log: sequences and times count up."""

    def __init__(self, agent: Agent, direction: ev.Direction = "inbound") -> None:
        self.log: list[Stored] = []
        self.holder = 0
        self.add(ev.Started(call=SID, stream_sid=STREAM, session="s", direction=direction, agent=agent))
        self.attach()

    def add(self, *events: Event) -> Script:
        for event in events:
            self.log.append(Stored(len(self.log) + 1, 1000.0 + len(self.log), event))
        return self

    def attach(self) -> int:
        self.add(ev.Attached(call=SID, worker="w", nonce=str(len(self.log))))
        self.holder = len(self.log)
        return self.holder

    def says(
        self, turn: int, text: str = "hello", *, attempt: int = 0, holder: int = 0, final: bool = True
    ) -> Script:
        return self.add(
            ev.Utterance(
                call=SID,
                holder=holder or self.holder,
                turn=turn,
                attempt=attempt,
                text=text,
                start_media_ms=0,
                end_media_ms=len(self.log),
                ended_by="silence",
                final=final,
            )
        )

    def answers(self, turn: int, *texts: str, attempt: int = 0, ended: bool = True, start: int = 0) -> Script:
        for index, text in enumerate(texts, start):
            self.add(ev.Sentence(call=SID, turn=turn, attempt=attempt, index=index, text=text, voice=Voice()))
        if ended:
            self.add(
                ev.ReplyEnded(
                    call=SID, turn=turn, attempt=attempt, sentences=start + len(texts), reason="complete"
                )
            )
        return self

    def hears(
        self,
        turn: int,
        index: int,
        *,
        attempt: int = 0,
        text: str = "",
        complete: bool = True,
        stream: str = STREAM,
    ) -> Script:
        return self.add(
            ev.Heard(
                call=SID,
                stream_sid=stream,
                turn=turn,
                attempt=attempt,
                sentence=index,
                complete=complete,
                played_ms=100,
                text=text,
                known_by="mark",
            )
        )

    def is_through(self, turn: int) -> Script:
        """A machine, with its greeting."""
        return self.add(
            ev.Utterance(
                call=SID,
                holder=self.holder,
                turn=turn,
                text="",
                start_media_ms=0,
                end_media_ms=len(self.log),
                ended_by="machine",
            )
        )

    def cuts(self, turn: int, index: int, text: str, *, stream: str = STREAM) -> Script:
        return self.add(
            ev.Interrupted(call=SID, stream_sid=stream, turn=turn, sentence=index, played_ms=300, text=text)
        )

    def state(self) -> CallState:
        return fold(self.log)


@pytest.fixture
def script(agent: Agent) -> Script:
    return Script(agent)


def _noticed(agent: Agent, *notice: str) -> Script:
    """Inbound, with a greeting whose sentences belong to the notice as ``notice`` says."""
    script = Script(agent)
    for index, part in enumerate(notice):
        text = f"Sentence {index}."
        script.add(ev.Sentence(call=SID, turn=1, index=index, text=text, voice=Voice(), notice=part))  # type: ignore[arg-type]
    return script


def _heard(script: Script, index: int, *, complete: bool = True, played_ms: int = 1) -> CallState:
    heard = ev.Heard(
        call=SID,
        stream_sid=STREAM,
        turn=1,
        sentence=index,
        complete=complete,
        played_ms=played_ms,
        text="S",
        known_by="mark",
    )
    return fold(script.add(heard).log)


def test_the_caller_is_notified_once_all_of_the_notice_was_heard(agent: Agent) -> None:
    script = _noticed(agent, "part", "end", "")
    assert not _heard(script, 0).notified
    assert _heard(script, 1).notified
    # And stays so, whatever becomes of that turn.
    assert fold(script.says(2).log).notified


def test_a_notice_that_was_cut_or_taken_for_granted_is_none(agent: Agent) -> None:
    script = _noticed(agent, "part", "end")
    _heard(script, 0, complete=False)
    assert not _heard(script, 1).notified
    assert not fold(_noticed(agent, "end").says(2).log).notified
    assert not _heard(_noticed(agent, "part"), 0).notified
    assert not _heard(_noticed(agent, "end"), 0, played_ms=0).notified


def test_recordings_count_after_the_end_and_under_another_stream(agent: Agent) -> None:
    script = Script(agent).add(ev.RecordingStarted(call=SID, stream_sid=STREAM, store="s", place="p"))
    script.add(ev.Resumed(call=SID, stream_sid="MZ2"), ev.Ended(call=SID, reason="carrier"))
    script.add(ev.RecordingEnded(call=SID, stream_sid=STREAM, store="s", place="p", length_ms=5))
    script.add(ev.RecordingEnded(call=SID, stream_sid="MZ2", cause="ENOSPC"))
    recordings = fold(script.log).recordings
    assert list(recordings) == [STREAM, "MZ2"]
    first = recordings[STREAM]
    assert first.started is not None
    assert first.ended is not None
    assert (first.ended.length_ms, recordings["MZ2"].started) == (5, None)


def test_a_conversation(script: Script) -> None:
    script.answers(1, "Hello.").hears(1, 0).says(2, "hi").answers(2, "One.", "Two.").hears(2, 0).hears(2, 1)
    state = script.state()
    assert state.void == 0
    assert state.latest_turn == 2
    assert state.next_turn() == 3
    assert [u.text for u in state.utterances()] == ["hi"]
    assert state.turns[2].heard_text == "One. Two."
    assert state.turns[2].played


def test_1_events_that_were_applied_change_nothing(script: Script) -> None:
    script.answers(1, "Hello.").hears(1, 0)
    state = script.state()
    assert not any(state.apply(stored) for stored in script.log)
    assert state.void == 0


def test_2_events_of_an_earlier_holder_are_void(script: Script) -> None:
    old = script.holder
    script.attach()
    script.says(2, "stale", holder=old)
    state = script.state()
    assert state.utterances() == []
    assert state.void == 1
    assert state.holder == script.holder


def test_3_gateway_events_of_another_stream_are_void(script: Script) -> None:
    script.answers(1, "Hello.").add(ev.Resumed(call=SID, stream_sid="MZ2")).hears(1, 0)
    assert script.state().turns[1].sentences[0].verdict is None
    script.hears(1, 0, stream="MZ2")
    assert script.state().turns[1].sentences[0].verdict == "heard"


def test_4_sentences_after_an_interruption_are_void(script: Script) -> None:
    script.answers(1, "Hello there.", ended=False).cuts(1, 0, "Hello").answers(1, "More.", start=1)
    state = script.state()
    assert list(state.turns[1].sentences) == [0]
    assert state.turns[1].reply_ended is None
    assert state.turns[1].heard_text == "Hello"
    assert state.void == 2


def test_4_sentences_of_a_withdrawn_attempt_are_void(script: Script) -> None:
    script.says(2, "i want").add(
        ev.UtteranceWithdrawn(call=SID, holder=script.holder, turn=2, attempt=0)
    ).answers(2, "What?")
    script.says(2, "i want to cancel", attempt=1).answers(2, "Cancelled.", attempt=1)
    state = script.state()
    assert [s.event.text for s in state.turns[2].sentences.values()] == ["Cancelled."]
    assert [u.text for u in state.utterances()] == ["i want to cancel"]


def test_4_sentences_of_an_attempt_before_the_latest_are_void(script: Script) -> None:
    script.says(2, "a").says(2, "a b", attempt=1).answers(2, "Late.", attempt=0)
    assert script.state().turns[2].sentences == {}


def test_4_sentences_after_a_newer_final_utterance_are_void(script: Script) -> None:
    script.says(2, "one").says(3, "two").answers(2, "Late.").answers(3, "In time.")
    state = script.state()
    assert state.turns[2].sentences == {}
    assert state.turns[3].sentences[0].event.text == "In time."


def test_4_a_tentative_utterance_does_not_silence_the_turn_before(script: Script) -> None:
    script.says(2, "one").says(3, "two", final=False).answers(2, "In time.")
    assert script.state().turns[2].sentences[0].event.text == "In time."
    script.add(ev.UtteranceConfirmed(call=SID, holder=script.holder, turn=3, attempt=0))
    script.answers(2, "Late.", start=1)
    assert list(script.state().turns[2].sentences) == [0]


def tool(turn: int, index: int = 0, attempt: int = 0) -> tuple[ev.ToolCalled, ev.ToolReturned]:
    of = {"call": SID, "turn": turn, "attempt": attempt, "index": index, "name": "book"}
    return ev.ToolCalled(**of), ev.ToolReturned(**of, ok=True, result="done")  # type: ignore[arg-type]


def test_4_what_a_tool_did_in_a_turn_that_was_cut_is_done(script: Script) -> None:
    called, returned = tool(1)
    script.answers(1, "One moment.", ended=False).add(called)
    script.add(ev.Interrupted(call=SID, stream_sid=STREAM, turn=1, sentence=0, played_ms=0, text=""))
    script.says(2).add(returned)
    state = fold(script.log)
    assert [(use.called, use.returned) for use in state.turns[1].uses()] == [(called, returned)]


def test_4_what_a_tool_did_in_an_attempt_that_was_withdrawn_is_done(script: Script) -> None:
    first, second = tool(2, attempt=0), tool(2, attempt=1)
    script.says(2).add(first[0])
    script.add(ev.UtteranceWithdrawn(call=SID, holder=script.holder, turn=2, attempt=0))
    script.says(2, "hello again", attempt=1).add(second[0], first[1])
    turn = fold(script.log).turns[2]
    assert [(use.called, use.returned) for use in turn.uses()] == [first, (second[0], None)]
    assert turn.tools_called == {0: second[0]}


def test_5_sentences_without_a_verdict_are_assumed_heard_at_the_next_utterance(script: Script) -> None:
    script.says(2).answers(2, "One.", "Two.").hears(2, 0)
    assert script.state().turns[2].sentences[1].verdict is None
    script.says(3)
    turn = script.state().turns[2]
    assert turn.sentences[1].verdict == "assumed"
    assert turn.heard_text == "One. Two."


def test_5_what_was_not_heard_of_an_interrupted_turn_stays_unheard(script: Script) -> None:
    script.says(2).answers(2, "One.", "Two is long.", "Three.").hears(2, 0).cuts(2, 1, "Two is").says(3)
    turn = script.state().turns[2]
    assert [s.verdict for s in turn.sentences.values()] == ["heard", "cut", "unheard"]
    assert turn.heard_text == "One. Two is"


def test_6_the_caller_cancels_a_hangup_by_speaking(script: Script) -> None:
    script.says(2, "bye").add(ev.HangupRequested(call=SID, turn=2, reason="goodbye"))
    assert script.state().hangup is not None
    script.says(3, "wait")
    assert script.state().hangup is None
    script.add(ev.HangupRequested(call=SID, turn=2, attempt=1, reason="late"))
    assert script.state().hangup is None


def test_6_a_withdrawn_utterance_takes_its_hangup_along(script: Script) -> None:
    script.says(2, "bye").add(ev.HangupRequested(call=SID, turn=2, reason="goodbye"))
    script.add(ev.UtteranceWithdrawn(call=SID, holder=script.holder, turn=2, attempt=0))
    assert script.state().hangup is None


@pytest.mark.parametrize("again", [False, True], ids=["nothing more yet", "the next attempt"])
def test_6_what_a_withdrawn_utterance_asked_for_comes_too_late(script: Script, again: bool) -> None:
    """It was on its way while the caller went on."""
    script.says(2, "bye").add(ev.UtteranceWithdrawn(call=SID, holder=script.holder, turn=2, attempt=0))
    if again:
        script.says(2, "bye, no, wait", attempt=1)
    script.add(ev.HangupRequested(call=SID, turn=2, attempt=0, reason="goodbye"))
    script.add(ev.TransferRequested(call=SID, turn=2, attempt=0, target="desk"))
    state = script.state()
    assert (state.hangup, state.transfer, state.void) == (None, None, 2)
    if again:
        script.add(ev.HangupRequested(call=SID, turn=2, attempt=1, reason="goodbye"))
        assert script.state().hangup is not None


def test_7_after_the_end_only_status_and_reports_count(script: Script) -> None:
    script.add(ev.Ended(call=SID, reason="caller_hung_up")).says(2).answers(2, "Late.")
    script.add(ev.Status(call=SID, sequence=3, status="completed"), ev.ReportDelivered(call=SID, attempts=1))
    state = script.state()
    assert state.turns == {}
    assert len(state.statuses) == 1
    assert state.reported is not None


@pytest.fixture
def machine(agent: Agent) -> Script:
    """It answered, and the agent is in the middle of greeting it."""
    script = Script(agent.model_copy(update={"machine_detection": "hang_up"}), "outbound")
    script.says(1, "").answers(1, "Hello.", ended=False)
    return script.add(ev.Status(call=SID, sequence=0, answered_by="machine_end_beep"))


def test_8_after_a_machine_only_what_is_said_to_it_counts(machine: Script) -> None:
    machine.answers(1, "More.", start=1).says(2, "leave a message").answers(2, "What?")
    state = machine.state()
    assert state.to_machine
    assert list(state.turns) == [1]
    assert list(state.turns[1].sentences) == [0]
    assert not state.is_current(1, 0)
    assert state.void == 5
    machine.is_through(2).answers(2, "This is a message.").add(
        ev.HangupRequested(call=SID, turn=2, reason="machine")
    )
    state = machine.state()
    assert state.turns[2].for_machine
    assert [s.event.text for s in state.turns[2].sentences.values()] == ["This is a message."]
    assert state.hangup is not None
    # It hears itself, or the human who is none after all speaks: the message is said once.
    machine.says(3, "hello")
    assert machine.state().latest_turn == 2


def test_8_a_hangup_from_before_is_for_nobody(machine: Script) -> None:
    early = ev.HangupRequested(call=SID, turn=1, reason="no_input")
    assert machine.add(early).state().hangup is None
    machine.log.insert(-2, machine.log.pop())
    assert fold(Stored(n, s.time_s, s.event) for n, s in enumerate(machine.log, 1)).hangup is None


def test_8_a_person_or_an_agent_that_does_not_care_is_no_machine(agent: Agent) -> None:
    for detection, answered_by in (("off", "machine_start"), ("hang_up", "human"), ("hang_up", "unknown")):
        script = Script(agent.model_copy(update={"machine_detection": detection}), "outbound")
        script.add(ev.Status(call=SID, sequence=0, answered_by=answered_by)).says(1, "hello")
        assert not script.state().to_machine
        assert script.state().latest_turn == 1
    assert script.state().answered_by == "unknown"


def test_backchannels_take_no_turn(script: Script) -> None:
    script.says(2).answers(2, "One.")
    script.add(
        ev.Utterance(
            call=SID,
            holder=script.holder,
            turn=2,
            text="mm-hm",
            start_media_ms=0,
            end_media_ms=9,
            ended_by="silence",
            backchannel=True,
        )
    )
    state = script.state()
    assert state.next_turn() == 3
    assert len(state.backchannels) == 1
    assert state.turns[2].sentences[0].verdict is None


def test_turns_are_numbered_from_the_greeting_or_from_the_callee(agent: Agent) -> None:
    assert Script(agent).state().next_turn() == 2
    assert Script(agent, "outbound").state().next_turn() == 1

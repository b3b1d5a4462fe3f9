"""A machine answered: the moment at which a message may begin."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxbus.common import events as ev
from voxbus.common.agents import Agent, Lines
from voxbus.common.events import Event, Stored
from voxbus.common.fold import CallState
from voxbus.stt.core_machine import is_loud
from voxbus.stt.core_outputs import CancelRecognition, FinishRecognition, Output
from voxbus.stt.core_rules import Rules
from voxbus.stt.core_speech import WINDOW_MS, Window
from voxbus.stt.core_turns import TurnTaker

SID = "CA" + "1" * 32


class Mailbox:
    """A call that a machine answered, on virtual time. ``ms`` are rounded up to windows."""

    def __init__(self, agent: Agent) -> None:
        self.state = CallState()
        self.now_ms = 0
        self.outputs: list[Output] = []
        self.deaf = False  # recognitions are not answered
        self.log(ev.Started(call=SID, stream_sid="M", session="s", direction="outbound", agent=agent))
        self.attach()

    def attach(self) -> None:
        self.log(ev.Attached(call=SID, worker="w", nonce=str(self.state.sequence)))
        self.taker = TurnTaker(SID, self.state.holder, Rules(), self.state)

    def log(self, event: Event) -> None:
        self.state.apply(Stored(self.state.sequence + 1, 0.0, event))

    def verdict(self, answered_by: str) -> Mailbox:
        self.log(ev.Status(call=SID, sequence=0, answered_by=answered_by))
        return self

    def hear(self, ms: int, *, probability: float = 0.01, loud: bool | None = False) -> Mailbox:
        for _ in range(-(-ms // WINDOW_MS)):
            window = Window(probability, self.now_ms, self.now_ms + WINDOW_MS, loud=loud)
            self.now_ms += WINDOW_MS
            for output in self.taker.window(window):
                self.outputs.append(output)
                if isinstance(output, Event):
                    self.log(output)
                if isinstance(output, FinishRecognition) and not self.deaf:
                    self.recognized()
        return self

    def recognized(self) -> None:
        """What was said had no words."""
        for output in self.taker.transcript("", 0.0, 20.0):
            self.outputs.append(output)
            if isinstance(output, Event):
                self.log(output)

    def speech(self, ms: int) -> Mailbox:
        return self.hear(ms, probability=0.95, loud=True)

    def beep(self, ms: int = 400) -> Mailbox:
        return self.hear(ms, loud=True)

    def utterances(self) -> list[ev.Utterance]:
        return [output for output in self.outputs if isinstance(output, ev.Utterance)]

    def through_at(self) -> int | None:
        """When it was decided that the machine is through."""
        found = [utterance.end_media_ms for utterance in self.utterances() if utterance.ended_by == "machine"]
        return found[0] if found else None


def agent(detection: str) -> Agent:
    lines = Lines(greeting="Hello.", voicemail="Call back.")
    return Agent.model_validate({"name": "a", "prompt": "p", "lines": lines, "machine_detection": detection})


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox(agent("leave_message"))


@pytest.mark.parametrize(
    ("answered_by", "quiet_ms"),
    [
        ("machine_end_beep", 300),
        ("machine_end_silence", 1000),
        ("machine_end_other", 1500),
        ("machine_start", 1500),
        ("machine_of_the_future", 1500),
    ],
)
def test_so_much_quiet_is_the_end_of_the_greeting(mailbox: Mailbox, answered_by: str, quiet_ms: int) -> None:
    mailbox.verdict(answered_by).speech(2000)
    assert mailbox.through_at() is None
    ended_ms = mailbox.now_ms
    through_ms = mailbox.hear(5000).through_at()
    assert through_ms is not None
    assert 0 <= through_ms - ended_ms - quiet_ms < WINDOW_MS


def test_the_beep_is_a_part_of_it(mailbox: Mailbox) -> None:
    mailbox.verdict("machine_start").speech(2000).hear(1000).beep().hear(1400)
    assert mailbox.through_at() is None
    assert mailbox.hear(200).through_at() is not None


def test_a_beep_that_goes_on_after_the_verdict_is_waited_for(mailbox: Mailbox) -> None:
    mailbox.hear(320).verdict("machine_end_beep").beep(900)
    assert mailbox.through_at() is None
    assert mailbox.hear(320).through_at() is not None


@pytest.mark.parametrize(
    ("answered_by", "longest_ms"), [("machine_end_beep", 3000), ("machine_start", 30_000)]
)
def test_music_is_not_waited_for_for_ever(mailbox: Mailbox, answered_by: str, longest_ms: int) -> None:
    mailbox.verdict(answered_by).beep(longest_ms - WINDOW_MS)
    assert mailbox.through_at() is None
    assert mailbox.beep(2 * WINDOW_MS).through_at() is not None


def test_it_is_said_once_and_nothing_that_the_machine_says_is_an_utterance(mailbox: Mailbox) -> None:
    mailbox.verdict("machine_end_beep").hear(320).speech(2000).hear(20_000)
    assert [(u.turn, u.ended_by, u.text) for u in mailbox.utterances()] == [(1, "machine", "")]


def test_what_was_being_recognized_is_dropped(mailbox: Mailbox) -> None:
    mailbox.speech(640).verdict("machine_end_beep").hear(320)
    assert any(isinstance(output, CancelRecognition) for output in mailbox.outputs)
    assert mailbox.taker.partial("leave a message") == []


def test_words_that_are_still_read_are_dropped(mailbox: Mailbox) -> None:
    mailbox.deaf = True
    mailbox.speech(640).hear(640).verdict("machine_end_beep")
    assert mailbox.taker.transcript("yes", 0.9, 20.0) == []


@pytest.mark.parametrize(
    ("detection", "answered_by"), [("hang_up", "machine_start"), ("leave_message", "fax")]
)
def test_who_leaves_no_message_need_not_wait(detection: str, answered_by: str) -> None:
    mailbox = Mailbox(agent(detection)).speech(640).verdict(answered_by).speech(64)
    assert mailbox.through_at() == 672


def test_what_is_replayed_is_neither_quiet_nor_waiting(mailbox: Mailbox) -> None:
    mailbox.verdict("machine_end_beep").hear(10_000, loud=None).beep(640)
    assert mailbox.through_at() is None
    assert mailbox.hear(320).through_at() is not None


def test_the_next_holder_waits_on_and_says_it_once(mailbox: Mailbox) -> None:
    mailbox.verdict("machine_end_beep").beep(640)
    mailbox.attach()
    mailbox.hear(320)
    assert mailbox.through_at() is not None
    mailbox.attach()
    assert len(mailbox.hear(5000).utterances()) == 1


def test_a_person_is_talked_to(mailbox: Mailbox) -> None:
    mailbox.verdict("human").hear(1600)
    assert [u.ended_by for u in mailbox.utterances()] == ["no_input"]


def test_the_noise_of_a_line_is_quiet_and_of_what_is_heard_late_nobody_knows() -> None:
    assert not is_loud(-50, 0)
    assert is_loud(-20, 0)
    assert is_loud(-90, 400) is None


@given(
    st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(1, 40)), max_size=20),
    st.integers(0, 20),
    st.booleans(),
)
def test_whenever_the_verdict_comes_one_utterance_says_so_and_none_follows(
    heard: list[tuple[bool, bool, int]], verdict_at: int, taken_over: bool
) -> None:
    mailbox = Mailbox(agent("leave_message"))
    for number, (voice, loud, windows) in enumerate(heard):
        if number == verdict_at:
            mailbox.verdict("machine_end_beep")
            if taken_over:
                mailbox.attach()
        mailbox.hear(windows * WINDOW_MS, probability=0.95 if voice else 0.01, loud=loud or voice)
    if mailbox.state.answered_by == "":
        mailbox.verdict("machine_end_beep")
    mailbox.hear(640)
    assert [u.ended_by for u in mailbox.utterances()].count("machine") == 1
    assert mailbox.utterances()[-1].ended_by == "machine"
    turn = mailbox.state.turn
    assert turn is not None
    assert turn.for_machine

"""How calls come out."""

from __future__ import annotations

import pytest

from voxbus.common import events as ev
from voxbus.common.agents import Agent
from voxbus.common.events import Event, Stored
from voxbus.common.fold import fold
from voxbus.common.outcome import Outcome, outcome_of, terminal_status

SID = "CA" + "0" * 32


def came_out(*events: Event) -> Outcome | None:
    return outcome_of(fold(Stored(n, float(n), event) for n, event in enumerate(events, 1)))


def status(sequence: int, name: str = "", answered_by: str = "") -> ev.Status:
    return ev.Status(call=SID, sequence=sequence, status=name, answered_by=answered_by)


def ended(reason: ev.EndReason) -> ev.Ended:
    return ev.Ended(call=SID, reason=reason)


@pytest.fixture
def started(agent: Agent) -> ev.Started:
    return ev.Started(call=SID, stream_sid="MZ", session="s", direction="outbound", agent=agent)


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        ("caller_hung_up", "completed"),
        ("agent_hung_up", "completed"),
        ("time_limit", "completed"),
        ("carrier", "completed"),
        ("transferred", "transferred"),
        ("connection_lost", "failed"),
        ("no_capacity", "failed"),
        ("error", "failed"),
    ],
)
def test_a_conversation_comes_out_as_it_ended(
    started: ev.Started, reason: ev.EndReason, outcome: Outcome
) -> None:
    assert came_out(started) is None
    assert came_out(started, ended(reason)) == outcome
    assert came_out(started, ended(reason), status(3, "completed")) == outcome


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("busy", "busy"),
        ("no-answer", "no_answer"),
        ("canceled", "canceled"),
        ("failed", "failed"),
        ("completed", "failed"),
    ],
)
def test_a_call_without_a_conversation_comes_out_as_the_carrier_says(name: str, outcome: Outcome) -> None:
    assert came_out(status(0, "initiated"), status(1, "ringing")) is None
    assert came_out(status(0, "initiated"), status(2, name)) == outcome
    assert came_out(status(2, name), status(0, "initiated"), ended("carrier")) == outcome


def test_a_machine_makes_a_voicemail(started: ev.Started) -> None:
    machine = status(0, answered_by="machine_end_beep")
    assert came_out(started, machine) is None
    assert came_out(started, machine, ended("agent_hung_up")) == "voicemail"
    assert came_out(machine, status(3, "completed")) == "voicemail"
    assert came_out(started, status(0, answered_by="fax"), ended("agent_hung_up")) == "voicemail"
    assert came_out(started, machine, ended("caller_hung_up")) == "voicemail"
    assert came_out(started, status(0, answered_by="human"), ended("agent_hung_up")) == "completed"


def test_a_terminal_status_settles_a_call_whose_end_nobody_wrote(started: ev.Started) -> None:
    assert came_out(started, status(3, "completed")) == "completed"
    assert came_out(started, status(3, "failed")) == "failed"


def test_the_last_status_is_the_one_with_the_highest_number() -> None:
    state = fold([Stored(1, 1.0, status(3, "completed")), Stored(2, 2.0, status(1, "failed"))])
    last = terminal_status(state)
    assert last is not None
    assert last.status == "completed"

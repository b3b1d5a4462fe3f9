"""What of a log its report is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest

from voxbus.common.agents import Voice
from voxbus.common.events import Direction, RecordingEnded, ReportDelivered, Sentence, Status
from voxbus.reporter.core_basis import PATIENCE_S, basis, wait_s

if TYPE_CHECKING:
    from tests.conftest import Script


@pytest.fixture
def over(script: Script) -> Script:
    """A call out that ended after 5 s, whose agent wants to know who answers."""
    script.agent = script.agent.model_copy(update={"machine_detection": "hang_up"})
    return script.start("outbound").at(5).ends()


def machine(script: Script) -> Status:
    return Status(call=script.sid, sequence=0, answered_by="machine_start")


def test_a_verdict_is_waited_for(over: Script) -> None:
    assert wait_s(over.log, over.START_S + 5.5) == pytest.approx(PATIENCE_S - 0.5)
    assert wait_s(over.log, over.START_S + 60) == 0
    over.at(6).add(machine(over))
    assert wait_s(over.log, over.START_S + 6) == 0


@pytest.mark.parametrize(("direction", "detection"), [("inbound", "hang_up"), ("outbound", "off")])
def test_nobody_waits_for_what_nobody_asked(
    script: Script, direction: Direction, detection: Literal["off", "hang_up"]
) -> None:
    script.agent = script.agent.model_copy(update={"machine_detection": detection})
    script.start(direction).at(5).ends()
    assert wait_s(script.log, script.START_S + 5) == 0


@pytest.mark.parametrize("heard", [True, False])
def test_a_recording_of_which_nothing_is_told_yet_is_waited_for(script: Script, heard: bool) -> None:
    """A short call whose file is slow to be made. Where the notice was not heard, there will be none."""
    script.agent = script.agent.model_copy(update={"recording": True})
    told = Sentence(call=script.sid, turn=1, index=0, text="Recorded.", voice=Voice(), notice="end")
    script.start().add(told).hears(1, complete=heard).at(5).ends()
    assert (wait_s(script.log, script.START_S + 5.5) > 0) == heard
    assert wait_s(script.log, script.START_S + 5 + PATIENCE_S) == 0
    script.add(RecordingEnded(call=script.sid, stream_sid="MZ1", cause="too_slow"))
    assert wait_s(script.log, script.START_S + 5.5) == 0


def test_of_what_comes_after_the_end_only_a_verdict_in_time_counts(over: Script) -> None:
    known = list(over.log)
    over.at(5.5).add(Status(call=over.sid, sequence=3, status="completed"))
    over.at(6).add(machine(over))
    verdict = over.log[-1]
    over.at(9).add(Status(call=over.sid, sequence=4, answered_by="human"))
    over.add(ReportDelivered(call=over.sid, attempts=1))
    assert basis(over.log) == [*known, verdict]

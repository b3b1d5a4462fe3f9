"""What deaths cost."""

from __future__ import annotations

import dataclasses

from voxbus.common.events import Attached, Stored
from voxbus.devkit.chaos.console import report
from voxbus.devkit.chaos.core_cost import Cost, cost_of
from voxbus.devkit.chaos.facts import CallFacts, Death, Delivered, Facts

from .call_maker import BEGAN_S, SID, Log, asked, call

DELIVERED = {SID: Delivered(1, 1, taken=True)}


def two_turns(second_silence: int = 2) -> CallFacts:
    """A turn at 0.2 s, and one at 10.2 s that is answered so many tenths of a second later."""
    late_ms = 10_200 + second_silence * 100
    log = Log().says(300, 2, "1").answers(400, 2, "Nine.", heard_ms=500).says(10_300, 3, "1")
    log.answers(late_ms, 3, "Nine.", heard_ms=500).ends(20_000)
    drawing = "____#####".ljust(102, "_") + "_" * second_silence + "#####"
    return call(drawing, log, [asked(200), asked(10_200)])


def death(at_s: float, service: str = "llm", back_s: float = 0.0) -> Death:
    return Death(service, f"{service}-0", 1, BEGAN_S + at_s, BEGAN_S + back_s if back_s else 0.0)


def cost(of: CallFacts, *deaths: Death, reports: dict[str, Delivered] = DELIVERED) -> Cost:
    return cost_of(Facts((of,), deaths, reports))


def test_a_death_costs_what_the_turn_under_way_was_silent_more_than_usual() -> None:
    told = cost(two_turns(second_silence=14), death(10.5))
    ((_, toll),) = told.deaths
    assert (toll.turns, toll.calls, toll.noticed, toll.extra_ms) == (1, 1, 1, (1200.0,))
    assert told.totals.usual_ms == 200
    assert told.totals.failures() == []


def test_a_death_that_nobody_noticed() -> None:
    ((_, toll),) = cost(two_turns(), death(10.5)).deaths
    assert (toll.turns, toll.extra_ms) == (1, ())


def test_a_spoken_question_is_not_measured_by_one_that_was_asked_with_a_key() -> None:
    spoken = dataclasses.replace(two_turns(second_silence=8), asked=(asked(200), asked(10_200, 10_200)))
    ((_, toll),) = cost(spoken, death(10.5)).deaths
    assert (toll.turns, toll.extra_ms) == (1, ())


def test_a_turn_that_begins_while_work_is_missing_counts() -> None:
    ((_, toll),) = cost(two_turns(second_silence=8), death(9.0)).deaths
    assert toll.turns == 1
    ((_, toll),) = cost(two_turns(second_silence=8), death(6.0)).deaths
    assert toll.turns == 0


def test_how_long_a_call_had_no_holder() -> None:
    facts = two_turns()
    attached = Attached(call=SID, worker="v", nonce="m")
    log = sorted([*facts.log, Stored(99, BEGAN_S + 11.4, attached)], key=lambda stored: stored.time_s)
    killed = dataclasses.replace(death(10.5, "stt"), held=(SID,))
    ((_, toll),) = cost(dataclasses.replace(facts, log=tuple(log)), killed).deaths
    assert [round(ms) for ms in toll.taken_ms] == [900]


def test_a_silence_that_was_over_is_not_the_fault_of_who_dies_then() -> None:
    ((_, toll),) = cost(two_turns(second_silence=14), death(11.8)).deaths
    assert (toll.turns, toll.noticed) == (1, 0)


def test_nats_is_missed_until_it_is_back() -> None:
    ((_, toll),) = cost(two_turns(), death(5.0, "nats", back_s=9.0)).deaths
    assert toll.turns == 1
    ((_, toll),) = cost(two_turns(), death(5.0, "nats", back_s=6.0)).deaths
    assert toll.turns == 0


def test_dead_air_is_a_failure() -> None:
    totals = cost(two_turns(second_silence=21), death(10.5)).totals
    assert totals.failures() == ["turns with dead air over 2 s: 1"]


def test_a_lost_call_a_lost_report_and_a_doubled_one_are_failures() -> None:
    unhappy = dataclasses.replace(two_turns(), problem="nobody answered")
    assert cost(unhappy).totals.calls_lost == (SID,)
    endless = dataclasses.replace(two_turns(), log=two_turns().log[:-1])
    assert cost(endless).totals.calls_lost == (SID,)
    assert cost(two_turns(), reports={}).totals.reports_lost == (SID,)
    refused = {SID: Delivered(4, 1, taken=False)}
    assert cost(two_turns(), reports=refused).totals.reports_lost == (SID,)
    doubled = {SID: Delivered(2, 2, taken=True)}
    assert cost(two_turns(), reports=doubled).totals.failures() == ["reports doubled: 1"]
    repeated = {SID: Delivered(2, 1, taken=True)}
    assert cost(two_turns(), reports=repeated).totals.failures() == []


def test_an_order_that_rang_twice_is_a_failure() -> None:
    facts = Facts((two_turns(),), (), DELIVERED, {"one": 1, "two": 2})
    assert cost_of(facts).totals.dialled_twice == ("two",)


def test_the_report_names_each_death() -> None:
    killed = death(10.5)
    lines = list(report(cost(two_turns(second_silence=14), killed), BEGAN_S))
    assert lines[1].split()[:2] == ["10.5s", "llm-0"]
    assert "1200 ms" in lines[1]

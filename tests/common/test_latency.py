"""Where a turn's time went."""

from __future__ import annotations

from dataclasses import replace

import pytest

from voxbus.common import events as ev
from voxbus.common.agents import Voice
from voxbus.common.latency import Latency, latency_of
from voxbus.common.turns import SentenceState, TurnState

SID = "CA" + "0" * 32
SAID = ev.Utterance(
    call=SID, holder=1, turn=2, text="yes", start_media_ms=0, end_media_ms=400, ended_by="silence",
    endpoint_ms=510, recognition_ms=20,
)  # fmt: skip
SENTENCE = ev.Sentence(call=SID, turn=2, index=0, text="Good.", voice=Voice(), first_token_ms=30, ready_ms=80)


def turn(**more: object) -> TurnState:
    state = TurnState(2, utterance=SAID)
    state.sentences[0] = SentenceState(SENTENCE, 1.0)
    for name, value in more.items():
        setattr(state, name, value)
    return state


def heard(*, response_ms: float, synthesis_ms: float) -> ev.Heard:
    return ev.Heard(
        call=SID, stream_sid="MZ0", turn=2, sentence=0, complete=True, played_ms=300, text="Good.", known_by="mark",
        response_ms=response_ms, synthesis_ms=synthesis_ms,
    )  # fmt: skip


def test_each_stage_measured_its_own_part_and_the_rest_is_the_bus() -> None:
    state = turn()
    state.sentences[0].heard = heard(response_ms=650.0, synthesis_ms=15.0)
    assert latency_of(state) == Latency(510, 20, 30, 50, 15, 25, 650)


def test_the_time_in_tools_is_not_the_models() -> None:
    state = turn()
    asked = replace(SENTENCE, first_token_ms=130, tools_ms=100, ready_ms=180)
    state.sentences[0] = SentenceState(asked, 1.0, heard=heard(response_ms=750.0, synthesis_ms=15.0))
    assert latency_of(state) == Latency(510, 20, 30, 50, 15, 25, 750, tools_ms=100)


def test_nothing_is_known_before_it_was_heard() -> None:
    assert latency_of(turn()) is None
    assert latency_of(TurnState(2, utterance=SAID)) is None


def test_a_reply_that_was_cut_in_its_first_sentence_has_its_time_too() -> None:
    cut = ev.Interrupted(
        call=SID, stream_sid="MZ0", turn=2, sentence=0, played_ms=100, text="", response_ms=700
    )
    found = latency_of(turn(interrupted=cut))
    assert found is not None
    assert (found.total_ms, found.synthesis_ms, found.rest_ms) == (700, 0, 90)


def test_a_greeting_is_ready_when_its_call_is() -> None:
    state = turn(utterance=None)
    state.sentences[0].heard = heard(response_ms=90.0, synthesis_ms=5.0)
    found = latency_of(state)
    assert found is not None
    assert (found.endpointing_ms, found.total_ms) == (80, 90)


@pytest.mark.parametrize(
    ("synthesis_ms", "parts"),
    [
        # 200 ms passed from the guess to its confirmation: what was ready then cost nothing.
        (90.0, (0, 0, 0, 10)),
        (190.0, (0, 0, 70, 10)),
    ],
)
def test_work_on_a_guess_costs_what_the_caller_waited_for(
    synthesis_ms: float, parts: tuple[float, float, float, float]
) -> None:
    guess = replace(SAID, final=False, endpoint_ms=200, recognition_ms=0)
    right = ev.UtteranceConfirmed(call=SID, holder=2, turn=2, attempt=0, endpoint_ms=390, recognition_ms=10)
    state = turn(utterance=guess, confirmation=right)
    state.sentences[0].heard = heard(response_ms=410 + parts[2], synthesis_ms=synthesis_ms)
    assert latency_of(state) == Latency(390, 10, *parts, 410 + parts[2])

"""Every check passes on the good call, and fails for its own reason on a bad one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from voxbus.common.events import Continued, Dtmf, Ended, Heard, Interrupted, Sentence, Stored, Utterance
from voxbus.devkit.crm import Appointment, Crm
from voxbus.devkit.demo.checks import check, looked_up, says
from voxbus.devkit.demo.facts import Pressed
from voxbus.devkit.demo.summary import Check

from .sample_call import SampleCall

NAMES = {
    "greeted": "greeted",
    "turns": "at least 3 turns answered",
    "words": "every word understood",
    "mm-hm": "the agent goes on after mm-hm",
    "interrupted": "the agent stops when interrupted",
    "key": "the key press is answered",
    "kill": "an llm worker killed in mid-reply: another one goes on",
    "goodbye": "said goodbye to",
    "hangup": "hung up through /twilio/next",
    "loudness": "the agent is as loud as it should be",
    "warnings": "no protocol warnings",
}


def checks(call: SampleCall) -> dict[str, Check]:
    return {c.name: c for c in check(call.summary(), call.facts, ["mid_reply"])}


def failed(call: SampleCall) -> set[str]:
    short = {name: key for key, name in NAMES.items()}
    return {short.get(name, name) for name, c in checks(call).items() if not c.passed}


def test_the_good_call_passes_all(sample: SampleCall) -> None:
    assert failed(sample) == set()
    assert set(checks(sample)) == set(NAMES.values())


def heard_of(call: SampleCall, turn: int) -> SampleCall:
    """The call without the verdicts of one turn."""
    return replace(
        call, log=[s for s in call.log if not (isinstance(s.event, Heard) and s.event.turn == turn)]
    )


def misheard(call: SampleCall) -> SampleCall:
    log = [
        replace(s, event=replace(s.event, text="cancel"))
        if isinstance(s.event, Utterance) and s.event.text == "goodbye"
        else s
        for s in call.log
    ]
    return replace(call, log=log)


def slow_to_stop(call: SampleCall) -> SampleCall:
    facts = replace(call.facts, clears_ms=(9103.0, 17_060.0))
    return replace(call, facts=facts)


def quiet(call: SampleCall) -> SampleCall:
    return replace(
        call, recording=replace(call.recording, agent=(call.recording.agent // 2).astype(np.int16))
    )


def hum_that_cut(call: SampleCall) -> SampleCall:
    """The caller hums, and the agent takes it for an interruption."""
    cut = Interrupted(
        call=call.facts.call, stream_sid="MZ0", turn=2, sentence=0, played_ms=2050, text="Of course."
    )
    at = next(i for i, s in enumerate(call.log) if isinstance(s.event, Continued))
    log = [*call.log[:at], Stored(0, call.log[at].time_s, cut), *call.log[at:]]
    return replace(call, log=[replace(s, sequence=n) for n, s in enumerate(log, 1)])


BAD: dict[str, list[Callable[[SampleCall], SampleCall]]] = {
    "greeted": [lambda c: heard_of(c, 1)],
    "turns": [lambda c: c.but(without=Utterance), lambda c: c.but(without=Sentence)],
    "mm-hm": [
        hum_that_cut,
        lambda c: c.but(said=tuple(s for s in c.facts.said if s.purpose != "backchannel")),
    ],
    "interrupted": [
        lambda c: c.but(without=Interrupted),
        slow_to_stop,
    ],
    "key": [
        lambda c: c.but(without=Dtmf),
        lambda c: c.but(pressed=()),
        lambda c: c.but(pressed=(Pressed("2", 25_600), Pressed("#", 26_000))),
    ],
    "hangup": [
        lambda c: c.but(without=Ended),
        lambda c: c.but(last_verb="", last_verb_from=""),
        lambda c: c.but(last_verb_from="/twilio/voice"),
    ],
    "warnings": [lambda c: c.but(warnings=("31951 unknown event",))],
    "words": [misheard],
    "loudness": [quiet],
    "kill": [
        lambda c: replace(c, kills=(replace(c.kills[0], turn=3),)),  # that reply never ended
        lambda c: replace(c, kills=(replace(c.kills[0], turn=9),)),
        lambda c: replace(c, kills=(replace(c.kills[0], moment="first_word"),)),
        lambda c: replace(c, kills=()),
    ],
    "goodbye": [lambda c: heard_of(c, 6)],
}


@pytest.mark.parametrize(("name", "index"), [(name, i) for name, bad in BAD.items() for i in range(len(bad))])
def test_a_bad_call_fails_its_own_check(sample: SampleCall, name: str, index: int) -> None:
    assert name in failed(BAD[name][index](sample))


def test_a_failed_check_says_what_was_expected_and_what_was_seen(sample: SampleCall) -> None:
    found = checks(slow_to_stop(sample))[NAMES["interrupted"]]
    assert found.detail == "expected 1 interruption, silent in 150 ms; seen: silent after 160 ms"


def test_an_empty_call_fails_almost_everything(sample: SampleCall) -> None:
    empty = replace(sample.but(last_verb="", last_verb_from=""), log=[], kills=())
    assert failed(empty) >= set(NAMES) - {"kill", "warnings", "loudness"}


def test_what_was_asked_for_must_have_been_heard(sample: SampleCall) -> None:
    assert says(sample.summary(), 5, "thursday at two").passed
    assert not says(sample.summary(), 3, "thursday at two").passed  # generated, and cut off before it
    assert not says(sample.summary(), 9, "thursday at two").passed
    assert not says(sample.summary(), 5, "").passed


def test_what_was_looked_up_must_have_been_asked_for_and_said(sample: SampleCall) -> None:
    """It may have been cut off: the agent knew it."""
    crm = Crm(first=Appointment("Wednesday", "nine"))
    assert not looked_up(sample.summary(), 4, crm).passed
    crm.asked.append("GET +15550100001")
    turn = next(m.turn.number for m in sample.summary().turns if "Wednesday" in str(m.turn.sentences))
    assert looked_up(sample.summary(), turn, crm).passed
    assert not looked_up(sample.summary(), turn + 1, crm).passed

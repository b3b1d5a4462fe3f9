"""Each turn rule: settable by the worker and by the agent, and obeyed at other values than its default."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from voxbus.common import events as ev
from voxbus.common.agents import Agent, Lines, TurnRules
from voxbus.stt.core_rules import rules_for
from voxbus.stt.settings import SttSettings

from .line import Line

#: Of each turn rule: the default, what a worker sets, what an agent sets.
TURN_RULES = {
    "speech_start_prob": (0.6, 0.61, 0.62),
    "speech_end_prob": (0.35, 0.36, 0.37),
    "silence_duration_ms": (500, 501, 502),
    "min_speech_ms": (500, 511, 512),
    "barge_in_prob_threshold": (0.85, 0.86, 0.87),
    "barge_in_consecutive_frames": (3, 4, 5),
    "eot_threshold": (0.85, 0.88, 0.89),
    "eager_eot_threshold": (0.5, 0.51, 0.52),
    "post_utterance_silence_ms": (1500, 1501, 1502),
    "max_turn_ms": (30000, 30001, 30002),
    "no_input_ms": (7000, 7001, 7002),
}


def test_every_turn_rule_is_known() -> None:
    assert set(TURN_RULES) == set(TurnRules.model_fields)


@pytest.mark.parametrize("name", TURN_RULES)
def test_an_agent_overrides_the_worker_in_each_turn_rule(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(name.upper(), raising=False)
    default, of_worker, of_agent = TURN_RULES[name]
    silent = Agent(name="a", prompt="", lines=Lines(greeting="Hi."))
    speaking = silent.model_copy(update={"turn": TurnRules.model_validate({name: of_agent})})
    unset = SttSettings().model_dump()
    monkeypatch.setenv(name.upper(), str(of_worker))
    environment = SttSettings().model_dump()
    found = [
        rules_for(unset, silent),
        rules_for(environment, silent),
        rules_for(environment, speaking),
        rules_for(unset, speaking),
    ]
    assert [getattr(rules, name) for rules in found] == [default, of_worker, of_agent, of_agent]
    assert asdict(found[2]) | {name: default} == asdict(found[0]), "no other rule has changed"


def test_an_agent_limits_its_calls_and_knows_its_noises() -> None:
    agent = Agent(name="a", prompt="", lines=Lines(greeting="Hi."), max_call_s=60)
    rules = rules_for(SttSettings().model_dump(), agent)
    assert (rules.max_call_s, rules.backchannels) == (60, agent.backchannels)


@pytest.mark.parametrize("start_prob", [0.4, 0.8])
def test_speech_begins_at_its_probability(start_prob: float) -> None:
    line = Line(speech_start_prob=start_prob).hear(start_prob - 0.01, ms=640).silence(1600)
    assert line.outputs == []
    line.speech(320, "one", start_prob).silence(640)
    assert [u.text for u in line.utterances] == ["one"]


@pytest.mark.parametrize("end_prob", [0.2, 0.35, 0.5])
def test_silence_begins_below_its_probability(end_prob: float) -> None:
    line = Line(speech_end_prob=end_prob).speech(320, "one").hear(end_prob, ms=1600)
    assert line.utterances == []
    line.hear(end_prob - 0.01, ms=544)
    assert [u.text for u in line.utterances] == ["one"]


def test_a_turn_lasts_at_least_so_long_silence_included() -> None:
    line = Line(min_speech_ms=1500).speech(128, "yes").silence(1344)
    assert line.utterances == []
    assert [u.text for u in line.silence(64).utterances] == ["yes"]


@pytest.mark.parametrize("provider_ends_turns", [False, True])
@pytest.mark.parametrize("rules", [{"silence_duration_ms": 3000}, {"min_speech_ms": 5000}])
def test_the_longest_silence_ends_the_turn_whatever_the_other_rules_say(
    rules: dict[str, Any], provider_ends_turns: bool
) -> None:
    line = Line(provider_ends_turns=provider_ends_turns, **rules).speech(640, "one").silence(1472)
    assert line.utterances == []
    assert [(u.text, u.ended_by) for u in line.silence(64).utterances] == [("one", "silence")]


@pytest.mark.parametrize("silence_ms", [640, 2976])
def test_a_provider_that_says_nothing_is_waited_for_until_the_longest_silence(silence_ms: int) -> None:
    line = Line(provider_ends_turns=True, post_utterance_silence_ms=silence_ms)
    line.speech(640, "one").silence(silence_ms - 32)
    assert line.utterances == []
    assert [u.text for u in line.silence(32).utterances] == ["one"]


@pytest.mark.parametrize("threshold", [0.6, 0.95])
def test_a_provider_ends_the_turn_at_its_confidence(threshold: float) -> None:
    line = Line(provider_ends_turns=True, eot_threshold=threshold).speech(640, "one").silence(320)
    line.take(line.taker.end_of_turn(threshold - 0.01))
    assert line.utterances == []
    line.take(line.taker.end_of_turn(threshold))
    assert [u.ended_by for u in line.utterances] == ["provider"]


@pytest.mark.parametrize(("threshold", "frames"), [(0.7, 3), (0.95, 3), (0.85, 1), (0.85, 6)])
def test_so_many_strong_windows_in_a_row_are_speech_over_the_agent(threshold: float, frames: int) -> None:
    line = Line(barge_in_prob_threshold=threshold, barge_in_consecutive_frames=frames)
    line.agent_says(1, "Long.", "Longer.").hear(threshold - 0.01, ms=640)
    line.hear(*[threshold] * (frames - 1)).hear(threshold - 0.01)
    assert line.all(ev.SpeechStarted) == []
    line.hear(*[threshold] * frames)
    assert len(line.all(ev.SpeechStarted)) == 1


@pytest.mark.parametrize("no_input_ms", [3200, 20_000])
def test_silence_is_no_input_after_its_time(no_input_ms: int) -> None:
    line = Line(no_input_ms=no_input_ms).agent_says(1, "Hello.").silence(320).agent_heard(1, 1)
    assert line.silence(no_input_ms - 32).utterances == []
    assert [u.ended_by for u in line.silence(64).utterances] == ["no_input"]
    # The agent does not answer: no reply is waited for less long than a caller.
    line.silence(max(15_000, no_input_ms) - 64)
    assert len(line.utterances) == 1
    line.silence(128)
    assert len(line.utterances) == 2


def test_silence_where_the_replay_begins_is_the_pause_before_what_is_new() -> None:
    line = Line(speech_end_prob=0.5).greeted().speech(640, "yes")
    said_ms = line.now_ms
    line.silence(640).taken_over().replay(said_ms - 64)
    line.hear(0.45, 0.45).speech(320, "no").silence(640)
    assert [u.text for u in line.utterances] == ["yes no"]

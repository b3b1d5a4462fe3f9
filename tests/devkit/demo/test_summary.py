"""The summary of a call whose every number is known."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from voxbus.common.events import Continued, Heard, Interrupted, Utterance

from .sample_call import SampleCall


def test_each_turn_has_its_cause_and_what_was_said(sample: SampleCall) -> None:
    turns = [m.turn for m in sample.summary().turns]
    assert [t.cause for t in turns] == ["greeting", "speech", "speech", "speech", "keys", "speech"]
    assert [t.caller.text if t.caller else None for t in turns] == [
        None, "can you repeat that", "i would like to reschedule", "thursday at two", "1", "goodbye",
    ]  # fmt: skip


def test_what_was_cut_is_told_apart_from_what_was_heard(sample: SampleCall) -> None:
    first, second = sample.summary().turns[2].turn.sentences
    assert first.heard == "I can offer Wednesday at nine,"
    assert first.unheard == "Thursday at two, or Friday at half past four."
    assert (second.heard, second.unheard) == ("", "Which of these would you like?")
    assert second.start_ms is None
    assert not first.complete
    assert not second.complete


def test_a_sentence_lies_where_it_was_played(sample: SampleCall) -> None:
    first, second = sample.summary().turns[0].turn.sentences
    assert (first.start_ms, first.end_ms) == (280, 1780)
    assert (second.start_ms, second.end_ms) == (1960, 4260)
    held = sample.summary().turns[1].turn.sentences[0]  # 3.9 s of speech and a pause of 960 ms in it
    assert (held.start_ms, held.end_ms) == (7040, 11_900)
    cut = sample.summary().turns[2].turn.sentences[0]  # the verdict came 628 ms after the silence
    assert cut.end_ms == 17_012


def test_the_parts_of_a_latency_add_up(sample: SampleCall) -> None:
    for measured in sample.summary().turns:
        latency = measured.turn.latency
        assert latency is not None
        parts = (
            latency.endpointing_ms, latency.recognition_ms, latency.first_token_ms, latency.sentence_ms,
            latency.synthesis_ms, latency.rest_ms,
        )  # fmt: skip
        assert sum(parts) == pytest.approx(latency.total_ms, abs=0.5)
    speech = sample.summary().turns[1].turn.latency
    assert speech is not None
    assert (speech.endpointing_ms, speech.recognition_ms, speech.first_token_ms, speech.sentence_ms) == (
        508,
        14,
        18,
        43,
    )


def test_an_interrupted_turn_has_its_latency_from_whoever_knows_it(sample: SampleCall) -> None:
    latency = sample.but(without=Heard).summary().turns[2].turn.latency
    assert latency is not None
    assert latency.total_ms == 640


def test_voice_to_voice_comes_from_the_recording(sample: SampleCall) -> None:
    measured = {m.turn.number: m.voice_to_voice_ms for m in sample.summary().turns}
    assert measured == {1: 280, 2: 640, 3: 640, 4: 630, 5: 220, 6: 640}
    assert sample.summary().median_voice_to_voice_ms() == 640
    silent = replace(sample.recording, agent=sample.recording.agent * 0)
    assert replace(sample, recording=silent).summary().median_voice_to_voice_ms() is None


def test_an_interruption_is_over_when_the_agent_is_silent(sample: SampleCall) -> None:
    (cut,) = sample.summary().interruptions
    assert (cut.turn, cut.at_ms, cut.stopped_ms) == (3, 16_900, 115)
    loud = sample.recording.agent.copy()  # the same call, but the sound goes on after the clear
    loud[17_015 * 8 : 17_200 * 8] = loud[16_000 * 8 : 16_185 * 8]
    (late,) = replace(sample, recording=replace(sample.recording, agent=loud)).summary().interruptions
    assert late.stopped_ms == 300


def test_a_hum_pauses_and_goes_on(sample: SampleCall) -> None:
    (hum,) = sample.summary().backchannels
    assert (hum.text, hum.turn, hum.held_from_ms, hum.held_ms) == ("mm-hm", 2, 9100, 960)
    (never,) = sample.but(without=Continued).summary().backchannels
    assert never.held_ms == 0


def test_a_kill_adds_the_silence_beyond_the_usual(sample: SampleCall) -> None:
    (kill,) = sample.summary().kills
    assert (kill.silence_from_ms, kill.silence_ms, kill.usual_ms, kill.added_ms) == (27_000, 1180, 180, 1000)


def test_a_kill_before_the_reply_delays_it(sample: SampleCall) -> None:
    early = replace(sample.kills[0], turn=4, at_ms=18_900, moment="first_word")
    (kill,) = replace(sample, kills=(early,)).summary().kills
    assert (kill.silence_ms, kill.usual_ms, kill.added_ms) == (630, 640, 0)
    assert replace(sample, kills=(early,)).summary().median_voice_to_voice_ms() == 640


def test_a_kill_in_a_turn_that_never_was_adds_nothing(sample: SampleCall) -> None:
    (kill,) = replace(sample, kills=(replace(sample.kills[0], turn=9),)).summary().kills
    assert kill.added_ms == 0


def test_what_a_replaced_holder_said_is_left_out(sample: SampleCall) -> None:
    stale = [
        replace(s, event=replace(s.event, holder=99)) if isinstance(s.event, Utterance) else s
        for s in sample.log
    ]
    assert all(m.turn.caller is None for m in replace(sample, log=stale).summary().turns)


def test_without_an_interruption_nothing_was_interrupted(sample: SampleCall) -> None:
    summary = sample.but(without=Interrupted).summary()
    assert summary.interruptions == ()
    assert not any(m.turn.interrupted for m in summary.turns)


def test_the_json_is_json_and_flat(sample: SampleCall) -> None:
    whole = json.loads(json.dumps(sample.summary().as_json()))
    assert whole["turns"][1]["latency"]["endpointing_ms"] == 508
    assert whole["turns"][1]["voice_to_voice_ms"] == 640
    assert whole["passed"] is True
    assert whole["levels"]["agent_active_dbfs"] == pytest.approx(-20, abs=2)


def test_nothing_at_all_is_summarized_too(sample: SampleCall) -> None:
    silent = replace(sample.recording, agent=sample.recording.agent * 0)
    summary = replace(sample, log=[], recording=silent).summary()
    json.dumps(summary.as_json(), allow_nan=False)
    assert summary.turns == ()
    assert summary.ended == ""

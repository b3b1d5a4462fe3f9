"""Tentative turns, withdrawals, and audio that comes late or never."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from voxbus.common import events as ev
from voxbus.common.agents import Agent
from voxbus.common.events import Stored
from voxbus.common.fold import fold

from .line import TOKEN, Line

Speech = Callable[..., bytes]


def confirmed(line: Line, turn: int, attempt: int = 0) -> ev.UtteranceConfirmed:
    return ev.UtteranceConfirmed(call=line.sentence().call, holder=1, turn=turn, attempt=attempt)


def withdrawn(line: Line, turn: int, attempt: int = 0) -> ev.UtteranceWithdrawn:
    return ev.UtteranceWithdrawn(call=line.sentence().call, holder=1, turn=turn, attempt=attempt)


def answered_turn(line: Line, turn: int) -> ev.Utterance:
    """What the caller has said just now."""
    return replace(line.utterance(turn), end_media_ms=int(line.now) - 1000)


def test_the_reply_to_a_tentative_utterance_waits_for_the_confirmation(line: Line, speech: Speech) -> None:
    line.log(line.reply_ended(0))  # the greeting is over
    line.log(line.utterance(2, final=False), line.sentence(0, turn=2), line.reply_ended(1, turn=2))
    line.audio(speech(300), turn=2)
    line.run(500)
    assert line.heard == b""
    line.log(confirmed(line, 2))
    assert line.heard_at == [line.now]  # it was waiting
    line.run(500)
    assert line.heard == speech(300)


def test_the_reply_to_a_withdrawn_utterance_is_never_heard(line: Line, speech: Speech) -> None:
    line.log(line.reply_ended(0))
    line.log(line.utterance(2, final=False), line.sentence(0, turn=2))
    line.audio(speech(300), turn=2)
    line.log(withdrawn(line, 2))
    line.audio(speech(300), turn=2, sentence=1)
    line.run(500)
    assert line.heard == b""
    line.log(line.utterance(2, attempt=1), line.sentence(0, turn=2, attempt=1), line.reply_ended(1, 2, 1))
    line.audio(speech(300, seed=7), turn=2, attempt=1)
    line.run(500)
    assert line.heard == speech(300, seed=7)
    assert [h.attempt for h in line.of(ev.Heard)] == [1]


def test_a_tentative_utterance_does_not_cut_what_is_being_said(line: Line, speech: Speech) -> None:
    line.log(line.sentence(0), line.reply_ended())
    line.audio(speech(1000))
    line.run(200)
    line.log(line.utterance(2, final=False), line.sentence(0, turn=2), line.reply_ended(1, turn=2))
    line.audio(speech(300, seed=7), turn=2)
    line.run(200)
    assert line.clears == []
    line.log(confirmed(line, 2))
    assert [i.turn for i in line.of(ev.Interrupted)] == [1]
    line.run(500)
    assert bytes(line.heard).endswith(speech(300, seed=7))


def test_a_final_utterance_that_is_withdrawn_in_a_race_is_cut(line: Line, speech: Speech) -> None:
    line.log(line.reply_ended(0))
    line.log(line.utterance(2), line.sentence(0, turn=2))
    line.audio(speech(300), turn=2)
    line.run(60)
    line.log(withdrawn(line, 2))
    assert line.clears == [line.now]
    assert line.events == []  # it does not count, so there is nothing to say about it


# Audio that comes late or never


def test_a_hole_is_jumped_after_200_ms(line: Line, speech: Speech) -> None:
    line.log(line.sentence(), line.reply_ended())
    whole = speech(600)
    line.audio(whole[:1600], last=False)
    line.audio(whole[3200:], offset=3200)
    line.run(180)
    assert line.heard == whole[:1600]
    line.run(600)
    assert line.heard == whole[:1600] + whole[3200:]
    assert line.of(ev.Heard)[0].underrun_ms == 0  # it was as old as what was in hand was long


def test_a_sentence_that_stops_in_the_middle_is_closed_after_a_second_of_silence(
    line: Line, speech: Speech
) -> None:
    line.log(line.sentence(0, "aaaa bbbb cccc dddd"), line.sentence(1), line.reply_ended(2))
    line.audio(speech(390), last=False)
    line.audio(speech(200, seed=9), sentence=1)
    line.run(1360)
    assert len(line.heard) == 380 * 8  # the last 10 ms are no whole frame
    line.run(700)
    assert bytes(line.heard[380 * 8 :]) == speech(390)[380 * 8 :] + b"\xff" * 80 + speech(200, seed=9)
    first, second = line.of(ev.Heard)
    assert (first.complete, first.played_ms) == (False, 390)
    assert first.text != "aaaa bbbb cccc dddd"
    assert second.complete


def test_a_worker_that_takes_over_in_time_loses_nothing(line: Line, speech: Speech) -> None:
    line.log(line.sentence(), line.reply_ended())
    line.audio(speech(400), last=False)
    line.run(1300)  # silent for 900 ms
    line.audio(speech(1000), token=TOKEN + 1)
    line.run(1000)
    assert line.heard == speech(1000)
    (heard,) = line.of(ev.Heard)
    assert heard.complete
    assert heard.underrun_ms == pytest.approx(900, abs=20)


def test_a_sentence_of_which_nothing_comes_is_passed_when_the_next_is_here(
    line: Line, speech: Speech
) -> None:
    line.log(line.sentence(0), line.sentence(1), line.reply_ended(2))
    line.audio(speech(200), sentence=1)
    line.run(2460)
    assert line.heard == b""
    line.run(600)
    assert line.heard == speech(200)
    assert next((h.sentence, h.complete, h.text) for h in line.of(ev.Heard)) == (0, False, "")


# Dead air


def test_dead_air_is_filled_until_the_fallback_is_said(line: Line, speech: Speech) -> None:
    one, other, sorry = speech(600), speech(500, seed=3), speech(900, seed=9)
    line.player.clips |= {"filler": (one, other), "fallback": (sorry,)}
    line.log(line.reply_ended(0))
    line.log(answered_turn(line, 2))
    line.run(880)
    assert line.filled == []
    line.run(40)
    assert line.filled == ["filler"]
    line.run(600 + 2940)
    assert line.filled == ["filler"]
    line.run(80)
    assert line.filled == ["filler", "filler"]
    line.run(500 + 2500)
    assert line.filled == ["filler", "filler"]
    line.run(1000)
    assert line.filled == ["filler", "filler", "fallback"]
    line.run(20_000)
    assert line.filled == ["filler", "filler", "fallback"]
    assert line.heard == one + other + sorry
    assert line.events == []  # clips are no sentences


def test_no_two_turns_running_begin_with_the_same_filler(line: Line, speech: Speech) -> None:
    one, other = speech(600), speech(500, seed=3)
    line.player.clips["filler"] = (one, other)
    line.log(line.reply_ended(0))
    for turn in (2, 3):
        line.log(answered_turn(line, turn))
        line.run(2000)
        line.log(line.reply_ended(0, turn=turn))
    assert line.heard == one + other


def test_a_greeting_is_given_more_time(line: Line) -> None:
    line.run(2980)  # nobody asked for it
    assert line.filled == []
    line.run(40)
    assert line.filled == ["missing"]


def test_a_pause_between_two_sentences_is_given_more_time(line: Line, speech: Speech) -> None:
    line.log(line.reply_ended(0))
    line.log(answered_turn(line, 2), line.sentence(0, turn=2))
    line.audio(speech(300), turn=2)
    line.run(300 + 2960)
    assert line.filled == []
    line.run(80)
    assert line.filled == ["missing"]


def test_a_sentence_that_is_being_spoken_is_waited_for(line: Line, speech: Speech) -> None:
    line.log(line.reply_ended(0))
    line.log(answered_turn(line, 2))
    line.run(800)
    line.log(line.sentence(0, turn=2), line.reply_ended(1, turn=2))
    line.run(980)
    assert line.filled == []
    line.run(40)  # its worker must have died
    assert line.filled == ["missing"]
    line.audio(speech(300), turn=2)
    line.run(600)
    assert line.heard == speech(300)


def test_the_caller_waits_from_their_last_word_on(line: Line, speech: Speech) -> None:
    line.player.clips["filler"] = (speech(600),)
    line.log(line.reply_ended(0))
    line.run(5000)
    # The turn was decided 1.2 s after the caller fell silent.
    line.log(replace(line.utterance(2), end_media_ms=int(line.now) - 1000 - 600))
    line.run(260)
    assert line.filled == []
    line.run(80)
    assert line.filled == ["filler"]


def test_the_reply_follows_the_filler(line: Line, speech: Speech) -> None:
    line.player.clips["filler"] = (speech(600),)
    line.run(3100)
    line.log(line.sentence(), line.reply_ended())
    line.audio(speech(300, seed=9))
    line.run(1500)
    assert line.heard == speech(600) + speech(300, seed=9)


def test_a_barge_in_over_a_filler_ends_the_reply_that_never_came(line: Line, speech: Speech) -> None:
    line.player.clips["filler"] = (speech(600),)
    line.run(3100)
    line.log(line.speech())
    assert line.clears == [line.now]
    line.log(line.barge_in())
    assert [(i.turn, i.sentence, i.text) for i in line.of(ev.Interrupted)] == [(1, 0, "")]
    heard = len(line.heard)
    line.run(9000)
    assert len(line.heard) == heard


def test_without_a_clip_dead_air_is_counted(line: Line) -> None:
    line.run(3100)
    assert line.filled == ["missing"]


@pytest.mark.parametrize("why", ["nothing is due", "the caller speaks", "the utterance is tentative"])
def test_silence_that_is_no_dead_air(line: Line, why: str) -> None:
    match why:
        case "nothing is due":
            line.log(line.reply_ended(0))
        case "the caller speaks":
            line.log(replace(line.speech(), over_agent=False))
        case _:
            line.log(line.reply_ended(0), line.utterance(2, final=False))
    line.run(9000)
    assert line.filled == []


def test_a_clip_of_the_gateways_own_is_played_in_pace(line: Line, speech: Speech) -> None:
    line.player.say(speech(4000), line.now)
    line.run(3000)
    assert line.player.silent_since(line.now) is None
    line.run(1100)
    assert line.heard == speech(4000)
    assert line.player.silent_since(line.now) == 5000


# Another gateway's call


def test_a_call_that_came_over_goes_on_where_it_was(line: Line, agent: Agent, speech: Speech) -> None:
    call = line.sentence().call
    started = ev.Started(call=call, stream_sid="MZ0", session="s", direction="inbound", agent=agent)
    log: list[ev.Event] = [
        started,
        line.sentence(0, turn=1),
        line.reply_ended(1),
        ev.Attached(call=call, worker="w", nonce="n"),
        replace(line.utterance(2), holder=4),
        line.sentence(0, turn=2),
        line.sentence(1, turn=2),
        line.sentence(2, turn=2),
        line.reply_ended(3, turn=2),
        ev.Heard(
            call=call, stream_sid="MZ0", turn=2, sentence=0, complete=True, played_ms=9, text="x", known_by="mark"
        ),
        ev.Resumed(call=call, stream_sid="MZ1"),
    ]  # fmt: skip
    line.player.restore(fold(Stored(i, float(i), event) for i, event in enumerate(log, 1)), line.now)
    line.audio(speech(200), turn=2, sentence=0)  # said again although it was heard: of no use
    line.audio(speech(200, seed=5), turn=2, sentence=1)
    line.audio(speech(200, seed=9), turn=2, sentence=2)
    line.audio(speech(200), turn=1, sentence=0)
    line.run(1000)
    assert line.heard == speech(200, seed=5) + speech(200, seed=9)
    assert [h.sentence for h in line.of(ev.Heard)] == [1, 2]
    assert line.player.dropped == 2
    assert not line.player.busy


def test_what_was_said_again_before_the_call_has_come_over_is_heard(
    line: Line, agent: Agent, speech: Speech
) -> None:
    call = line.sentence().call
    log: list[ev.Event] = [
        ev.Started(call=call, stream_sid="MZ0", session="s", direction="inbound", agent=agent),
        line.sentence(0, turn=1),
        line.reply_ended(1),
        ev.Resumed(call=call, stream_sid="MZ1"),
    ]
    line.audio(speech(200), turn=1, sentence=0)
    line.player.restore(fold(Stored(i, float(i), event) for i, event in enumerate(log, 1)), line.now)
    line.run(1000)
    assert line.heard == speech(200)
    assert not line.player.busy


def test_a_call_that_came_over_has_nothing_more_to_say_to_a_machine(agent: Agent, speech: Speech) -> None:
    line = Line()
    call = line.sentence().call
    calling = agent.model_copy(update={"machine_detection": "leave_message"})
    log: list[ev.Event] = [
        ev.Started(call=call, stream_sid="MZ0", session="s", direction="outbound", agent=calling),
        ev.Attached(call=call, worker="w", nonce="n"),
        replace(line.utterance(1), holder=2),
        line.sentence(0, turn=1),
        ev.Status(call=call, sequence=0, answered_by="machine_start"),
        ev.Resumed(call=call, stream_sid="MZ1"),
    ]
    line.player.restore(fold(Stored(i, float(i), event) for i, event in enumerate(log, 1)), line.now)
    line.audio(speech(200), turn=1, sentence=0)
    line.run(5000)
    assert line.heard == b""
    assert line.filled == []
    line.log(line.utterance(2, ended_by="machine"), line.sentence(0, turn=2), line.reply_ended(1, turn=2))
    line.audio(speech(200, seed=5), turn=2, sentence=0)
    line.run(1000)
    assert line.heard == speech(200, seed=5)

"""Conversations on virtual time: probabilities in, decisions out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxbus.common import events as ev
from voxbus.common.agents import Dtmf
from voxbus.stt.core_outputs import CancelRecognition, FinishRecognition, Look, StartRecognition

from .line import SID, Line


def test_a_turn_ends_after_the_silence() -> None:
    line = Line().silence(320).speech(960, "book a table").silence(480)
    assert line.utterances == []
    line.silence(64)
    (utterance,) = line.utterances
    assert (utterance.turn, utterance.attempt, utterance.text) == (2, 0, "book a table")
    assert (utterance.start_media_ms, utterance.end_media_ms) == (320, 1280)
    assert utterance.ended_by == "silence"
    assert utterance.endpoint_ms == 512
    (start,) = [o for o in line.outputs if isinstance(o, StartRecognition)]
    assert start.from_ms == 20


def test_yes_is_an_answer_but_a_click_is_nothing() -> None:
    line = Line().silence(320).speech(128, "yes").silence(640)
    assert [u.text for u in line.utterances] == ["yes"]
    line = Line().silence(320).speech(64).silence(640)
    assert line.utterances == []
    assert isinstance(line.outputs[-1], CancelRecognition)


def test_between_the_two_probabilities_nothing_changes() -> None:
    line = Line().hear(0.5, ms=640)
    assert line.outputs == []  # it does not start speech
    line.speech(320, "one").hear(0.5, ms=2000)
    assert line.utterances == []  # it does not start the silence
    line.silence(256).hear(0.5, ms=320)
    assert [u.text for u in line.utterances] == ["one"]  # nor take it back


def test_a_pause_shorter_than_the_silence_ends_nothing() -> None:
    line = Line().speech(320, "one two").silence(448).speech(320).silence(640)
    assert [u.text for u in line.utterances] == ["one two"]


def test_the_words_are_read_before_the_silence_is_over() -> None:
    line = Line().speech(640, "one").silence(192)
    assert isinstance(line.outputs[-1], Look)
    line.silence(320)
    assert line.outputs[-2] == FinishRecognition(looked=True)
    line = Line().speech(640).silence(192).speech(64).silence(640)
    assert [o for o in line.outputs if isinstance(o, Look)] == [Look(), Look()]
    line = Line(max_turn_ms=1280).speech(640).silence(192).speech(640)
    assert FinishRecognition(looked=False) in line.outputs


def test_speech_without_words_says_so() -> None:
    (utterance,) = Line().greeted().speech(640).silence(640).utterances
    assert (utterance.text, utterance.ended_by) == ("", "no_words")


def test_going_on_before_the_reply_is_audible_withdraws_and_joins() -> None:
    line = Line().speech(640, "i want to").silence(640).silence(320)
    line.agent_says(2, "Pardon?", audible=None)
    line.speech(640, "cancel").silence(640)
    assert [(u.turn, u.attempt, u.text) for u in line.utterances] == [
        (2, 0, "i want to"),
        (2, 1, "i want to cancel"),
    ]
    assert line.utterances[1].start_media_ms == 0
    (withdrawn,) = line.all(ev.UtteranceWithdrawn)
    assert withdrawn.key() == "2.0"
    assert line.state.next_turn() == 3


def test_going_on_while_the_words_are_still_read_is_one_utterance() -> None:
    line = Line()
    line.deaf = True
    line.speech(640).silence(640).speech(320)
    line.take(line.taker.transcript("i want to", 0.9, 300.0))
    assert line.utterances == []
    line.deaf = False
    line.words = ["cancel"]
    line.speech(320).silence(640)
    assert [u.text for u in line.utterances] == ["i want to cancel"]


def test_speech_after_the_reply_became_audible_is_the_next_turn() -> None:
    line = Line().speech(640, "hello").silence(640)
    line.agent_says(2, "Hi.").silence(320).agent_heard(2, 1).silence(640)
    line.speech(640, "cancel").silence(640)
    assert [(u.turn, u.attempt) for u in line.utterances] == [(2, 0), (3, 0)]
    assert line.all(ev.UtteranceWithdrawn) == []


def test_three_strong_windows_over_the_agent_hold_it_and_words_interrupt_it() -> None:
    line = Line().agent_says(1, "Hello there.", "How can I help you today?")
    line.silence(320).hear(0.9, 0.9)
    assert line.outputs == []
    line.hear(0.9)
    assert [type(o) for o in line.outputs] == [StartRecognition, ev.SpeechStarted]
    assert line.all(ev.SpeechStarted)[0].over_agent  # type: ignore[attr-defined]
    line.take(line.taker.partial("cancel my"))
    (barge_in,) = line.all(ev.BargeIn)
    assert barge_in.by == "words"  # type: ignore[attr-defined]
    line.audible = (0, 0)
    line.speech(320, "cancel my appointment").silence(640)
    assert [u.text for u in line.utterances] == ["cancel my appointment"]
    assert len(line.all(ev.BargeIn)) == 1


def test_long_speech_over_the_agent_was_meant_whatever_it_said() -> None:
    line = Line().agent_says(1, "Hello there.", "How are you?").speech(640)
    assert line.all(ev.BargeIn) == []
    line.speech(96)
    assert [b.by for b in line.all(ev.BargeIn)] == ["duration"]  # type: ignore[attr-defined]


def test_weak_or_short_speech_over_the_agent_is_nothing() -> None:
    line = Line().agent_says(1, "Hello there.").hear(0.84, ms=3200).hear(0.9, 0.9, 0.1, 0.9, 0.9, 0.1)
    assert line.outputs == []


def test_a_backchannel_is_kept_and_not_answered() -> None:
    line = Line().agent_says(1, "Let me explain.", "This is long.", "Any questions?")
    line.speech(256, "mm-hm").silence(640)
    assert line.utterances == []
    (kept,) = line.backchannels
    assert (kept.text, kept.turn) == ("mm-hm", 1)
    assert line.all(ev.BargeIn) == []


def test_noise_over_the_agent_is_no_turn() -> None:
    line = Line().agent_says(1, "Let me explain.", "This is long.").speech(256).silence(640)
    assert line.utterances == []
    assert [b.text for b in line.backchannels] == [""]


def test_a_short_word_during_the_last_sentence_is_an_answer() -> None:
    line = Line().agent_says(1, "It is on Tuesday.", "Is that right?", audible=1)
    line.speech(256, "yeah").silence(640)
    assert [u.text for u in line.utterances] == ["yeah"]
    assert [b.by for b in line.all(ev.BargeIn)] == ["words"]  # type: ignore[attr-defined]


def test_the_agents_own_words_are_its_echo() -> None:
    line = Line().agent_says(1, "Your appointment is on Tuesday.", "Is that right?")
    line.speech(256)
    line.take(line.taker.partial("appointment is on"))
    assert line.all(ev.BargeIn) == []
    line.words = ["appointment is on tuesday"]
    line.silence(640)
    assert line.utterances == []
    assert len(line.backchannels) == 1


def test_the_echo_tail_after_the_agent_is_not_speech() -> None:
    line = Line().agent_says(1, "Hello.").silence(320).agent_heard(1, 1)
    line.hear(0.7, ms=320)
    assert line.outputs == []
    line.silence(64).hear(0.7, ms=320)
    assert any(isinstance(o, StartRecognition) for o in line.outputs)


def test_the_agent_that_begins_to_speak_into_speech_is_held() -> None:
    line = Line().speech(320)
    line.agent_says(1, "Hello there.")
    line.speech(96)
    assert [s.over_agent for s in line.all(ev.SpeechStarted)] == [False, True]  # type: ignore[attr-defined]


@pytest.mark.parametrize("end_prob", [0.2, 0.35, 0.5])
def test_a_turn_without_end_is_cut_and_the_rest_is_not_heard_until_a_pause(end_prob: float) -> None:
    line = Line(max_turn_ms=3200, speech_end_prob=end_prob).speech(3200, "blah blah")
    assert [u.ended_by for u in line.utterances] == ["max_duration"]
    line.agent_says(2, "Let me stop you.").speech(3200)
    assert line.all(ev.BargeIn) == []
    assert line.all(ev.UtteranceWithdrawn) == []
    line.hear(end_prob, ms=640).speech(320)
    assert [o for o in line.all(ev.SpeechStarted) if o.over_agent] == []  # type: ignore[attr-defined]
    line.hear(end_prob - 0.01, ms=128).speech(320)
    assert line.all(ev.SpeechStarted)[-1].over_agent  # type: ignore[attr-defined]


def test_a_provider_ends_the_turn_at_its_confidence_or_the_silence_does() -> None:
    line = Line(provider_ends_turns=True)
    line.speech(640, "one").silence(320)
    line.take(line.taker.end_of_turn(0.5))
    assert line.utterances == []
    line.take(line.taker.end_of_turn(0.9))
    assert [u.ended_by for u in line.utterances] == ["provider"]
    line = Line(provider_ends_turns=True).speech(640, "one").silence(1472)
    assert line.utterances == []
    assert [u.ended_by for u in line.silence(64).utterances] == ["silence"]


def test_no_input_after_both_were_silent() -> None:
    line = Line().agent_says(1, "Hello.").silence(640).agent_heard(1, 1).silence(6900)
    assert line.utterances == []
    line.silence(128)
    (utterance,) = line.utterances
    assert (utterance.text, utterance.ended_by, utterance.turn) == ("", "no_input", 2)
    # The reprompt is on its way: nothing more is asked for, until it was heard and silence came again.
    line.silence(7000)
    assert len(line.utterances) == 1
    line.agent_says(2, "Are you there?").silence(640).agent_heard(2, 1).silence(7100)
    assert [u.turn for u in line.utterances] == [2, 3]


def test_a_callee_who_says_nothing_is_greeted() -> None:
    line = Line("outbound").silence(1440)
    assert line.utterances == []
    assert [(u.turn, u.ended_by) for u in line.silence(128).utterances] == [(1, "no_input")]


@pytest.mark.parametrize("words", ["", "yes"])
def test_a_callee_who_says_hello_ends_the_first_turn_with_it(words: str) -> None:
    line = Line("outbound").silence(1280).speech(480, words).silence(640)
    assert [(u.turn, u.text) for u in line.utterances] == [(1, words)]
    assert line.silence(6000).utterances[1:] == []


def test_a_callee_who_begins_to_speak_as_the_silence_ends_is_greeted_once() -> None:
    line = Line("outbound").silence(1536).speech(480).silence(640)
    assert [(u.turn, u.attempt, u.ended_by) for u in line.utterances] == [
        (1, 0, "no_input"),
        (1, 1, "no_words"),
    ]
    assert len(line.all(ev.UtteranceWithdrawn)) == 1


def test_a_hello_over_the_greeting_is_no_turn() -> None:
    line = Line("outbound").silence(1568).agent_says(1, "Hello.", "This is a test.").speech(480).silence(640)
    assert [u.ended_by for u in line.utterances] == ["no_input"]
    assert [b.turn for b in line.backchannels] == [1]


def test_the_hello_is_the_first_turn_for_the_next_holder_too() -> None:
    line = Line("outbound").silence(320).speech(480)
    line.taken_over().replay(0).silence(320).speech(480).silence(640)
    assert [(u.turn, u.attempt) for u in line.utterances] == [(1, 0)]
    line.taken_over().replay(512).speech(288).silence(3000)
    assert line.utterances == []


@pytest.fixture
def put_through() -> Line:
    """A screener asked, was answered, and puts the call through, to which the agent says nothing."""
    line = Line("outbound").speech(640, "who is calling").silence(640)
    line.agent_says(1, "A test.").silence(320).agent_heard(1, 1).silence(640)
    line.speech(640, "please hold").silence(640)
    return line.agent_says(2, audible=None)


def test_speech_after_a_reply_of_silence_is_the_next_turn(put_through: Line) -> None:
    put_through.silence(320).speech(480, "").silence(640)
    assert [(u.turn, u.attempt, u.text) for u in put_through.utterances][1:] == [
        (2, 0, "please hold"),
        (3, 0, ""),
    ]


def test_silence_after_a_reply_of_silence_is_no_input(put_through: Line) -> None:
    assert [u.ended_by for u in put_through.silence(7100).utterances][2:] == ["no_input"]


def test_who_is_hung_up_on_is_not_asked_again() -> None:
    line = Line().agent_says(1, "Goodbye.").silence(64).agent_heard(1, 1)
    line.log(ev.HangupRequested(call=SID, turn=1, reason="goodbye"))
    assert line.silence(20_000).utterances == []


@pytest.fixture
def dismissed() -> Line:
    """The agent said goodbye, and was heard."""
    line = Line().greeted().speech(640, "no thanks").silence(640).agent_says(2, "Goodbye.").silence(320)
    line.log(ev.HangupRequested(call=SID, turn=2, reason="agent"))
    return line.agent_heard(2, 1).silence(384)


@pytest.mark.parametrize("words", ["", "yeah"])
def test_a_murmur_after_the_goodbye_does_not_take_the_hangup_back(dismissed: Line, words: str) -> None:
    dismissed.speech(320, words).silence(640)
    assert [u.text for u in dismissed.utterances] == ["no thanks"]
    assert [(b.text, b.turn) for b in dismissed.backchannels] == [(words, 2)]
    assert dismissed.state.hangup is not None


def test_who_says_something_after_the_goodbye_takes_the_hangup_back(dismissed: Line) -> None:
    dismissed.speech(640, "wait a moment").silence(640)
    assert [(u.turn, u.text) for u in dismissed.utterances][1:] == [(3, "wait a moment")]
    assert dismissed.state.hangup is None


def test_who_speaks_for_long_after_the_goodbye_is_asked_again(dismissed: Line) -> None:
    dismissed.speech(960, "").silence(640)
    assert [(u.turn, u.ended_by) for u in dismissed.utterances][1:] == [(3, "no_words")]


def test_okay_over_the_goodbye_is_no_answer() -> None:
    line = Line().greeted().speech(640, "no thanks").silence(640).agent_says(2, "Goodbye.")
    line.log(ev.HangupRequested(call=SID, turn=2, reason="agent"))
    line.speech(256, "yeah").silence(640)
    assert line.all(ev.BargeIn) == []
    assert line.state.hangup is not None


def test_the_time_limit_is_said_once() -> None:
    line = Line().agent_says(1, "Hello.").agent_heard(1, 1).silence(320)
    line.call_s = 900
    line.silence(640)
    assert [u.ended_by for u in line.utterances] == ["time_limit"]


def test_digits_become_one_utterance() -> None:
    line = Line(dtmf=Dtmf(length=0))
    line.take(line.taker.digit("1", line.now_ms))
    line.silence(640)
    line.take(line.taker.digit("2", line.now_ms))
    line.silence(1920)
    assert line.utterances == []
    line.silence(128)
    assert [(u.text, u.ended_by) for u in line.utterances] == [("12", "dtmf")]


@pytest.mark.parametrize(("rules", "keys"), [(Dtmf(terminator="#"), "12#"), (Dtmf(length=2), "12")])
def test_digits_end_at_the_terminator_or_the_length(rules: Dtmf, keys: str) -> None:
    line = Line(dtmf=rules)
    for key in keys:
        line.take(line.taker.digit(key, line.now_ms))
    assert [u.text for u in line.utterances] == ["12"]


def test_the_tone_of_a_key_is_no_speech() -> None:
    line = Line().silence(320).speech(160)
    line.take(line.taker.digit("5", line.now_ms))
    line.speech(96).silence(640)
    assert line.utterances == []
    assert any(isinstance(o, CancelRecognition) for o in line.outputs)


def test_what_an_earlier_holder_decided_is_not_decided_again() -> None:
    line = Line().speech(960, "yes").silence(640)
    line.taken_over().replay(0)
    line.speech(960).silence(640)
    assert line.outputs == []


def test_the_end_of_what_was_decided_is_not_heard_as_something_new() -> None:
    line = Line().greeted()
    start_ms = line.now_ms
    line.speech(960, "yes").silence(640)
    # Another detector, that begins in the middle of the word, hears its end a little later.
    line.taken_over().replay(start_ms + 640)
    line.speech(480).silence(640)
    assert line.outputs == []
    line.speech(960, "no").silence(640)
    assert [u.text for u in line.utterances] == ["yes no"]


def test_speech_that_goes_on_where_the_replay_begins_is_heard() -> None:
    line = Line().greeted()
    line.speech(960, "yes").silence(640)
    line.taken_over().speech(640, "and no").silence(640)
    assert [u.text for u in line.utterances] == ["yes and no"]


def test_what_nobody_has_to_hear_again() -> None:
    line = Line(dtmf=Dtmf(length=0)).greeted()
    assert line.taker.idle_since_ms == line.now_ms
    line.speech(640)
    assert line.taker.idle_since_ms is None
    line.deaf = True
    line.silence(640)
    assert line.taker.idle_since_ms is None, "its words are being read"
    line.take(line.taker.transcript("yes", 0.9, 20.0))
    assert line.taker.idle_since_ms == line.now_ms
    line.take(line.taker.digit("1", line.now_ms))
    assert line.taker.idle_since_ms is None, "it waits for another key"


def test_who_takes_over_does_not_know_how_long_both_have_been_silent() -> None:
    line = Line().greeted().speech(640, "yes").silence(640)
    line.agent_says(2, "Fine.").silence(5000).agent_heard(2, 1)
    line.silence(1000).taken_over()
    assert line.silence(6900).utterances == []
    assert [u.ended_by for u in line.silence(200).utterances] == ["no_input"]


def test_a_backchannel_is_not_heard_again_by_the_next_holder() -> None:
    line = Line().agent_says(1, "Long.", "Longer.", "Longest.").silence(320)
    line.speech(320, "mm-hm").silence(640)
    assert len(line.backchannels) == 1
    line.taken_over().replay(320)
    assert line.speech(320).silence(640).outputs == []


def test_the_next_holder_takes_back_what_the_one_before_said() -> None:
    line = Line().speech(960, "book a table").silence(640)
    line.taken_over().speech(640, "for two").silence(640)
    withdrawn, (utterance,) = line.all(ev.UtteranceWithdrawn), line.utterances
    assert [(w.turn, w.attempt) for w in withdrawn if isinstance(w, ev.UtteranceWithdrawn)] == [(2, 0)]
    assert (utterance.turn, utterance.attempt, utterance.text) == (2, 1, "book a table for two")


def test_the_next_holder_joins_what_the_one_before_took_back() -> None:
    line = Line().speech(960, "book a table").silence(640)
    resumed_ms = line.now_ms
    line.speech(640)
    assert line.all(ev.UtteranceWithdrawn)
    line.taken_over().replay(resumed_ms).speech(640, "for two").silence(640)
    (utterance,) = line.utterances
    assert (utterance.turn, utterance.attempt, utterance.text) == (2, 1, "book a table for two")


def test_words_that_were_taken_back_stand_when_nothing_followed_them() -> None:
    line = Line().speech(960, "book a table").silence(640).speech(640)
    line.taken_over().silence(3200)
    (utterance,) = line.utterances
    assert (utterance.turn, utterance.attempt, utterance.text) == (2, 1, "book a table")
    assert utterance.ended_by == "silence"


def test_keys_pressed_before_a_takeover_are_not_lost() -> None:
    line = Line().silence(320)
    for sequence, digit in enumerate("12"):
        line.log(ev.Dtmf(call=SID, stream_sid="M", sequence=sequence, digit=digit, media_ms=line.now_ms))
    line.taken_over().silence(2100)
    assert [(u.text, u.ended_by) for u in line.utterances] == [("12", "dtmf")]


def test_keys_that_were_whole_before_a_takeover_are_not_lost() -> None:
    line = Line(dtmf=Dtmf(length=1)).greeted()
    key = ev.Dtmf(call=SID, stream_sid="M", sequence=1, digit="1", media_ms=line.now_ms + 64)
    line.log(key)
    line.taken_over().silence(64).speech(96).silence(640)
    assert [(u.text, u.end_media_ms) for u in line.utterances] == [("1", key.media_ms)]
    assert line.all(ev.SpeechStarted) == [], "its tone is replayed as well"
    line.taken_over().replay(0).silence(line.now_ms)
    assert line.utterances == []


def test_a_noise_does_not_take_the_place_of_the_greeting() -> None:
    line = Line().speech(320).silence(640)
    assert line.utterances == []
    line.speech(320, "hello").silence(640)
    assert [u.text for u in line.utterances] == ["hello"]


def test_who_was_told_that_speech_began_is_told_that_it_was_nothing() -> None:
    line = Line().speech(320).silence(640)
    (started,) = line.all(ev.SpeechStarted)
    (nothing,) = line.backchannels
    assert isinstance(started, ev.SpeechStarted)
    assert (nothing.turn, nothing.text, nothing.start_media_ms) == (0, "", started.media_ms)
    line.greeted().speech(320, "hello").silence(640)
    assert [(u.turn, u.text) for u in line.utterances] == [(2, "hello")]


def test_a_noise_into_which_the_agent_begins_to_speak_is_told_to_be_nothing() -> None:
    line = Line().speech(320)
    line.agent_says(1, "Hello.").silence(640)
    assert line.utterances == []
    assert len(line.all(ev.SpeechStarted)) == len(line.backchannels) == 1


def test_a_noise_does_not_take_the_place_of_the_answer_to_a_key() -> None:
    line = Line(dtmf=Dtmf(length=1)).greeted()
    line.take(line.taker.digit("1", line.now_ms))
    line.silence(320).speech(320).silence(640)
    assert [u.ended_by for u in line.utterances] == ["dtmf"]
    assert line.all(ev.UtteranceWithdrawn) == []


def test_speech_over_the_agent_is_dated_from_its_first_window() -> None:
    line = Line().agent_says(1, "Long.", "Longer.").silence(320).speech(96)
    (started,) = line.all(ev.SpeechStarted)
    assert isinstance(started, ev.SpeechStarted)
    assert (started.media_ms, started.over_agent) == (320, True)


def test_dropped_frames_are_reported_once() -> None:
    line = Line()
    line.taker.utterances.dropped_frames = 7
    line.speech(320, "a").silence(640).agent_says(2, "b").silence(320).agent_heard(2, 1)
    line.silence(640).speech(320, "c").silence(640)
    assert [u.dropped_frames for u in line.utterances] == [7, 0]


@given(
    st.lists(
        st.tuples(st.sampled_from([0.01, 0.5, 0.7, 0.95]), st.integers(1, 60), st.booleans()), max_size=30
    )
)
def test_whatever_is_heard_recognitions_are_paired_and_turns_rise(
    script: list[tuple[float, int, bool]],
) -> None:
    line = Line(max_turn_ms=4000)
    for probability, count, audible in script:
        line.audible = (1, 0) if audible else (0, 0)
        line.hear(*[probability] * count)
    open_ = 0
    for output in line.outputs:
        if isinstance(output, StartRecognition):
            assert open_ == 0
            open_ = 1
        elif isinstance(output, FinishRecognition | CancelRecognition):
            assert open_ == 1
            open_ = 0
    keys = [(u.turn, u.attempt) for u in line.utterances]
    assert keys == sorted(set(keys))
    assert line.state.void == 0

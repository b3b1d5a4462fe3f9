"""The worker over a real NATS server: the test is the gateway and the STT holder."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from voxbus.common.agents import Agent
from voxbus.common.events import (
    DoNotCallRequested,
    Ended,
    HangupRequested,
    Interrupted,
    ReplyEnded,
    Sentence,
    ToolCalled,
    ToolReturned,
    TransferRequested,
    UtteranceConfirmed,
    UtteranceWithdrawn,
)
from voxbus.common.speech import spoken
from voxbus.llm.service import LlmService

from .conftest import DONE, USAGE, Answer, Call, ChatServer, Stall, StartWorker, chunk, refusal, reply, tool


@pytest.fixture
def talker(reminder: Agent) -> Agent:
    """An agent whose replies a model makes."""
    return reminder.model_copy(update={"llm": "openai", "model": "m2"})


async def test_the_greeting(call: Call, reminder: Agent, start_worker: StartWorker) -> None:
    await start_worker()
    await call.start(reminder)
    ended = await call.reply_to(1)
    assert tuple(call.said(1)) == spoken(reminder.lines.greeting)
    assert (ended.reason, ended.sentences) == ("complete", 3)
    first = next(s for s in call.events if isinstance(s.event, Sentence))
    assert first.time_s - call.state.started_s >= 0.25


@pytest.fixture
def recording(talker: Agent) -> Agent:
    lines = talker.lines.model_copy(
        update={"recording_notice": "This call is recorded. Hang up if you object."}
    )
    return talker.model_copy(update={"recording": True, "lines": lines})


async def test_who_is_recorded_hears_so_first_and_cannot_talk_over_it(
    call: Call, recording: Agent, start_worker: StartWorker
) -> None:
    await start_worker()
    await call.start(recording)
    await call.reply_to(1)
    notice, greeting = spoken(recording.lines.recording_notice), spoken(recording.lines.greeting)
    assert tuple(call.said(1)) == (*notice, *greeting)
    told = [(sentence.notice, sentence.interruptible) for sentence in call.of(Sentence, 1)]
    assert told == [("part", False), ("end", False), *[("", True)] * len(greeting)]


async def test_a_model_is_not_asked_to_go_on_after_the_notice(
    call: Call, recording: Agent, chat: ChatServer, start_worker: StartWorker
) -> None:
    chat.answers = [reply("On Thursday.")]
    await start_worker(openai_base_url=chat.url)
    await call.start(recording)
    await call.reply_to(1)
    await call.say("When is it?", 2)  # nobody has heard anything yet
    ended = await call.reply_to(2)
    assert call.said(2) == [*spoken(recording.lines.recording_notice), "On Thursday."]
    assert (ended.reason, ended.sentences) == ("complete", 3)
    assert chat.requests[0]["messages"][-1] == {"role": "user", "content": "When is it?"}


async def test_an_outbound_callee_speaks_first(
    call: Call, reminder: Agent, start_worker: StartWorker
) -> None:
    await start_worker()
    await call.start(reminder, inbound=False)
    await call.say("hello who is this", turn=1)
    await call.reply_to(1)
    assert tuple(call.said(1)) == spoken(reminder.lines.greeting)
    assert call.of(Sentence)[0].turn == 1


async def test_a_screener_is_answered_and_the_person_behind_it_greeted(
    call: Call, reminder: Agent, start_worker: StartWorker
) -> None:
    await start_worker()
    await call.start(reminder, inbound=False)
    await call.say("who is calling please", turn=1)
    await call.reply_to(1)
    assert "calling about an appointment" in " ".join(call.said(1))
    await call.say("please hold", turn=2)
    assert (await call.reply_to(2)).sentences == 0
    await call.say("", turn=3, ended_by="no_words")
    await call.reply_to(3)
    assert tuple(call.said(3)) == spoken(reminder.lines.greeting)
    await call.say("yes", turn=4)
    await call.reply_to(4)
    assert "You are confirmed" in " ".join(call.said(4))


async def test_a_scripted_conversation(call: Call, reminder: Agent, start_worker: StartWorker) -> None:
    await start_worker()
    await call.start(reminder)
    await call.reply_to(1)
    await call.say("i need to reschedule", turn=2)
    await call.reply_to(2)
    await call.say("tuesday at three", turn=3)
    assert (await call.reply_to(3)).provider == "scripted"
    assert " ".join(call.said(3)) == "That would be Tuesday at three. Shall I move your appointment there?"
    await call.say("yes please", turn=4)
    await call.reply_to(4)
    await call.say("no thank you goodbye", turn=5)
    await call.reply_to(5)
    assert call.said(5) == ["Thank you for your time.", "Goodbye."]
    assert [(t.name, t.arguments) for t in call.of(ToolCalled)] == [("end_call", "{}")]
    assert call.of(ToolReturned)[0].ok
    assert call.of(HangupRequested)[0].turn == 5
    # What ends the call is stored after the words and before the end of the reply, which makes the job done.
    kinds = [stored.event.kind for stored in call.events][-5:]
    assert kinds == ["sentence", "tool_called", "tool_returned", "hangup_requested", "reply_ended"]


async def test_a_transfer(call: Call, reminder: Agent, start_worker: StartWorker) -> None:
    await start_worker()
    await call.start(reminder)
    await call.reply_to(1)
    await call.say("0", turn=2, ended_by="dtmf")
    await call.reply_to(2)
    assert call.of(TransferRequested)[0].target == "front_desk"


async def test_silence_is_asked_about_twice_and_then_ends(
    call: Call, reminder: Agent, start_worker: StartWorker
) -> None:
    await start_worker()
    await call.start(reminder)
    await call.reply_to(1)
    for turn in (2, 3, 4):
        await call.say("", turn, ended_by="no_input")
        await call.reply_to(turn)
    assert [tuple(call.said(turn)) for turn in (2, 3)] == [spoken(line) for line in reminder.lines.no_input]
    assert tuple(call.said(4)) == spoken(reminder.lines.goodbye)
    assert [h.reason for h in call.of(HangupRequested)] == ["no_input"]


async def test_words_in_between_start_the_count_again(
    call: Call, reminder: Agent, start_worker: StartWorker
) -> None:
    await start_worker()
    await call.start(reminder)
    await call.reply_to(1)
    for turn in (2, 3, 4, 5):
        await call.say(
            "when is it" if turn == 4 else "", turn, ended_by="silence" if turn == 4 else "no_input"
        )
        await call.reply_to(turn)
    assert tuple(call.said(5)) == spoken(reminder.lines.no_input[0])
    assert call.of(HangupRequested) == []


async def test_speech_without_words_and_the_time_limit(
    call: Call, reminder: Agent, start_worker: StartWorker
) -> None:
    await start_worker()
    await call.start(reminder)
    await call.reply_to(1)
    await call.say("", 2, ended_by="no_words")
    await call.reply_to(2)
    assert tuple(call.said(2)) == spoken(reminder.lines.no_words[0])
    await call.say("", 3, ended_by="time_limit")
    await call.reply_to(3)
    assert call.of(HangupRequested)[0].reason == "time_limit"


async def test_a_backchannel_is_not_answered(call: Call, reminder: Agent, start_worker: StartWorker) -> None:
    await start_worker()
    await call.start(reminder)
    await call.reply_to(1)
    await call.say("mm-hm", 1, backchannel=True)
    await call.say("yes", 2)
    await call.reply_to(2)
    assert {sentence.turn for sentence in call.of(Sentence)} == {1, 2}


async def test_a_model_answers(
    call: Call, talker: Agent, chat: ChatServer, start_worker: StartWorker
) -> None:
    chat.answers = [reply("It is on Thursday ", "at 3:30 PM, with **Dr. Lee**. ", "Does that work? 🙂")]
    await start_worker(openai_base_url=chat.url)
    await call.start(talker)
    await call.reply_to(1)
    await call.say("When is it?", 2)
    ended = await call.reply_to(2)
    assert call.said(2) == ["It is on Thursday at three thirty p.m.,", "with Dr. Lee.", "Does that work?"]
    assert (ended.provider, ended.model, ended.input_tokens, ended.output_tokens) == ("openai", "m2", 9, 5)
    sent = chat.requests[0]
    assert sent["model"] == "m2"
    assert [m["role"] for m in sent["messages"]] == ["system", "assistant", "user"]
    assert sent["messages"][1]["content"] == " ".join(spoken(talker.lines.greeting))
    sentence = call.of(Sentence, 2)[0]
    assert 0 < sentence.first_token_ms <= sentence.ready_ms <= ended.total_ms


async def test_sentences_leave_before_the_reply_is_complete(
    call: Call, talker: Agent, chat: ChatServer, start_worker: StartWorker
) -> None:
    chat.answers = [Answer([chunk("This one is ready now. And"), Stall()])]
    await start_worker(openai_base_url=chat.url)
    await call.start(talker)
    await call.say("hello", 2)
    await call.until(lambda: call.said(2) == ["This one is ready now."])
    assert call.of(ReplyEnded, 2) == []


async def interrupt(call: Call) -> None:
    await call.add(Interrupted, stream_sid="MZ1", turn=2, sentence=0, played_ms=100, text="This one")


async def withdraw(call: Call) -> None:
    await call.add(UtteranceWithdrawn, holder=call.holder, turn=2, attempt=0)


async def go_on(call: Call) -> None:
    await call.say("yes", 3)


async def end(call: Call) -> None:
    await call.add(Ended, reason="caller_hung_up")


@pytest.mark.parametrize("stop", [interrupt, withdraw, go_on, end])
async def test_work_that_nobody_wants_is_stopped(
    call: Call, talker: Agent, chat: ChatServer, start_worker: StartWorker, stop: object
) -> None:
    chat.answers = [
        Answer([chunk("This one is ready now. And"), Stall()]),
        reply("Very well then, my friend."),
    ]
    await start_worker(openai_base_url=chat.url)
    await call.start(talker)
    await call.say("hello", 2)
    await call.until(lambda: call.said(2))
    await stop(call)  # type: ignore[operator]
    async with asyncio.timeout(30):
        await chat.hung_up.wait()
    assert len(call.said(2)) == 1
    if stop is not end:
        assert (await call.reply_to(2)).reason == "cancelled"


async def test_the_joined_words_are_answered_as_the_next_attempt(
    call: Call, talker: Agent, chat: ChatServer, start_worker: StartWorker
) -> None:
    chat.answers = [Answer([chunk("This one is ready now. And"), Stall()]), reply("Now I know all of it.")]
    await start_worker(openai_base_url=chat.url)
    await call.start(talker)
    await call.say("i want", 2)
    await call.until(lambda: call.said(2))
    await withdraw(call)
    await call.say("i want to move it", 2, attempt=1)
    await call.until(lambda: [r for r in call.of(ReplyEnded, 2) if r.attempt == 1])
    assert [s.text for s in call.of(Sentence, 2) if s.attempt == 1] == ["Now I know all of it."]
    assert chat.requests[1]["messages"][-1]["content"] == "i want to move it"


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (refusal(429, code="rate_limit_exceeded"), "rate_limited"),
        (refusal(500), "server_error"),
        (Answer([Stall()]), "first_token_timeout"),
        (Answer([chunk(finish="stop"), DONE]), "empty"),
        (Answer([chunk(finish="content_filter"), DONE]), "content_filter"),
    ],
)
async def test_a_failure_is_owned_up_to(
    call: Call, talker: Agent, chat: ChatServer, start_worker: StartWorker, answer: Answer, cause: str
) -> None:
    chat.answers = [answer]
    await start_worker(openai_base_url=chat.url, llm_first_token_ms=200)
    await call.start(talker)
    await call.say("hello", 2)
    assert (await call.reply_to(2)).reason == "fallback"
    sentences = call.of(Sentence, 2)
    assert tuple(s.text for s in sentences) == spoken(talker.lines.fallback)
    assert all(s.fallback and s.cause == cause for s in sentences)
    assert len(chat.requests) == 1  # nobody on a phone waits for a retry


async def test_a_failure_in_the_middle(
    call: Call, talker: Agent, chat: ChatServer, start_worker: StartWorker
) -> None:
    chat.answers = [Answer([chunk("This one was fine, really. But th")])]
    await start_worker(openai_base_url=chat.url)
    await call.start(talker)
    await call.say("hello", 2)
    assert (await call.reply_to(2)).reason == "cut_off"
    assert call.said(2) == ["This one was fine, really."]


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["Here is what I found. Your balance is $1"], ["Here is what I found."]),
        (["Your balance is $1"], ["Your balance is one dollar"]),  # better than nothing
    ],
)
@pytest.mark.parametrize("why", ["length", "content_filter"])
async def test_what_was_cut_off_in_a_sentence_is_not_said(
    call: Call,
    talker: Agent,
    chat: ChatServer,
    start_worker: StartWorker,
    texts: list[str],
    said: list[str],
    why: str,
) -> None:
    chat.answers = [Answer([*map(chunk, texts), chunk(finish=why), DONE])]
    await start_worker(openai_base_url=chat.url)
    await call.start(talker)
    await call.say("what do I owe", 2)
    assert (await call.reply_to(2)).reason == ("length" if why == "length" else "cut_off")
    assert call.said(2) == said


async def test_the_next_provider_answers(
    call: Call, talker: Agent, chat: ChatServer, start_worker: StartWorker
) -> None:
    chat.answers = [refusal(503)]
    await start_worker(openai_base_url=chat.url, llm_providers="openai,scripted")
    await call.start(talker)
    await call.say("cancel my appointment", 2)
    ended = await call.reply_to(2)
    assert (ended.provider, ended.reason) == ("scripted", "complete")
    assert call.said(2)[0].startswith("You want to cancel your appointment on Thursday")


async def test_one_that_stalls_leaves_time_for_the_next(
    call: Call, talker: Agent, chat: ChatServer, start_worker: StartWorker
) -> None:
    chat.answers = [Answer([Stall()]), reply("Here I am.")]
    await start_worker(
        openai_base_url=chat.url,
        groq_base_url=chat.url,
        groq_api_key="k",
        llm_providers="openai,groq",
        llm_first_token_ms=1000,
    )
    await call.start(talker)
    await call.say("hello", 2)
    ended = await call.reply_to(2)
    assert (ended.provider, ended.reason) == ("groq", "complete")
    assert [request["model"] for request in chat.requests] == ["m2", "llama-3.3-70b-versatile"]


async def test_a_model_hangs_up_without_a_word(
    call: Call, talker: Agent, chat: ChatServer, start_worker: StartWorker
) -> None:
    chat.answers = [Answer([tool("end_call"), chunk(finish="tool_calls"), USAGE, DONE])]
    await start_worker(openai_base_url=chat.url)
    await call.start(talker)
    await call.say("goodbye", 2)
    await call.reply_to(2)
    assert tuple(call.said(2)) == spoken(talker.lines.goodbye)
    assert len(call.of(HangupRequested)) == 1


@pytest.mark.parametrize("by", ["script", "model"])
async def test_who_wants_no_more_calls_is_believed(
    call: Call, reminder: Agent, talker: Agent, chat: ChatServer, start_worker: StartWorker, by: str
) -> None:
    chat.answers = [Answer([tool("do_not_call"), chunk(finish="tool_calls"), USAGE, DONE])]
    await start_worker(openai_base_url=chat.url)
    await call.start(reminder if by == "script" else talker)
    await call.reply_to(1)
    words = "please do not call me again"
    await call.say(words, 2)
    await call.reply_to(2)
    assert [event.text for event in call.of(DoNotCallRequested)] == [words]
    assert call.said(2)[-1] == "Goodbye."
    assert [event.reason for event in call.of(HangupRequested)] == ["do_not_call"]
    kinds = [stored.event.kind for stored in call.events]
    said = kinds.index("sentence", kinds.index("utterance"))
    assert kinds.index("do_not_call_requested") < said  # before a word of it that could be talked over
    assert kinds[-2:] == ["hangup_requested", "reply_ended"]


async def test_a_tool_that_does_not_exist_does_nothing(
    call: Call, talker: Agent, chat: ChatServer, start_worker: StartWorker
) -> None:
    chat.answers = [Answer([tool("transfer_call", '{"target":"mars"}'), chunk(finish="tool_calls"), DONE])]
    await start_worker(openai_base_url=chat.url)
    await call.start(talker)
    await call.say("put me through", 2)
    await call.reply_to(2)
    assert [(t.ok, t.result) for t in call.of(ToolReturned)] == [(False, "no such target")]
    assert call.of(TransferRequested) == []
    assert tuple(call.said(2)) == spoken(talker.lines.fallback)


async def test_a_guess_has_no_effects_until_it_is_confirmed(
    call: Call, reminder: Agent, start_worker: StartWorker
) -> None:
    await start_worker()
    await call.start(reminder)
    await call.reply_to(1)
    await call.say("goodbye", 2, final=False)
    await call.until(lambda: call.said(2))
    assert call.of(ToolCalled) == []
    await call.add(UtteranceConfirmed, holder=call.holder, turn=2, attempt=0)
    await call.reply_to(2)
    assert len(call.of(HangupRequested)) == 1


async def test_a_guess_may_be_confirmed_late_and_keeps_nobody_waiting(
    call: Call, reminder: Agent, start_worker: StartWorker, new_sid: Callable[[], str]
) -> None:
    """An agent may let its callers be silent for 10 s before their turn is over."""
    await start_worker(llm_turns=1)
    await call.start(reminder)
    await call.reply_to(1)
    await call.say("goodbye", 2, final=False)
    await call.until(lambda: call.said(2))
    silent_until_s = time.monotonic() + 6.0
    other = Call(call.bus, new_sid())
    await other.open()
    await other.start(reminder)
    await other.reply_to(1)
    await asyncio.sleep(silent_until_s - time.monotonic())
    assert call.of(ToolCalled) == []
    await call.add(UtteranceConfirmed, holder=call.holder, turn=2, attempt=0)
    await call.reply_to(2)
    assert len(call.of(HangupRequested)) == 1


async def test_a_guess_that_was_wrong_has_none(
    call: Call, reminder: Agent, start_worker: StartWorker
) -> None:
    await start_worker()
    await call.start(reminder)
    await call.reply_to(1)
    await call.say("goodbye", 2, final=False)
    await call.until(lambda: call.said(2))
    await withdraw(call)
    await call.reply_to(2)
    assert call.of(ToolCalled) == []
    assert call.of(HangupRequested) == []


async def test_a_job_that_fails_everywhere_is_not_thrown_back_and_forth(
    call: Call, reminder: Agent, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries_s: list[float] = []
    enough = asyncio.Event()

    async def fail(*_: object) -> None:
        tries_s.append(time.monotonic())
        if len(tries_s) == 4:
            enough.set()
        raise RuntimeError("as always")

    monkeypatch.setattr(LlmService, "_work", fail)
    await start_worker()
    await call.start(reminder)
    async with asyncio.timeout(30):
        await enough.wait()
    assert tries_s[2] - tries_s[1] > 0.2  # the first time may have been an accident
    assert tries_s[3] - tries_s[2] > 0.2

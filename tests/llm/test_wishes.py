"""Who wants no more calls is believed, also when nobody waits for the answer: it is in the log whatever becomes of the
reply."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from voxbus.common.agents import Agent
from voxbus.common.events import (
    DoNotCallRequested,
    Ended,
    HangupRequested,
    Interrupted,
    ReplyEnded,
    Sentence,
    ToolReturned,
    TransferRequested,
    UtteranceConfirmed,
    UtteranceWithdrawn,
)
from voxbus.common.speech import spoken
from voxbus.llm.core_wish import QUESTION

from .conftest import (
    DONE,
    Answer,
    Call,
    ChatServer,
    Cut,
    Stall,
    StartProcess,
    StartWorker,
    Step,
    chunk,
    refusal,
    reply,
    tool,
)

#: In the script, and not.
WORDS = "please do not call me again"
FREELY = "you lot leave me in peace from now on"
GOODBYE = "I have taken you off our list. Goodbye to you. "


@pytest.fixture
def talker(reminder: Agent) -> Agent:
    return reminder.model_copy(update={"llm": "openai"})


def wish(*before: Step) -> Answer:
    """As models answer: the words, and then the tool."""
    return Answer([*before, chunk(GOODBYE), tool("do_not_call"), chunk(finish="tool_calls"), DONE])


async def say(call: Call, agent: Agent, words: str = WORDS, **fields: Any) -> None:
    await call.start(agent)
    await call.reply_to(1)
    await call.say(words, 2, **fields)


async def recorded(call: Call, turn: int = 2) -> DoNotCallRequested:
    await call.until(lambda: call.of(DoNotCallRequested, turn))
    (event,) = call.of(DoNotCallRequested, turn)
    return event


async def idle(worker: Any) -> None:
    async with asyncio.timeout(30):
        while worker._runner.jobs:
            await asyncio.sleep(0.01)


def questions(chat: ChatServer) -> int:
    return sum(request["messages"][-1]["content"] == QUESTION for request in chat.requests)


async def hang_up(call: Call) -> None:
    await call.add(Ended, reason="caller_hung_up")


async def talk_over(call: Call) -> None:
    await call.add(Interrupted, stream_sid="MZ1", turn=2, sentence=0, played_ms=300, text="I have")


async def go_on(call: Call) -> None:
    await call.say("hello", 3)


async def test_who_hangs_up_while_the_model_thinks(
    call: Call, talker: Agent, chat: ChatServer, start_worker: StartWorker
) -> None:
    chat.answers = [wish(0.5)]
    worker = await start_worker(openai_base_url=chat.url)
    await say(call, talker, FREELY)
    async with asyncio.timeout(30):
        await chat.asked.wait()
    await hang_up(call)
    assert (await recorded(call)).text == FREELY
    await idle(worker)
    assert call.said(2) == []
    assert call.of(HangupRequested) == []


async def test_who_hung_up_before_a_worker_was_free(
    call: Call, talker: Agent, chat: ChatServer, start_worker: StartWorker
) -> None:
    chat.answers = [wish()]
    await call.start(talker)
    await call.say(FREELY, 2)
    await hang_up(call)
    await start_worker(openai_base_url=chat.url)
    assert (await recorded(call)).text == FREELY
    assert call.said(2) == []


async def test_who_hangs_up_on_the_script(call: Call, reminder: Agent, start_worker: StartWorker) -> None:
    await start_worker(scripted_token_delay_ms=300)
    await say(call, reminder)
    await call.until(lambda: call.said(2))
    await hang_up(call)
    assert (await recorded(call)).text == WORDS


async def test_who_hung_up_before_the_script_was_asked(
    call: Call, reminder: Agent, start_worker: StartWorker
) -> None:
    await call.start(reminder)
    await call.say(WORDS, 2)
    await hang_up(call)
    await start_worker()
    assert (await recorded(call)).text == WORDS
    assert call.said(2) == []


@pytest.mark.parametrize("by", ["script", "model"])
async def test_who_picks_up_with_it_is_not_greeted(
    call: Call, reminder: Agent, talker: Agent, start_worker: StartWorker, by: str
) -> None:
    await start_worker(openai_base_url="http://127.0.0.1:1")
    await call.start(talker if by == "model" else reminder, inbound=False)
    await call.say(WORDS, 1)
    await call.reply_to(1)
    assert (await recorded(call, 1)).text == WORDS
    assert tuple(call.said(1)) == spoken(reminder.lines.do_not_call)
    assert [event.reason for event in call.of(HangupRequested)] == ["do_not_call"]


async def test_who_may_go_on_after_picking_up_with_it_is_waited_for(
    call: Call, reminder: Agent, start_worker: StartWorker
) -> None:
    worker = await start_worker()
    await call.start(reminder, inbound=False)
    await call.say(WORDS, 1, final=False)
    await call.until(lambda: len(call.said(1)) == len(spoken(reminder.lines.do_not_call)))
    assert (call.of(DoNotCallRequested), call.of(HangupRequested)) == ([], [])
    await call.add(UtteranceWithdrawn, holder=call.holder, turn=1, attempt=0)
    await idle(worker)
    assert (call.of(DoNotCallRequested), call.of(HangupRequested)) == ([], [])


async def test_the_script_knows_it_before_it_says_a_word(
    call: Call, reminder: Agent, start_worker: StartWorker
) -> None:
    await start_worker(scripted_token_delay_ms=5)
    await say(call, reminder)
    await call.reply_to(2)
    kinds = [stored.event.kind for stored in call.events]
    assert kinds.index("do_not_call_requested") < kinds.index("sentence", kinds.index("utterance"))


@pytest.mark.parametrize("on", [talk_over, go_on])
async def test_who_talks_over_the_goodbye(
    call: Call, talker: Agent, chat: ChatServer, start_worker: StartWorker, on: Any
) -> None:
    chat.answers = [Answer([chunk("I have taken you off. And"), Stall()]), wish()]
    await start_worker(openai_base_url=chat.url)
    await say(call, talker, FREELY)
    await call.until(lambda: call.said(2))
    await on(call)
    assert (await recorded(call)).text == FREELY
    assert len(call.said(2)) == 1


@pytest.mark.parametrize("end", [Cut(), Stall()])
async def test_a_stream_that_breaks_before_the_tool(
    call: Call, talker: Agent, chat: ChatServer, start_worker: StartWorker, end: Step
) -> None:
    chat.answers = [Answer([chunk(GOODBYE), end]), wish()]
    await start_worker(openai_base_url=chat.url, llm_first_token_ms=300)
    await say(call, talker, FREELY)
    assert (await call.reply_to(2)).reason == "cut_off"
    assert (await recorded(call)).text == FREELY


@pytest.mark.parametrize("words", [GOODBYE, ""])
async def test_a_stream_that_breaks_after_it(
    call: Call, talker: Agent, chat: ChatServer, start_worker: StartWorker, words: str
) -> None:
    """The name of the tool is all that there is to know."""
    chat.answers = [Answer([chunk(words), tool("do_not_call", ""), Stall()])]
    await start_worker(openai_base_url=chat.url, llm_first_token_ms=300)
    await say(call, talker, FREELY)
    await recorded(call)
    await call.reply_to(2)
    assert call.said(2)[0] == (words.split(".")[0] + "." if words else spoken(talker.lines.do_not_call)[0])
    assert [event.reason for event in call.of(HangupRequested)] == ["do_not_call"]
    assert len(chat.requests) == 1


async def test_nobody_could_answer(
    call: Call, talker: Agent, chat: ChatServer, start_worker: StartWorker
) -> None:
    chat.answers = [refusal(503), wish()]
    await start_worker(openai_base_url=chat.url)
    await say(call, talker, FREELY)
    assert (await call.reply_to(2)).reason == "fallback"
    await hang_up(call)
    assert (await recorded(call)).text == FREELY


async def test_a_model_that_fails_again_is_not_needed_for_what_the_script_has(
    call: Call, talker: Agent, chat: ChatServer, start_worker: StartWorker
) -> None:
    chat.answers = [refusal(503)]
    await start_worker(openai_base_url=chat.url)
    await say(call, talker)
    assert (await call.reply_to(2)).reason == "fallback"
    assert (await recorded(call)).text == WORDS
    assert questions(chat) == 0


async def test_another_worker_asks_when_the_first_one_died(
    call: Call, talker: Agent, chat: ChatServer, start_process: StartProcess, start_worker: StartWorker
) -> None:
    chat.answers = [Answer([Stall()])]
    process = await start_process(openai_base_url=chat.url, llm_first_token_ms=20000)
    await say(call, talker, FREELY)
    async with asyncio.timeout(30):
        await chat.asked.wait()
    await hang_up(call)
    async with asyncio.timeout(30):
        while not questions(chat):
            await asyncio.sleep(0.01)
    chat.answers = [wish()]
    process.kill()
    await start_worker(openai_base_url=chat.url)
    assert (await recorded(call)).text == FREELY


async def test_who_said_nothing_of_the_kind_is_called_again(
    call: Call, talker: Agent, chat: ChatServer, start_worker: StartWorker
) -> None:
    chat.answers = [Answer([Stall()]), reply("No.")]
    worker = await start_worker(openai_base_url=chat.url)
    await say(call, talker, "when is it")
    async with asyncio.timeout(30):
        await chat.asked.wait()
    await hang_up(call)
    await idle(worker)
    assert questions(chat) == 1
    assert call.of(DoNotCallRequested) == []
    assert call.said(2) == []


async def test_a_whole_reply_is_not_asked_about(
    call: Call, talker: Agent, chat: ChatServer, start_worker: StartWorker
) -> None:
    chat.answers = [reply("On Thursday.")]
    worker = await start_worker(openai_base_url=chat.url)
    await say(call, talker, "when is it")
    await call.reply_to(2)
    await idle(worker)
    await hang_up(call)
    assert len(chat.requests) == 1


# --- what was not sure yet ------------------------------------------------------------------------------------------


async def test_a_guess_is_no_wish_until_it_is_confirmed(
    call: Call, reminder: Agent, start_worker: StartWorker
) -> None:
    await start_worker()
    await say(call, reminder, final=False)
    await call.until(lambda: call.said(2))
    assert call.of(DoNotCallRequested) == []
    await call.add(UtteranceConfirmed, holder=call.holder, turn=2, attempt=0)
    await recorded(call)


async def test_a_guess_that_was_wrong_is_none(call: Call, reminder: Agent, start_worker: StartWorker) -> None:
    worker = await start_worker()
    await say(call, reminder, final=False)
    await call.until(lambda: call.said(2))
    await call.add(UtteranceWithdrawn, holder=call.holder, turn=2, attempt=0)
    await call.reply_to(2)
    await idle(worker)
    assert call.of(DoNotCallRequested) == []


async def test_whose_last_words_were_still_a_guess(
    call: Call, reminder: Agent, start_worker: StartWorker
) -> None:
    """Who has hung up goes on with no sentence."""
    await start_worker()
    await say(call, reminder, final=False)
    await call.until(lambda: call.said(2))
    await hang_up(call)
    assert (await recorded(call)).text == WORDS


# --- beside other tools ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [("end_call", "do_not_call"), ("do_not_call", "end_call")])
async def test_hanging_up_does_not_take_its_place(
    call: Call, talker: Agent, chat: ChatServer, start_worker: StartWorker, order: tuple[str, str]
) -> None:
    both = [tool(name, index=index) for index, name in enumerate(order)]
    chat.answers = [Answer([*both, chunk(finish="tool_calls"), DONE])]
    await start_worker(openai_base_url=chat.url)
    await say(call, talker, FREELY)
    await call.reply_to(2)
    await recorded(call)
    assert [event.reason for event in call.of(HangupRequested)] == ["do_not_call"]
    assert " ".join(call.said(2)) == talker.lines.do_not_call
    assert [(event.name, event.ok) for event in call.of(ToolReturned)] == [
        ("do_not_call", True),
        ("end_call", True),
    ]


async def test_who_wants_to_complain_first_is_put_through(
    call: Call, talker: Agent, chat: ChatServer, start_worker: StartWorker
) -> None:
    both = [tool("transfer_call", '{"target":"front_desk"}'), tool("do_not_call", index=1)]
    chat.answers = [Answer([*both, chunk(finish="tool_calls"), DONE])]
    await start_worker(openai_base_url=chat.url)
    await say(call, talker, FREELY)
    await call.reply_to(2)
    await recorded(call)
    assert len(call.of(TransferRequested)) == 1
    assert call.of(HangupRequested) == []


async def test_what_the_model_was_cut_short_in_is_not_asked_twice(
    call: Call, talker: Agent, chat: ChatServer, start_worker: StartWorker
) -> None:
    await call.start(talker)
    await call.say(FREELY, 2)
    await call.add(Sentence, turn=2, index=0, text="I have taken you off our list.", voice=talker.voice)
    await call.add(DoNotCallRequested, turn=2, text=FREELY)
    await call.add(ReplyEnded, turn=2, sentences=1, reason="cut_off")
    await hang_up(call)
    worker = await start_worker(openai_base_url=chat.url)
    await idle(worker)
    assert chat.requests == []

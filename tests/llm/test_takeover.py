"""A worker dies in the middle of a reply, or is not alone: the reply goes on, and nothing is said twice."""

from __future__ import annotations

import asyncio

import pytest

from voxbus.common.agents import Agent
from voxbus.common.events import HangupRequested, ReplyEnded, Sentence
from voxbus.common.speech import spoken
from voxbus.llm.core_dialogue import Said, answer
from voxbus.llm.core_messages import GO_ON

from .conftest import (
    DONE,
    Answer,
    Call,
    ChatServer,
    Stall,
    StartProcess,
    StartWorker,
    chunk,
    refusal,
    reply,
    tool,
)


@pytest.fixture
def talker(reminder: Agent) -> Agent:
    return reminder.model_copy(update={"llm": "openai"})


def assert_said_once(call: Call, turn: int) -> None:
    sentences = call.of(Sentence, turn)
    assert sorted(s.index for s in sentences) == list(range(len(sentences)))
    assert len({s.text for s in sentences}) == len(sentences)


async def test_a_scripted_reply_is_finished_by_another_worker(
    call: Call, reminder: Agent, start_process: StartProcess, start_worker: StartWorker
) -> None:
    first = await start_process(scripted_token_delay_ms=60)
    await call.start(reminder)
    await call.reply_to(1)
    await call.say("when is it", 2)
    await call.until(lambda: call.said(2))
    first.kill()
    said_before = len(call.said(2))
    await start_worker()
    ended = await call.reply_to(2)
    whole = answer(reminder, [Said("when is it")]).say
    assert said_before < len(call.said(2))
    assert " ".join(call.said(2)) == whole
    assert_said_once(call, 2)
    assert ended.reason == "complete"


async def test_a_greeting_is_finished_by_another_worker(
    call: Call, reminder: Agent, start_worker: StartWorker
) -> None:
    first = spoken(reminder.lines.greeting)[0]
    await call.start(reminder)
    await call.add(Sentence, turn=1, index=0, text=first, voice=reminder.voice)
    await start_worker()
    await call.reply_to(1)
    assert tuple(call.said(1)) == spoken(reminder.lines.greeting)


async def test_the_greeting_of_a_callee_is_finished_by_another_worker(
    call: Call, reminder: Agent, start_worker: StartWorker
) -> None:
    greeting = spoken(reminder.lines.greeting)
    await call.start(reminder, inbound=False)
    await call.say("", 1, ended_by="no_words")
    await call.add(Sentence, turn=1, index=0, text=greeting[0], voice=reminder.voice)
    await start_worker()
    assert (await call.reply_to(1)).sentences == len(greeting)
    assert tuple(call.said(1)) == greeting


@pytest.fixture
async def dying(
    call: Call, talker: Agent, chat: ChatServer, start_process: StartProcess
) -> asyncio.subprocess.Process:
    """A worker that has said one sentence of turn 2, of a model that then fell silent."""
    chat.answers = [Answer([chunk("It is on Thursday at ten. And"), Stall()])]
    process = await start_process(openai_base_url=chat.url)
    await call.start(talker)
    await call.reply_to(1)
    await call.say("when is it", 2)
    await call.until(lambda: call.said(2))
    return process


async def test_a_model_is_asked_to_go_on(
    call: Call, chat: ChatServer, dying: asyncio.subprocess.Process, start_worker: StartWorker
) -> None:
    chat.answers = [reply("You can park behind the building. ", "Is that fine with you?")]
    dying.kill()
    await start_worker(openai_base_url=chat.url)
    assert (await call.reply_to(2)).reason == "complete"
    assert call.said(2) == [
        "It is on Thursday at ten.", "You can park behind the building.", "Is that fine with you?",
    ]  # fmt: skip
    assert chat.requests[-1]["messages"][-2:] == [
        {"role": "assistant", "content": "It is on Thursday at ten."},
        {"role": "system", "content": GO_ON},
    ]
    assert_said_once(call, 2)


@pytest.mark.parametrize(
    "continuation",
    [
        reply("It is on Thursday at ten. ", "You can park behind the building."),
        reply("It is on Thursday, as I said before. ", "Anything else for you today?"),
        refusal(500),
        Answer([chunk("And"), Stall()]),
    ],
)
async def test_a_continuation_that_repeats_or_fails_ends_the_reply(
    call: Call,
    chat: ChatServer,
    dying: asyncio.subprocess.Process,
    start_worker: StartWorker,
    continuation: Answer,
) -> None:
    chat.answers = [continuation]
    dying.kill()
    await start_worker(openai_base_url=chat.url, llm_first_token_ms=300)
    assert (await call.reply_to(2)).reason == "takeover"
    assert call.said(2) == ["It is on Thursday at ten."]


async def test_a_fallback_line_is_not_said_twice(
    call: Call, talker: Agent, chat: ChatServer, start_worker: StartWorker
) -> None:
    fallback = spoken(talker.lines.fallback)[0]
    await call.start(talker)
    await call.say("when is it", 2)
    await call.add(
        Sentence, turn=2, index=0, text=fallback, voice=talker.voice, fallback=True, cause="overloaded"
    )
    await start_worker(openai_base_url=chat.url)
    assert (await call.reply_to(2)).reason == "fallback"
    assert call.said(2) == [fallback]
    assert chat.requests == []


async def test_a_reply_that_has_ended_is_left_alone(
    call: Call, talker: Agent, chat: ChatServer, start_worker: StartWorker
) -> None:
    await call.start(talker)
    await call.say("when is it", 2)
    await call.add(Sentence, turn=2, index=0, text="On Thursday.", voice=talker.voice)
    await call.add(ReplyEnded, turn=2, sentences=1, reason="complete")
    await start_worker(openai_base_url=chat.url)
    await call.say("thank you", 3)
    await call.reply_to(3)
    assert call.said(2) == ["On Thursday."]
    assert len(chat.requests) == 1


async def test_what_somebody_else_wrote_is_read_and_continued(
    call: Call, talker: Agent, chat: ChatServer, start_worker: StartWorker
) -> None:
    second_asked = asyncio.Event()
    chat.answers = [
        Answer(
            [chunk("The first one is this. And"), second_asked, chunk(" the second is mine. And"), Stall()]
        ),
        reply("The third is for all of us."),
    ]
    await start_worker(openai_base_url=chat.url)
    await call.start(talker)
    await call.say("hello", 2)
    await call.until(lambda: call.said(2))
    await call.add(Sentence, turn=2, index=1, text="The second is by somebody else.", voice=talker.voice)
    second_asked.set()
    await call.reply_to(2)
    assert call.said(2) == [
        "The first one is this.", "The second is by somebody else.", "The third is for all of us.",
    ]  # fmt: skip


async def test_nothing_is_added_to_a_reply_that_somebody_else_has_ended(
    call: Call, talker: Agent, chat: ChatServer, start_worker: StartWorker
) -> None:
    ended = asyncio.Event()
    rest = [
        chunk(" And this comes too late. Or does it?"),
        tool("end_call"),
        chunk(finish="tool_calls"),
        DONE,
    ]
    chat.answers = [Answer([chunk("The first one is this. And"), ended, *rest])]
    worker = await start_worker(openai_base_url=chat.url)
    await call.start(talker)
    await call.say("hello", 2)
    await call.until(lambda: call.said(2))
    await call.add(ReplyEnded, turn=2, sentences=1, reason="takeover")
    ended.set()
    async with asyncio.timeout(30):
        while worker._runner.jobs:
            await asyncio.sleep(0.01)
    assert call.said(2) == ["The first one is this."]
    assert call.of(HangupRequested, 2) == []


async def test_a_slow_model_does_not_cost_the_lease(
    call: Call, talker: Agent, chat: ChatServer, start_worker: StartWorker
) -> None:
    """Leases end after a second; silence of the model is progress as long as it is within the deadline."""
    chat.answers = [reply("I had to think about it. ", "But now I know it.", wait_s=1.5)]
    for _ in range(2):
        await start_worker(openai_base_url=chat.url)
    await call.start(talker)
    await call.say("hello", 2)
    assert (await call.reply_to(2)).reason == "complete"
    assert len(chat.requests) == 1
    assert_said_once(call, 2)


async def test_a_deploy_loses_nothing(
    call: Call, talker: Agent, chat: ChatServer, start_worker: StartWorker
) -> None:
    chat.answers = [reply("I had to think about it. ", "But now I know it.", wait_s=0.4)]
    worker = await start_worker(openai_base_url=chat.url)
    await call.start(talker)
    await call.say("hello", 2)
    async with asyncio.timeout(30):
        await chat.asked.wait()
    await worker.drain()
    assert (await call.reply_to(2)).reason == "complete"
    assert call.said(2) == ["I had to think about it.", "But now I know it."]

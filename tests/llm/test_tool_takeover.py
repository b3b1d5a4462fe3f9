"""A worker dies between the call of a tool and its answer: nothing is done twice that may be done once only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from voxbus.common.agents import Agent, Tool
from voxbus.common.events import Sentence, ToolCalled, ToolReturned, UtteranceWithdrawn
from voxbus.llm.core_trail import UNKNOWN
from voxbus.llm.tools.toolbox import idempotency_key

from .backend import Backend, backend, json_answer
from .conftest import DONE, Answer, Call, ChatServer, StartProcess, StartWorker, chunk, declare, reply, tool

BOOK: dict[str, Any] = {
    "name": "book",
    "description": "Books a day.",
    "method": "POST",
    "url": "${CRM_URL}/book",
    "arguments": {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]},
    "timeout_ms": 8000,
    "meanwhile": "One moment, I write it down.",
}
ARGUMENTS = {"day": "Friday"}


@pytest.fixture
async def crm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Backend]:
    """Answers the first request never, and the others at once."""
    async with backend() as made:
        made.answer = lambda _asked: [60.0] if len(made.asked) == 1 else json_answer('{"booked":"at ten"}')
        monkeypatch.setenv("CRM_URL", made.url)
        monkeypatch.setenv("CRM_TOKEN", "t1")
        monkeypatch.setenv("AGENTS_DIR", str(declare(tmp_path / "agents", BOOK)))
        yield made


def talker(reminder: Agent, **change: Any) -> Agent:
    return reminder.model_copy(update={"llm": "openai", "tools": (Tool.model_validate(BOOK | change),)})


def wants() -> Answer:
    return Answer([tool("book", '{"day":"Friday"}'), chunk(finish="tool_calls"), DONE])


async def begin(
    call: Call, agent: Agent, chat: ChatServer, start_process: StartProcess
) -> asyncio.subprocess.Process:
    """A worker that waits for the tool's answer, and has said what it says meanwhile."""
    chat.answers = [wants()]
    process = await start_process(openai_base_url=chat.url, llm_tool_meanwhile_ms=50)
    await call.start(agent)
    await call.reply_to(1)
    await call.say("book friday please", 2)
    await call.until(lambda: call.of(ToolCalled, 2) and call.said(2))
    return process


@pytest.mark.parametrize("idempotent", [True, False])
async def test_a_worker_dies_while_a_tool_works(
    call: Call,
    reminder: Agent,
    chat: ChatServer,
    crm: Backend,
    start_process: StartProcess,
    start_worker: StartWorker,
    idempotent: bool,
) -> None:
    first = await begin(call, talker(reminder, idempotent=idempotent), chat, start_process)
    chat.answers = [reply("That is all that I know of it.")]
    first.kill()
    await start_worker(openai_base_url=chat.url)
    assert (await call.reply_to(2, 10)).reason == "complete"
    (returned,) = call.of(ToolReturned, 2)
    assert len(call.of(ToolCalled, 2)) == 1
    told = chat.requests[-1]["messages"][-1]
    assert told["role"] == "tool"
    assert told["content"] == returned.result
    keys = [asked.headers["idempotency-key"] for asked in crm.asked]
    assert set(keys) == {idempotency_key(call.sid, 2, "book", ARGUMENTS)}
    if idempotent:
        assert (len(keys), returned.ok, returned.result) == (2, True, '{"booked":"at ten"}')
    else:
        assert (len(keys), returned.ok, returned.result) == (1, False, UNKNOWN)
    assert call.said(2) == ["One moment, I write it down.", "That is all that I know of it."]


async def test_what_is_not_kept_cannot_be_asked_again(
    call: Call, reminder: Agent, chat: ChatServer, crm: Backend, start_worker: StartWorker
) -> None:
    await call.start(talker(reminder, idempotent=True, redact=["day"]))
    await call.say("book friday please", 2)
    await call.add(ToolCalled, turn=2, index=0, name="book", arguments='{"day": "(not kept)"}')
    await start_worker(openai_base_url=chat.url)
    await call.reply_to(2)
    assert [returned.result for returned in call.of(ToolReturned, 2)] == [UNKNOWN]
    assert crm.asked == []


async def test_a_worker_dies_after_the_answer(
    call: Call, reminder: Agent, chat: ChatServer, crm: Backend, start_worker: StartWorker
) -> None:
    """The next one goes on from the answer, with the words that were said before it and after it where they were."""
    agent = talker(reminder)
    await call.start(agent)
    await call.say("book friday please", 2)
    said = {"turn": 2, "voice": agent.voice}
    await call.add(Sentence, index=0, text="Let me write that down.", **said)
    await call.add(ToolCalled, turn=2, index=0, name="book", arguments='{"day": "Friday"}', said=1)
    await call.add(Sentence, index=1, text="One moment.", meanwhile=True, **said)
    await call.add(ToolReturned, turn=2, index=0, name="book", ok=True, result='{"booked":"at ten"}')
    await call.add(Sentence, index=2, text="You are booked for Friday.", **said)
    chat.answers = [reply("Is there anything else?")]
    await start_worker(openai_base_url=chat.url)
    await call.reply_to(2)
    assert call.said(2)[-2:] == ["You are booked for Friday.", "Is there anything else?"]
    told = [(m["role"], m["content"]) for m in chat.requests[-1]["messages"][-5:]]
    assert told[:4] == [
        ("user", "book friday please"),
        ("assistant", "Let me write that down. One moment."),
        ("tool", '{"booked":"at ten"}'),
        ("assistant", "You are booked for Friday."),
    ]
    assert crm.asked == []


async def test_what_a_withdrawn_attempt_did_is_done(
    call: Call, reminder: Agent, chat: ChatServer, crm: Backend, start_worker: StartWorker
) -> None:
    crm.answer = lambda _asked: json_answer('{"booked":"at ten"}')
    chat.answers = [wants(), reply("Booked."), reply("It is booked, and I have noted that.")]
    await start_worker(openai_base_url=chat.url)
    await call.start(talker(reminder))
    await call.reply_to(1)
    await call.say("book friday please", 2)
    await call.reply_to(2)
    await call.add(UtteranceWithdrawn, holder=call.holder, turn=2, attempt=0)
    await call.say("book friday please by the window", 2, attempt=1)
    await call.until(lambda: len(chat.requests) == 3)
    await call.until(lambda: call.said(2)[-1].startswith("It is booked"))
    told = chat.requests[-1]["messages"][-3:]
    assert [message["role"] for message in told] == ["user", "assistant", "tool"]
    assert told[0]["content"] == "book friday please by the window"
    assert told[1]["tool_calls"][0]["id"] == "call_2_0_0"
    assert len(crm.asked) == 1


def test_a_key_is_the_same_for_the_same_wish_and_for_no_other() -> None:
    key = idempotency_key("CA1", 2, "book", {"day": "Friday", "n": 1})
    assert key == idempotency_key("CA1", 2, "book", {"n": 1, "day": "Friday"})
    others = {
        idempotency_key("CA2", 2, "book", {"day": "Friday", "n": 1}),
        idempotency_key("CA1", 3, "book", {"day": "Friday", "n": 1}),
        idempotency_key("CA1", 2, "cook", {"day": "Friday", "n": 1}),
        idempotency_key("CA1", 2, "book", {"day": "Friday", "n": 2}),
    }
    assert len({key, *others}) == 5

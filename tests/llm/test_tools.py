"""The tools of an agent file in a call: asked, answered, told to the model, and never before the caller is through."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from voxbus.common.agents import Agent, Tool
from voxbus.common.errors import SettingsError
from voxbus.common.events import (
    HangupRequested,
    Interrupted,
    Sentence,
    ToolCalled,
    ToolReturned,
    UtteranceConfirmed,
)
from voxbus.llm.core_trail import REDACTED

from .backend import Backend, backend, json_answer
from .conftest import DONE, Answer, Call, ChatServer, StartWorker, chunk, declare, reply, tool

BOOK: dict[str, Any] = {
    "name": "book",
    "description": "Books a day.",
    "method": "POST",
    "url": "${CRM_URL}/patients/{caller_number}/appointments",
    "headers": {"Authorization": "Bearer ${CRM_TOKEN}"},
    "arguments": {
        "type": "object",
        "properties": {"day": {"type": "string"}, "guests": {"type": "integer"}},
        "required": ["day"],
    },
    "meanwhile": "One moment, I write it down.",
}
TOKEN = "t0ken-that-nobody-sees"


@pytest.fixture
async def crm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Backend]:
    async with backend() as made:
        made.answer = lambda _asked: json_answer('{"booked":"Friday at ten"}', 201)
        monkeypatch.setenv("CRM_URL", made.url)
        monkeypatch.setenv("CRM_TOKEN", TOKEN)
        monkeypatch.setenv("AGENTS_DIR", str(declare(tmp_path / "agents", BOOK)))
        yield made


def talker(reminder: Agent, **change: Any) -> Agent:
    tools = (Tool.model_validate(BOOK | change),)
    return reminder.model_copy(update={"llm": "openai", "tools": tools})


def wants(name: str = "book", arguments: str = '{"day":"Friday"}', say: str = "") -> Answer:
    said = [chunk(say)] if say else []
    return Answer([*said, tool(name, arguments), chunk(finish="tool_calls"), DONE])


async def ask(call: Call, agent: Agent, **fields: Any) -> None:
    await call.start(agent)
    await call.reply_to(1)
    await call.say("book friday please", 2, **fields)


async def test_what_a_tool_answers_is_what_the_model_goes_on_from(
    call: Call, reminder: Agent, chat: ChatServer, crm: Backend, start_worker: StartWorker
) -> None:
    chat.answers = [
        wants(arguments='{"day":"Friday","guests":2}'),
        reply("You are booked for Friday at ten."),
    ]
    await start_worker(openai_base_url=chat.url)
    await ask(call, talker(reminder))
    ended = await call.reply_to(2)
    assert ended.reason == "complete"
    assert call.said(2) == ["You are booked for Friday at ten."]
    (asked,) = crm.asked
    assert asked.line == "POST /patients/%2B15550100001/appointments HTTP/1.1" or asked.line.startswith(
        "POST "
    )
    assert json.loads(asked.body) == {"day": "Friday", "guests": 2}
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    assert len(asked.headers["idempotency-key"]) == 40
    function = chat.requests[0]["tools"][0]["function"]
    assert (function["name"], function["description"]) == ("book", "Books a day.")
    assert function["parameters"] == {"additionalProperties": False, **BOOK["arguments"]}
    assert chat.requests[1]["messages"][-2:] == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "call_2_0_0",
                    "type": "function",
                    "function": {"name": "book", "arguments": '{"day": "Friday", "guests": 2}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call_2_0_0", "content": '{"booked":"Friday at ten"}'},
    ]
    (called,), (returned,) = call.of(ToolCalled, 2), call.of(ToolReturned, 2)
    assert (called.name, called.index, called.round, called.said) == ("book", 0, 0, 0)
    assert json.loads(called.arguments) == {"day": "Friday", "guests": 2}
    assert (returned.ok, returned.result) == (True, '{"booked":"Friday at ten"}')
    assert returned.duration_ms > 0


async def test_the_next_turn_still_knows_what_was_answered(
    call: Call, reminder: Agent, chat: ChatServer, crm: Backend, start_worker: StartWorker
) -> None:
    chat.answers = [wants(), reply("Booked."), reply("At ten, as I said.")]
    await start_worker(openai_base_url=chat.url)
    await ask(call, talker(reminder))
    await call.reply_to(2)
    await call.say("at what time", 3)
    await call.reply_to(3)
    roles = [message["role"] for message in chat.requests[-1]["messages"]]
    assert roles == ["system", "assistant", "user", "assistant", "tool", "assistant", "user"]
    assert len(crm.asked) == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("{}", "arguments: day is missing"),
        ('{"day": 5}', "day: should be of type string"),
        ('{"day": "Friday", "admin": true}', "there is an argument that is not declared"),
        ("{oops", "they are no object of JSON"),
    ],
)
async def test_wrong_arguments_are_told_and_not_sent(
    call: Call,
    reminder: Agent,
    chat: ChatServer,
    crm: Backend,
    start_worker: StartWorker,
    arguments: str,
    told: str,
) -> None:
    chat.answers = [wants(arguments=arguments), wants(), reply("Booked.")]
    await start_worker(openai_base_url=chat.url)
    await ask(call, talker(reminder))
    await call.reply_to(2)
    assert told in chat.requests[1]["messages"][-1]["content"]
    assert [json.loads(asked.body) for asked in crm.asked] == [{"day": "Friday"}]
    assert [returned.ok for returned in call.of(ToolReturned, 2)] == [False, True]
    assert call.said(2) == ["Booked."]


async def test_a_tool_that_there_is_not_is_told_with_those_that_there_are(
    call: Call, reminder: Agent, chat: ChatServer, crm: Backend, start_worker: StartWorker
) -> None:
    chat.answers = [wants("cook"), reply("I cannot cook.")]
    await start_worker(openai_base_url=chat.url)
    await ask(call, talker(reminder))
    await call.reply_to(2)
    assert "there is no such tool; there are: book" in chat.requests[1]["messages"][-1]["content"]
    assert crm.asked == []


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (json_answer('{"detail":"fully booked"}', 409), '(409): {"detail":"fully booked"}'),
        (json_answer("trace", 500, "text/plain"), "a fault of its own"),
        (json_answer("{oops"), "cannot be read"),
        (json_answer("", 302, "text/plain", "Location: http://169.254.169.254/"), "another address"),
        (json_answer('"' + "x" * 20000 + '"'), "too long"),
        ([30.0], "no answer in time"),
    ],
)
async def test_a_tool_that_fails_is_told_in_words(
    call: Call,
    reminder: Agent,
    chat: ChatServer,
    crm: Backend,
    start_worker: StartWorker,
    answer: Any,
    told: str,
) -> None:
    crm.answer = lambda _asked: answer
    chat.answers = [wants(), reply("That did not work.")]
    await start_worker(openai_base_url=chat.url)
    await ask(call, talker(reminder, timeout_ms=500, meanwhile=""))
    assert (await call.reply_to(2)).reason == "complete"
    assert told in chat.requests[1]["messages"][-1]["content"]
    assert [returned.ok for returned in call.of(ToolReturned, 2)] == [False]
    assert call.said(2) == ["That did not work."]


async def test_what_is_no_utf8_fails_no_job(
    call: Call, reminder: Agent, chat: ChatServer, crm: Backend, start_worker: StartWorker, tmp_path: Path
) -> None:
    """Half of a surrogate pair, from the model and from the system that it asks."""
    crm.answer = lambda _asked: json_answer(r'{"booked":"Ann \ud83d"}', 201)
    chat.answers = [wants(arguments=r'{"day":"Fri \ud83d"}'), wants(r"b\ud83d"), reply("Booked \ud83d.")]
    change = {"method": "GET", "url": "${CRM_URL}/{day}", "idempotent": True}
    await start_worker(openai_base_url=chat.url, agents_dir=declare(tmp_path, BOOK | change))
    await ask(call, talker(reminder, **change))
    assert (await call.reply_to(2)).reason == "complete"
    assert [asked.line for asked in crm.asked] == ["GET /Fri%20%3F HTTP/1.1"]
    assert next(event.result for event in call.of(ToolReturned, 2)) == '{"booked":"Ann ?"}'
    assert len(chat.requests) == 3


async def test_a_model_that_never_has_enough_must_answer_in_the_end(
    call: Call, reminder: Agent, chat: ChatServer, crm: Backend, start_worker: StartWorker
) -> None:
    chat.answers = [
        wants(arguments='{"day":"a"}'),
        wants(arguments='{"day":"b"}'),
        reply("That is all I know."),
    ]
    await start_worker(openai_base_url=chat.url, llm_tool_rounds=2)
    await ask(call, talker(reminder))
    await call.reply_to(2)
    offered = [[t["function"]["name"] for t in request["tools"]] for request in chat.requests]
    assert ["book" in names for names in offered] == [True, True, False]
    assert [called.round for called in call.of(ToolCalled, 2)] == [0, 1]
    assert len({asked.headers["idempotency-key"] for asked in crm.asked}) == 2
    chat.answers = [wants()]  # and one that asks for it all the same
    await call.say("and saturday", 3)
    await call.reply_to(3)
    assert call.said(3)[-1:] != []
    assert len(crm.asked) == 4


async def test_an_end_waits_for_the_answers(
    call: Call, reminder: Agent, chat: ChatServer, crm: Backend, start_worker: StartWorker
) -> None:
    both = Answer(
        [tool("book", '{"day":"Friday"}'), tool("end_call", index=1), chunk(finish="tool_calls"), DONE]
    )
    chat.answers = [both, reply("It is done. Anything else?")]
    await start_worker(openai_base_url=chat.url)
    await ask(call, talker(reminder))
    await call.reply_to(2)
    assert call.of(HangupRequested) == []
    assert [called.name for called in call.of(ToolCalled, 2)] == ["book"]


async def test_a_wish_not_to_be_called_does_not_wait_for_the_answers(
    call: Call, reminder: Agent, chat: ChatServer, crm: Backend, start_worker: StartWorker
) -> None:
    both = [tool("book", '{"day":"Friday"}'), tool("do_not_call", index=1)]
    chat.answers = [Answer([*both, chunk(finish="tool_calls"), DONE]), reply("It is done. Goodbye.")]
    await start_worker(openai_base_url=chat.url)
    await ask(call, talker(reminder))
    await call.reply_to(2)
    kinds = [stored.event.kind for stored in call.events]
    assert kinds.index("do_not_call_requested") < kinds.index("tool_returned")
    assert [event.name for event in call.of(ToolReturned, 2) if event.ok] == ["book", "do_not_call"]
    assert call.said(2) == ["It is done.", "Goodbye."]
    assert [event.reason for event in call.of(HangupRequested)] == ["do_not_call"]


async def test_what_takes_long_is_bridged(
    call: Call, reminder: Agent, chat: ChatServer, crm: Backend, start_worker: StartWorker
) -> None:
    crm.answer = lambda _asked: [0.8, *json_answer('{"booked":1}')]
    chat.answers = [wants(), reply("You are booked for Friday. ", "Is there anything else?")]
    await start_worker(openai_base_url=chat.url, llm_tool_meanwhile_ms=100)
    await ask(call, talker(reminder))
    await call.reply_to(2)
    assert call.said(2) == [
        "One moment, I write it down.",
        "You are booked for Friday.",
        "Is there anything else?",
    ]
    assert [sentence.meanwhile for sentence in call.of(Sentence, 2)] == [True, False, False]
    # To the model it is what was said before the answer came.
    assert chat.requests[1]["messages"][-2]["content"] == "One moment, I write it down."
    first, second, _ = call.of(Sentence, 2)
    assert 50 < first.tools_ms <= first.first_token_ms == first.ready_ms
    assert 700 < second.tools_ms <= second.first_token_ms


@pytest.mark.parametrize("said", ["", "Let me see."])
async def test_nothing_is_bridged_that_is_quick_or_was_announced(
    call: Call, reminder: Agent, chat: ChatServer, crm: Backend, start_worker: StartWorker, said: str
) -> None:
    chat.answers = [wants(say=said), reply("Booked.")]
    if said:
        crm.answer = lambda _asked: [0.5, *json_answer('{"booked":1}')]
    await start_worker(openai_base_url=chat.url, llm_tool_meanwhile_ms=100 if said else 5000)
    await ask(call, talker(reminder))
    await call.reply_to(2)
    assert call.said(2) == [*([said] if said else []), "Booked."]


async def test_a_model_that_fails_after_the_tool_is_replaced_by_the_next_one(
    call: Call, reminder: Agent, chat: ChatServer, crm: Backend, start_worker: StartWorker
) -> None:
    chat.answers = [wants(say="Let me see."), Answer([], 500), reply("Booked.")]
    await start_worker(
        openai_base_url=chat.url, groq_base_url=chat.url, groq_api_key="k", llm_providers="openai,groq"
    )
    await ask(call, talker(reminder))
    assert (await call.reply_to(2)).provider == "groq"
    assert call.said(2) == ["Let me see.", "Booked."]
    assert len(crm.asked) == 1


async def test_a_guess_uses_no_tool_until_it_is_confirmed(
    call: Call, reminder: Agent, chat: ChatServer, crm: Backend, start_worker: StartWorker
) -> None:
    chat.answers = [wants(say="Let me see."), reply("Booked.")]
    await start_worker(openai_base_url=chat.url)
    await ask(call, talker(reminder), final=False)
    await call.until(lambda: call.said(2))
    await asyncio.sleep(0.3)
    assert (crm.asked, call.of(ToolCalled)) == ([], [])
    await call.add(UtteranceConfirmed, holder=call.holder, turn=2, attempt=0)
    await call.reply_to(2)
    assert len(crm.asked) == 1


async def test_what_was_begun_is_finished_and_known_when_the_caller_interrupts(
    call: Call, reminder: Agent, chat: ChatServer, crm: Backend, start_worker: StartWorker
) -> None:
    crm.answer = lambda _asked: [0.7, *json_answer('{"booked":1}')]
    chat.answers = [wants(), reply("It is booked already.")]
    await start_worker(openai_base_url=chat.url, llm_tool_meanwhile_ms=50)
    await ask(call, talker(reminder))
    await call.until(lambda: call.said(2))
    await call.add(Interrupted, stream_sid="MZ1", turn=2, sentence=0, played_ms=100, text="One")
    await call.until(lambda: call.of(ToolReturned, 2))
    await call.say("have you booked it", 3)
    await call.reply_to(3)
    told = [message for message in chat.requests[-1]["messages"] if message["role"] == "tool"]
    assert [message["content"] for message in told] == ['{"booked":1}']
    assert len(crm.asked) == 1


async def test_nothing_of_it_is_in_logs_metrics_or_errors(
    call: Call,
    reminder: Agent,
    chat: ChatServer,
    crm: Backend,
    start_worker: StartWorker,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    crm.answer = lambda asked: json_answer(
        "sekret-answer", 500 if b"one" in asked.body else 404, "text/plain"
    )
    chat.answers = [
        wants(arguments='{"day":"sekret-one"}'),
        wants(arguments='{"day":"sekret-two"}'),
        wants("sekret-tool"),
        reply("No."),
    ]
    await start_worker(openai_base_url=chat.url)
    await ask(call, talker(reminder))
    await call.reply_to(2)
    ours = [
        f"{record.getMessage()} {getattr(record, 'fields', '')}"
        for record in caplog.records
        if record.name.startswith("voxbus")
    ]
    assert any("'tool': 'book'" in line for line in ours)
    labels = [str(sample.labels) for metric in REGISTRY.collect() for sample in metric.samples]
    assert any("'tool': 'book', 'outcome': 'server_error'" in label for label in labels)
    for line in (*ours, *labels):
        assert "sekret" not in line
        assert TOKEN not in line


async def test_what_is_not_to_be_kept_is_told_to_the_model_and_not_to_the_log(
    call: Call, reminder: Agent, chat: ChatServer, crm: Backend, start_worker: StartWorker
) -> None:
    crm.answer = lambda _asked: json_answer('{"booked":1,"insurance":"sekret-2"}')
    chat.answers = [wants(arguments='{"day":"sekret-1"}'), reply("Booked.")]
    await start_worker(openai_base_url=chat.url)
    await ask(call, talker(reminder, redact=["day", "insurance"]))
    await call.reply_to(2)
    assert json.loads(crm.asked[0].body) == {"day": "sekret-1"}
    assert "sekret-2" in chat.requests[1]["messages"][-1]["content"]
    kept = " ".join([call.of(ToolCalled, 2)[0].arguments, call.of(ToolReturned, 2)[0].result])
    assert "sekret" not in kept
    assert json.loads(call.of(ToolReturned, 2)[0].result)["booked"] == 1


async def test_nor_is_what_is_asked_for_once_too_often(
    call: Call, reminder: Agent, chat: ChatServer, crm: Backend, start_worker: StartWorker
) -> None:
    chat.answers = [wants(arguments='{"day":"Friday","guests":2}')]
    await start_worker(openai_base_url=chat.url, llm_tool_rounds=1)
    await ask(call, talker(reminder, redact=["day"]))
    await call.reply_to(2)
    kept = [json.loads(called.arguments) for called in call.of(ToolCalled, 2)]
    assert kept == [{"day": REDACTED, "guests": 2}] * 2
    assert [returned.ok for returned in call.of(ToolReturned, 2)] == [True, False]


@pytest.mark.parametrize("rounds", [1, 2])
async def test_of_what_nobody_has_declared_nothing_is_kept(
    call: Call, reminder: Agent, chat: ChatServer, crm: Backend, start_worker: StartWorker, rounds: int
) -> None:
    chat.answers = [wants("cook", '{"day":"sekret-1"}'), wants("cook", '{"day":"sekret-2"}'), reply("No.")]
    await start_worker(openai_base_url=chat.url, llm_tool_rounds=rounds)
    await ask(call, talker(reminder))
    await call.reply_to(2)
    assert [called.arguments for called in call.of(ToolCalled, 2)] == ["{}", "{}"]


# --- what the environment lacks -------------------------------------------------------------------------------------


async def test_an_agent_whose_tool_lacks_a_variable_takes_no_calls(
    call: Call,
    reminder: Agent,
    chat: ChatServer,
    crm: Backend,
    start_worker: StartWorker,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await start_worker(openai_base_url=chat.url)
    await call.start(talker(reminder, headers={"Authorization": "Bearer ${NO_SUCH_TOKEN}"}))
    await call.reply_to(1)
    assert " ".join(call.said(1)) == reminder.lines.no_capacity
    assert [event.reason for event in call.of(HangupRequested)] == ["misconfigured"]
    assert "the tool book of the agent appointment_reminder: NO_SUCH_TOKEN is not set" in str(
        [getattr(record, "fields", "") for record in caplog.records]
    )


async def test_an_optional_tool_that_lacks_a_variable_is_done_without(
    call: Call, reminder: Agent, chat: ChatServer, crm: Backend, start_worker: StartWorker
) -> None:
    chat.answers = [reply("I cannot book.")]
    await start_worker(openai_base_url=chat.url)
    await ask(call, talker(reminder, url="${NO_SUCH_URL}/x", headers={}, optional=True))
    await call.reply_to(2)
    assert "book" not in [t["function"]["name"] for t in chat.requests[0]["tools"]]


@pytest.mark.parametrize(
    "change",
    [
        {"url": "http://127.0.0.1:%d/${CRM_TOKEN}", "headers": {}},
        {"url": "http://127.0.0.1:%d/patients/{caller_number}/appointments"},
        {"url": "${CRM_URL}/echo"},
        {"headers": {"X-Note": "${SCHEDULER_SECRET}"}},
        {"method": "DELETE"},
        {"private": True},
        {"url": "http://127.0.0.1:%d/inside", "headers": {}},
    ],
)
async def test_what_the_workers_own_files_do_not_say_is_not_asked(
    call: Call,
    reminder: Agent,
    chat: ChatServer,
    crm: Backend,
    start_worker: StartWorker,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    change: dict[str, Any],
) -> None:
    """Whoever may start calls would otherwise have every secret sent to a host of their own."""
    monkeypatch.setenv("SCHEDULER_SECRET", "places-calls")
    if "%d" in change.get("url", ""):
        change = change | {"url": change["url"] % crm.port}
    chat.answers = [wants(), wants(), reply("I cannot.")]
    await start_worker(openai_base_url=chat.url)
    await ask(call, talker(reminder, **change))
    await call.reply_to(2)
    assert crm.asked == []
    assert "not set up rightly" in chat.requests[1]["messages"][-1]["content"]
    assert call.said(2) == ["I cannot."]
    told = [r for r in caplog.records if r.getMessage() == "a tool is not in this worker's agent files"]
    assert len(told) == 1


AGENT_FILE = """
name: clerk
prompt: x
lines: {greeting: Hello.}
tools:
  - {name: look_up, description: x, url: "%s/x", headers: {Authorization: "Bearer ${%s}"}}
"""


@pytest.mark.parametrize(
    ("url", "token", "complaint"),
    [
        ("${CRM_URL}", "NO_SUCH_TOKEN", "look_up of the agent clerk: NO_SUCH_TOKEN is not set; set it"),
        ("${CRM_URL}", "OPENAI_API_KEY", "OPENAI_API_KEY is the worker's own and goes to no tool"),
        ("${CRM_TOKEN}", "CRM_TOKEN", "CRM_TOKEN is no origin"),
        ("${NO_SUCH_URL}", "CRM_TOKEN", "NO_SUCH_URL is not set"),
    ],
)
async def test_a_worker_that_can_see_it_does_not_start(
    tmp_path: Path, crm: Backend, start_worker: StartWorker, url: str, token: str, complaint: str
) -> None:
    (tmp_path / "clerk.yaml").write_text(AGENT_FILE % (url, token))
    with pytest.raises(SettingsError) as caught:
        await start_worker(agents_dir=tmp_path, openai_api_key="sk-own")
    assert complaint in str(caught.value)
    assert TOKEN not in str(caught.value)
    assert "sk-own" not in str(caught.value)


async def test_an_optional_tool_that_is_set_up_by_half_is_a_mistake(
    tmp_path: Path, crm: Backend, start_worker: StartWorker
) -> None:
    half = AGENT_FILE % ("${NO_SUCH_URL}", "CRM_TOKEN")
    (tmp_path / "clerk.yaml").write_text(half.replace("description: x", "description: x, optional: true"))
    with pytest.raises(SettingsError, match="NO_SUCH_URL is not set; set it, too"):
        await start_worker(agents_dir=tmp_path)


async def test_a_secret_may_be_in_a_file(
    call: Call,
    reminder: Agent,
    chat: ChatServer,
    crm: Backend,
    start_worker: StartWorker,
    tmp_path: Path,
) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "crm_file_token").write_text("from-a-file\n")
    chat.answers = [wants(), reply("Booked.")]
    change = {"headers": {"Authorization": "Bearer ${CRM_FILE_TOKEN}"}}
    files = declare(tmp_path / "agents", BOOK | change)
    await start_worker(openai_base_url=chat.url, secrets_dir=tmp_path, agents_dir=files)
    await ask(call, talker(reminder, **change))
    await call.reply_to(2)
    assert crm.asked[0].headers["authorization"] == "Bearer from-a-file"


async def test_what_else_is_in_the_folder_of_secrets_goes_to_no_tool(
    crm: Backend, start_worker: StartWorker, tmp_path: Path
) -> None:
    """The worker's login to NATS lies there."""
    (tmp_path / "nkey").write_text("SUsekret")
    (tmp_path / "clerk.yaml").write_text(AGENT_FILE % ("${CRM_URL}", "NKEY"))
    with pytest.raises(SettingsError, match="NKEY is not set"):
        await start_worker(agents_dir=tmp_path, secrets_dir=tmp_path)

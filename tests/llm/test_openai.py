"""The openai provider against a real server: what it sends, what it takes, and every way to fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from voxbus.common.agents import Agent
from voxbus.common.errors import ProviderError
from voxbus.llm.core_chat import Message
from voxbus.llm.limits import Limits, limited
from voxbus.llm.providers.base import Delta, Finish, Request, Text, ToolCall, Usage
from voxbus.llm.providers.openai import OpenAi, OpenAiConfig

from .conftest import DONE, USAGE, Answer, ChatServer, Cut, Stall, chunk, refusal, reply, tool

#: Only what is about a limit meets one.
PATIENT = Limits(first_s=20.0, silence_s=20.0, reply_s=20.0)


@pytest.fixture
async def provider(chat: ChatServer) -> AsyncIterator[OpenAi]:
    made = OpenAi(OpenAiConfig(base_url=chat.url, api_key="secret", model="m1"))
    yield made
    await made.close()


@pytest.fixture
def request_(agent: Agent) -> Request:
    messages = (Message("system", "Be short."), Message("user", "Hello?"))
    return Request(agent.model_copy(update={"transfer_targets": {"desk": "+15550100"}}), messages, ())


async def take(provider: OpenAi, request: Request, limits: Limits = PATIENT) -> list[Delta]:
    return [delta async for delta in limited(provider.stream(request), limits)]


async def test_a_reply(provider: OpenAi, chat: ChatServer, request_: Request) -> None:
    chat.answers = [reply("Hello ", "there.")]
    assert await take(provider, request_) == [Text("Hello "), Text("there."), Finish("stop"), Usage(9, 5)]
    sent = chat.requests[0]
    assert sent["model"] == "m1"
    assert sent["stream"] is True
    assert sent["stream_options"] == {"include_usage": True}
    assert sent["messages"] == [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": "Hello?"},
    ]
    assert [one["function"]["name"] for one in sent["tools"]] == ["end_call", "do_not_call", "transfer_call"]
    assert sent["tools"][2]["function"]["parameters"]["properties"]["target"]["enum"] == ["desk"]
    assert "authorization: bearer secret" in chat.headers[0].lower()
    assert "/v1/chat/completions" in chat.headers[0]


async def test_one_connection_serves_many_replies(
    provider: OpenAi, chat: ChatServer, request_: Request
) -> None:
    for _ in range(3):
        await take(provider, request_)
    assert chat.connections == 1


async def test_tool_calls_come_whole_before_the_finish(
    provider: OpenAi, chat: ChatServer, request_: Request
) -> None:
    pieces = [tool("transfer_call", '{"tar'), tool("", 'get": "desk"}')]
    chat.answers = [Answer([chunk("One moment."), *pieces, chunk(finish="tool_calls"), DONE])]
    assert await take(provider, request_) == [
        Text("One moment."), ToolCall("transfer_call", {"target": "desk"}), Finish("tool_calls"),
    ]  # fmt: skip


@pytest.mark.parametrize("written", ["{oops", '["a list"]', '"text"', "7"])
async def test_arguments_that_are_no_object_are_the_models_fault_and_not_the_vendors(
    provider: OpenAi, chat: ChatServer, request_: Request, written: str
) -> None:
    chat.answers = [Answer([tool("end_call", written), chunk(finish="tool_calls"), DONE])]
    assert await take(provider, request_) == [ToolCall("end_call", {}, malformed=True), Finish("tool_calls")]


@pytest.mark.parametrize(
    ("answer", "cause", "retry"),
    [
        (refusal(429, type="requests", code="rate_limit_exceeded"), "rate_limited", True),
        (refusal(429, type="insufficient_quota", code="insufficient_quota"), "quota", False),
        (refusal(401, code="invalid_api_key"), "auth", False),
        (refusal(404, code="model_not_found"), "not_found", False),
        (refusal(400, type="invalid_request_error"), "bad_request", False),
        (refusal(503), "overloaded", True),
        (Answer([b"<html>Bad gateway</html>"], 502, {"Content-Type": "text/html"}), "server_error", True),
        (Answer([], 500), "server_error", True),
        (Answer([chunk("He"), b'data: {"error":{"message":"x","type":"overloaded_error"}}\n\n']), "overloaded", True),
        (Answer([b'data: {"error":{"message":"x","code":429}}\n\n']), "rate_limited", True),
        (Answer([chunk("He"), Cut()]), "connection", True),
        (Answer([chunk("He")]), "cut_off", True),
        (Answer([Cut()]), "connection", True),
        (Answer([b"data: {nonsense\n\n"]), "malformed", True),
        (Answer([b"data: [1]\n\n"]), "malformed", True),
    ],
)  # fmt: skip
async def test_failures_say_what_they_are(
    provider: OpenAi, chat: ChatServer, request_: Request, answer: Answer, cause: str, retry: bool
) -> None:
    chat.answers = [answer]
    with pytest.raises(ProviderError) as caught:
        await take(provider, request_)
    assert (caught.value.cause, caught.value.retry) == (cause, retry)


@pytest.mark.parametrize(
    ("steps", "limit", "cause"),
    [
        ([Stall()], "first_s", "first_token_timeout"),
        ([b": ping\n\n", 0.2, b": ping\n\n", Stall()], "first_s", "first_token_timeout"),
        ([chunk("He"), Stall()], "silence_s", "stalled"),
        ([step for _ in range(20) for step in (chunk("He"), 0.1)], "reply_s", "reply_timeout"),
    ],
)
async def test_there_is_a_limit_to_each_wait(
    provider: OpenAi, chat: ChatServer, request_: Request, steps: list[Any], limit: str, cause: str
) -> None:
    chat.answers = [Answer(steps)]
    with pytest.raises(ProviderError) as caught:
        await take(provider, request_, replace(PATIENT, **{limit: 0.3}))
    assert (caught.value.cause, caught.value.retry) == (cause, True)


async def test_nobody_there(chat: ChatServer, request_: Request) -> None:
    await chat.stop()
    provider = OpenAi(OpenAiConfig(base_url=chat.url))
    with pytest.raises(ProviderError) as caught:
        await take(provider, request_)
    assert caught.value.cause == "connection"
    await provider.close()


async def test_no_error_text_quotes_the_server(provider: OpenAi, chat: ChatServer, request_: Request) -> None:
    chat.answers = [refusal(400, message="you said 555-0100", type="you said 555-0100", code="bad_thing")]
    with pytest.raises(ProviderError) as caught:
        await take(provider, request_)
    assert str(caught.value) == "bad_request 400 bad_thing"


async def test_what_follows_the_finish_cannot_fail(
    provider: OpenAi, chat: ChatServer, request_: Request
) -> None:
    for after in ([Cut()], [Stall()], []):
        chat.answers = [Answer([chunk("Done now."), chunk(finish="stop"), *after])]
        assert await take(provider, request_) == [Text("Done now."), Finish("stop")]


async def test_leaving_early_closes_the_request(
    provider: OpenAi, chat: ChatServer, request_: Request
) -> None:
    chat.answers = [Answer([chunk("One"), Stall()])]
    async with aclosing(limited(provider.stream(request_), Limits())) as deltas:
        assert await anext(deltas) == Text("One")
    async with asyncio.timeout(30):
        await chat.hung_up.wait()


async def test_differences_between_servers(provider: OpenAi, chat: ChatServer, request_: Request) -> None:
    chat.answers = [
        Answer(
            [
                b"event: message\r\ndata:" + chunk("No blank, ")[6:-2] + b"\r\n\r\n",
                b'data: {"choices":[{"delta":{"content":null,"reasoning":"hm"}}],"p":"xyz"}\n\n',
                b'data: {"choices":[{"delta":{"content":42}}]}\n\n',
                b'data: {"choices":[{"delta":{"content":[{"type":"text","text":" parts"}]}}]}\n\n',
                b'data: {"choices":[{"delta":{"tool_calls":[{"function":{"name":"end_call","arguments":{}}}]}}]}\n\n',
                b'data: {"choices":[{"delta":{},"finish_reason":"eos"}]}\n\n',
                USAGE,
            ]
        )
    ]
    assert await take(provider, request_) == [
        Text("No blank, "), Text("42"), Text(" parts"), ToolCall("end_call", {}), Finish("stop"), Usage(9, 5),
    ]  # fmt: skip

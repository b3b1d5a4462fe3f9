"""OpenAI's chat completions, streamed. Compatible servers are under paths of their own."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any, Final

from aiohttp import web

from voxbus.devkit.vendors import workers_ai
from voxbus.devkit.vendors.desk import Desk, refuses
from voxbus.devkit.vendors.faults import Fault
from voxbus.devkit.vendors.mind import Message, Thought
from voxbus.devkit.vendors.wire import streamed

NAME: Final = "openai"
#: Vendors that speak it, and their paths.
VENDORS: Final = {
    NAME: "/openai/v1",
    "together": "/together/v1",
    "groq": "/groq/openai/v1",
    "ollama": "/ollama/v1",
}
#: Cloudflare's compatible endpoint, and the same by way of a gateway; it takes options of its own.
CLOUDFLARE: Final = (
    "/cloudflare/accounts/{account}/ai/v1",
    "/cloudflare-gateway/{account}/{gateway}/workers-ai/v1",
)
_REQUIRED: Final = {"model", "messages"}
_OPTIONAL: Final = frozenset(
    """
    stream stream_options tools tool_choice temperature max_tokens max_completion_tokens top_p stop user n seed
    presence_penalty frequency_penalty parallel_tool_calls response_format
    """.split()  # noqa: SIM905 - a list of words
)
_ERRORS: Final = {
    401: ("invalid_request_error", "invalid_api_key"),
    402: ("insufficient_quota", "insufficient_quota"),
    429: ("requests", "rate_limit_exceeded"),
    400: ("invalid_request_error", "invalid_value"),
}


class OpenAiChat:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        paths = (*VENDORS.values(), *CLOUDFLARE)
        return [web.post(f"{path}/chat/completions", self._complete) for path in paths]

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        known = (name for name, path in VENDORS.items() if request.path.startswith(path))
        vendor = next(known, "cloudflare")
        self._desk.counts[f"{vendor}.requests"] += 1
        fault = self._desk.faults.take(vendor)
        if vendor != "ollama" and not request.headers.get("Authorization", "").startswith("Bearer "):
            self._desk.wrong(vendor, "no Authorization: Bearer")
            return refusal(401)
        if status := refuses(fault):
            if vendor == "cloudflare":
                return workers_ai.refusal(status)
            # A spent quota comes as 429: only its code tells it from load.
            return refusal(429 if status == 402 else status, like=status)
        try:
            body = json.loads(await request.read())
        except ValueError:
            body = None
        if what := _wrong(body, _OPTIONAL | {"options"} if vendor == "cloudflare" else _OPTIONAL):
            self._desk.wrong(vendor, what)
            return refusal(400)
        self._desk.requests.append(body)
        tools = [tool["function"]["name"] for tool in body.get("tools", ())]
        thought = self._desk.mind.think(_messages(body), tools)
        usage = bool((body.get("stream_options") or {}).get("include_usage"))
        return await streamed(request, fault, "text/event-stream", self._chunks(thought, usage))

    async def _chunks(self, thought: Thought, usage: bool) -> AsyncIterator[str]:
        yield _chunk({"role": "assistant", "content": ""})
        for word in re.findall(r"\S+\s*", thought.say):
            await asyncio.sleep(self._desk.token_delay_s)
            yield _chunk({"content": word}, obfuscation="x" * (len(word) % 7))
        if thought.tool:
            arguments = json.dumps(thought.arguments or {})
            for index, piece in enumerate((arguments[:1], arguments[1:])):
                function = {"arguments": piece} | ({"name": thought.tool} if index == 0 else {})
                call = {"index": 0, "function": function} | (
                    {"id": "call_1", "type": "function"} if index == 0 else {}
                )
                yield _chunk({"tool_calls": [call]})
        yield _chunk({}, finish="tool_calls" if thought.tool else "stop")
        if usage:
            counted = {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}
            yield _event({"object": "chat.completion.chunk", "choices": [], "usage": counted})
        yield "data: [DONE]\n\n"


def _wrong(body: Any, optional: frozenset[str]) -> str:
    if not isinstance(body, dict):
        return "the body is no JSON object"
    if missing := _REQUIRED - body.keys():
        return f"the body misses {', '.join(sorted(missing))}"
    if unknown := body.keys() - _REQUIRED - optional:
        return f"the body has unknown fields {', '.join(sorted(unknown))}"
    if body.get("stream") is not True:
        return "only streams are simulated"
    called: list[str] = []
    for message in body["messages"]:
        if message.get("role") not in ("system", "developer", "user", "assistant", "tool"):
            return "a message without a role"
        if message["role"] == "tool":
            if message.get("tool_call_id") not in called:
                return "a tool's result without its call"
            called.remove(message["tool_call_id"])
        elif called:
            return "a call of a tool without its result"
        for call in message.get("tool_calls", ()):
            if call.get("type") != "function" or not isinstance(call["function"].get("arguments"), str):
                return "a call that is of no function"
            called.append(call["id"])
    if called:
        return "a call of a tool without its result"
    for tool in body.get("tools", ()):
        if tool.get("type") != "function" or not {"name", "parameters"} <= tool.get("function", {}).keys():
            return "a tool that is no function"
    return ""


def _messages(body: dict[str, Any]) -> list[Message]:
    names = {
        call["id"]: call["function"]["name"]
        for message in body["messages"]
        for call in message.get("tool_calls", ())
    }
    return [
        Message(m["role"], m.get("content") or "", names.get(m.get("tool_call_id"), ""))
        for m in body["messages"]
    ]


def refused(desk: Desk, vendor: str, request: web.Request, fault: Fault | None) -> web.Response | None:
    """None: the request is taken."""
    desk.counts[f"{vendor}.requests"] += 1
    if not request.headers.get("Authorization", "").startswith("Bearer "):
        desk.wrong(vendor, "no Authorization: Bearer")
        return refusal(401)
    status = refuses(fault)
    # A spent quota comes as 429: only its code tells it from load.
    return refusal(429 if status == 402 else status, like=status) if status else None


def refusal(status: int, like: int = 0) -> web.Response:
    kind, code = _ERRORS.get(like or status, ("server_error", "server_error"))
    error = {"message": code, "type": kind, "param": None, "code": code}
    return web.json_response({"error": error}, status=status)


async def whole(answer: dict[str, Any]) -> AsyncIterator[str]:
    """An answer that comes in one piece."""
    yield json.dumps(answer)


def _chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> str:
    choice = {"index": 0, "delta": {**delta, **more}, "finish_reason": finish}
    return _event({"id": "c1", "object": "chat.completion.chunk", "choices": [choice], "usage": None})


def _event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data)}\n\n"

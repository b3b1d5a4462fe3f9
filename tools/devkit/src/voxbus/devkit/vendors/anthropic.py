"""Anthropic's Messages, streamed: named events, no ``[DONE]``, errors with a status or inside a 200."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any, Final

from aiohttp import web

from voxbus.devkit.vendors.desk import Desk, refuses
from voxbus.devkit.vendors.mind import Message, Thought
from voxbus.devkit.vendors.wire import streamed

NAME: Final = "anthropic"
_REQUIRED: Final = {"model", "messages", "max_tokens"}
_OPTIONAL: Final = frozenset(
    "system stream tools tool_choice temperature top_p top_k stop_sequences metadata".split()  # noqa: SIM905
)
_ERRORS: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}


class AnthropicMessages:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/anthropic/v1/messages", self._create)]

    async def _create(self, request: web.Request) -> web.StreamResponse:
        self._desk.counts[f"{NAME}.requests"] += 1
        fault = self._desk.faults.take(NAME)
        # The vendor's documents name the one header, its library sends the other.
        key = request.headers.get("x-api-key") or request.headers.get("Authorization")
        if not key or not request.headers.get("anthropic-version"):
            self._desk.wrong(NAME, "no key, or no anthropic-version")
            return _refusal(401)
        if status := refuses(fault):
            return _refusal(529 if status == 503 else status)
        try:
            body = json.loads(await request.read())
        except ValueError:
            body = None
        if what := _wrong(body):
            self._desk.wrong(NAME, what)
            return _refusal(400)
        self._desk.requests.append(body)
        tools = [tool["name"] for tool in body.get("tools", ())]
        said = [Message("system", body.get("system", "")), *_messages(body)]
        thought = self._desk.mind.think(said, tools)
        return await streamed(request, fault, "text/event-stream", self._events(thought))

    async def _events(self, thought: Thought) -> AsyncIterator[str]:
        usage = {"input_tokens": 9, "output_tokens": 1}
        message = {"id": "m1", "type": "message", "role": "assistant", "content": [], "usage": usage}
        yield _event("message_start", message=message)
        yield _event("content_block_start", index=0, content_block={"type": "text", "text": ""})
        yield _event("ping")
        for word in re.findall(r"\S+\s*", thought.say):
            await asyncio.sleep(self._desk.token_delay_s)
            yield _event("content_block_delta", index=0, delta={"type": "text_delta", "text": word})
        yield _event("content_block_stop", index=0)
        if thought.tool:
            block = {"type": "tool_use", "id": "tu_1", "name": thought.tool, "input": {}}
            yield _event("content_block_start", index=1, content_block=block)
            # Without arguments there is not even a pair of braces.
            written = json.dumps(thought.arguments) if thought.arguments else ""
            for piece in (written[:3], written[3:]):
                yield _event(
                    "content_block_delta", index=1, delta={"type": "input_json_delta", "partial_json": piece}
                )
            yield _event("content_block_stop", index=1)
        reason = "tool_use" if thought.tool else "end_turn"
        yield _event("message_delta", delta={"stop_reason": reason}, usage={"output_tokens": 5})
        yield _event("message_stop")


def _wrong(body: Any) -> str:
    if not isinstance(body, dict):
        return "the body is no JSON object"
    if missing := _REQUIRED - body.keys():
        return f"the body misses {', '.join(sorted(missing))}"
    if unknown := body.keys() - _REQUIRED - _OPTIONAL:
        return f"the body has unknown fields {', '.join(sorted(unknown))}"
    if body.get("stream") is not True:
        return "only streams are simulated"
    roles = [message.get("role") for message in body["messages"]]
    if not roles or roles[0] != "user" or any(role not in ("user", "assistant") for role in roles):
        return "messages are of user and assistant, and the user begins"
    if any(not message.get("content") for message in body["messages"]):
        return "a message of nothing"
    if what := _wrong_blocks(body["messages"]):
        return what
    if any(tool.keys() - {"name", "description", "input_schema"} for tool in body.get("tools", ())):
        return "a tool with unknown fields"
    return ""


def _wrong_blocks(messages: list[dict[str, Any]]) -> str:
    """What tools were called for is answered in the very next message."""
    called: set[str] = set()
    for message in messages:
        blocks = message["content"] if isinstance(message["content"], list) else []
        answered = {block["tool_use_id"] for block in blocks if block["type"] == "tool_result"}
        if answered != called:
            return "calls of tools, and results, that do not belong together"
        called = {block["id"] for block in blocks if block["type"] == "tool_use"}
        if any(block["type"] == "text" and not block["text"] for block in blocks):
            return "a block of nothing"
    return "a call of a tool without its result" if called else ""


def _messages(body: dict[str, Any]) -> list[Message]:
    names: dict[str, str] = {}
    found = []
    for message in body["messages"]:
        content = message["content"]
        for block in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            match block["type"]:
                case "tool_use":
                    names[block["id"]] = block["name"]
                case "tool_result":
                    found.append(Message("tool", block["content"], names[block["tool_use_id"]]))
                case _:
                    found.append(Message(message["role"], block["text"]))
    return found


def _refusal(status: int) -> web.Response:
    error = {"type": _ERRORS.get(status, "api_error"), "message": "x"}
    return web.json_response({"type": "error", "error": error}, status=status)


def _event(name: str, **data: Any) -> str:
    return f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n"

"""Cloudflare Workers AI by its own protocol, ``/ai/run``; the compatible endpoint is with the chat completions."""

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

NAME: Final = "cloudflare-native"
_FIELDS: Final = frozenset(
    "messages prompt stream tools max_tokens temperature top_p options response_format seed".split()  # noqa: SIM905
)
#: Load, and a spent allocation, are both 429; only the code tells them apart.
CODES: Final = {429: 3040, 402: 3036, 400: 5004, 401: 10000, 503: 3040, 500: 3000}


def refusal(status: int) -> web.Response:
    code = CODES.get(status, 3000)
    status = 429 if code in (3040, 3036) else status
    body = {"success": False, "errors": [{"code": code, "message": "x"}], "result": None, "messages": []}
    return web.json_response(body, status=status)


class WorkersAiRun:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/cloudflare/accounts/{account}/ai/run/@cf/meta/{model}", self._run)]

    async def _run(self, request: web.Request) -> web.StreamResponse:
        self._desk.counts[f"{NAME}.requests"] += 1
        fault = self._desk.faults.take(NAME)
        if not request.headers.get("Authorization", "").startswith("Bearer "):
            self._desk.wrong(NAME, "no Authorization: Bearer")
            return refusal(401)
        if status := refuses(fault):
            return refusal(status)
        try:
            body: Any = json.loads(await request.read())
        except ValueError:
            body = None
        if not isinstance(body, dict) or body.keys() - _FIELDS or body.get("stream") is not True:
            self._desk.wrong(NAME, "the body is not of the form of a stream")
            return refusal(400)
        self._desk.requests.append(body)
        said = [Message(m["role"], m["content"], m.get("name", "")) for m in body["messages"]]
        tools = [tool["function"]["name"] for tool in body.get("tools", ())]
        thought = self._desk.mind.think(said, tools)
        return await streamed(request, fault, "text/event-stream", self._payloads(thought))

    async def _payloads(self, thought: Thought) -> AsyncIterator[str]:
        for word in re.findall(r"\S+\s*", thought.say):
            await asyncio.sleep(self._desk.token_delay_s)
            # A token that is a number comes as one.
            text: Any = int(word) if word.isdigit() else word
            yield _event({"response": text, "p": "abcd"})
        if thought.tool:
            yield _event(
                {
                    "response": None,
                    "tool_calls": [{"name": thought.tool, "arguments": thought.arguments or {}}],
                }
            )
        yield _event(
            {"response": "", "usage": {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}}
        )
        yield "data: [DONE]\n\n"


def _event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data)}\n\n"

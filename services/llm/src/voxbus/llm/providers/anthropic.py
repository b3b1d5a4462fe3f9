"""Anthropic's Messages, streamed."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Final

from voxbus.common.errors import ProviderError
from voxbus.common.providers import http
from voxbus.llm.core_anthropic import EventReader, prompt_of, tools_of
from voxbus.llm.core_effects import DO_NOT_CALL, schemas
from voxbus.llm.providers.base import Delta, Finish, Generation, Request, Text, ToolCall, Usage
from voxbus.llm.providers.sse import payloads

DEFAULT_MODEL: Final = "claude-haiku-4-5"
#: Pinned: a later version takes no sampling parameters.
_VERSION: Final = "2023-06-01"


class Anthropic:
    name = "anthropic"
    deterministic = False

    def __init__(self, base_url: str, api_key: str, model: str, generation: Generation) -> None:
        self.model = model or DEFAULT_MODEL
        self._generation = generation
        headers = {"x-api-key": api_key, "anthropic-version": _VERSION, "Accept": "text/event-stream"}
        self._http = http.client(base_url, headers, connect_s=generation.connect_s)

    async def warm(self) -> None:
        await http.warm(self._http)

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        reader = EventReader()
        async with http.posted(self._http, "messages", json=self._body(request)) as response:
            async for payload in payloads(response):
                if text := reader.read(payload):
                    yield Text(text)
                if DO_NOT_CALL in reader.tool_names():
                    yield ToolCall(DO_NOT_CALL, {})
        if not reader.done:
            raise ProviderError("cut_off", "the stream ended before the reply")
        for call in reader.tool_calls():
            yield ToolCall(call.name, call.arguments, call.malformed)
        yield Finish(reader.finish)
        yield Usage(reader.input_tokens, reader.output_tokens)

    async def close(self) -> None:
        await self._http.aclose()

    def _body(self, request: Request) -> dict[str, Any]:
        system, messages = prompt_of(request.messages)
        body: dict[str, Any] = {
            "model": request.model or self.model,
            "max_tokens": self._generation.max_tokens,
            "system": system,
            "messages": messages,
            "tools": tools_of(schemas(request.agent, request.tools)),
            "stream": True,
        }
        if self._generation.temperature is not None:
            body["temperature"] = self._generation.temperature
        return body

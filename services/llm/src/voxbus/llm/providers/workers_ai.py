"""Cloudflare Workers AI by its own protocol, ``/ai/run``. The compatible endpoint is the ``openai`` protocol's."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Final

from voxbus.common.errors import ProviderError
from voxbus.common.providers import http
from voxbus.llm.core_effects import DO_NOT_CALL, schemas
from voxbus.llm.core_workers_ai import RunReader, run_messages
from voxbus.llm.providers.base import Delta, Finish, Generation, Request, Text, ToolCall, Usage
from voxbus.llm.providers.sse import payloads

DEFAULT_MODEL: Final = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
#: Without it a request waits in a queue for capacity; a caller would rather have the next provider.
OPTIONS: Final = {"rejectIfBusy": True}


class WorkersAi:
    name = "cloudflare-native"
    deterministic = False

    def __init__(self, base_url: str, account: str, token: str, model: str, generation: Generation) -> None:
        self.model = model or DEFAULT_MODEL
        self._generation = generation
        headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
        url = f"{base_url.rstrip('/')}/accounts/{account}/ai"
        self._http = http.client(url, headers, connect_s=generation.connect_s)

    async def warm(self) -> None:
        await http.warm(self._http)

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        reader = RunReader()
        path = f"run/{request.model or self.model}"
        async with http.posted(self._http, path, json=self._body(request)) as response:
            async for payload in payloads(response):
                if text := reader.read(payload):
                    yield Text(text)
                if DO_NOT_CALL in reader.tool_names():
                    yield ToolCall(DO_NOT_CALL, {})
        if not reader.done:
            raise ProviderError("cut_off", "the stream ended before the reply")
        calls = reader.tool_calls()
        for call in calls:
            yield ToolCall(call.name, call.arguments, call.malformed)
        # It does not say why it stopped; a reply of the longest length was cut.
        cut = reader.output_tokens >= self._generation.max_tokens
        yield Finish("tool_calls" if calls else "length" if cut else "stop")
        yield Usage(reader.input_tokens, reader.output_tokens)

    async def close(self) -> None:
        await self._http.aclose()

    def _body(self, request: Request) -> dict[str, Any]:
        body: dict[str, Any] = {
            "messages": run_messages(request.messages),
            "tools": schemas(request.agent, request.tools),
            "max_tokens": self._generation.max_tokens,
            "stream": True,
            "options": OPTIONS,
        }
        if self._generation.temperature is not None:
            body["temperature"] = self._generation.temperature
        return body

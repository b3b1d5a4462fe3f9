"""Any server of OpenAI-compatible chat completions: the vendor itself, others, a gateway, a model on this machine.

One client for the life of the process, so that no call pays for a TLS context, and few for a handshake. Nothing is
retried here: on a phone the next provider, or the fallback line, is sooner than a second try.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any

from voxbus.common.errors import ProviderError
from voxbus.common.providers import http
from voxbus.common.providers.accounts import OPENAI_URL
from voxbus.llm.core_chunks import ReplyReader, chat_messages
from voxbus.llm.core_effects import DO_NOT_CALL, schemas
from voxbus.llm.providers.base import Delta, Finish, Generation, Request, Text, ToolCall, Usage
from voxbus.llm.providers.sse import payloads


@dataclass(frozen=True)
class OpenAiConfig:
    """``name``: of the preset that these are the values of. ``options``: what a server takes besides."""

    base_url: str = OPENAI_URL
    api_key: str = ""
    model: str = "gpt-4o-mini"
    generation: Generation = field(default_factory=Generation)
    name: str = "openai"
    options: Mapping[str, bool] | None = None


class OpenAi:
    deterministic = False

    def __init__(self, config: OpenAiConfig) -> None:
        self.name = config.name
        self.model = config.model
        self._config = config
        headers = {"Accept": "text/event-stream"}
        if config.api_key:
            headers["Authorization"] = f"Bearer {config.api_key}"
        self._http = http.client(config.base_url, headers, connect_s=config.generation.connect_s)

    async def warm(self) -> None:
        await http.warm(self._http)

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        reader = ReplyReader()
        finished = False
        async with http.posted(self._http, "chat/completions", json=self._body(request)) as response:
            # To the end, also after the last payload: a response that was not read up costs its connection.
            async for payload in payloads(response):
                if text := reader.read(payload):
                    yield Text(text)
                if DO_NOT_CALL in reader.tool_names():
                    yield ToolCall(DO_NOT_CALL, {})
                if not finished and (reader.finish or reader.done):
                    finished = True
                    for call in reader.tool_calls():
                        yield ToolCall(call.name, call.arguments, call.malformed)
                    yield Finish(reader.finish or "stop")
        if not finished:
            raise ProviderError("cut_off", "the stream ended before the reply")
        # Comes last, in a chunk of its own, and not from every server.
        if reader.input_tokens or reader.output_tokens:
            yield Usage(reader.input_tokens, reader.output_tokens)

    async def close(self) -> None:
        await self._http.aclose()

    def _body(self, request: Request) -> dict[str, Any]:
        config = self._config
        body: dict[str, Any] = {
            "model": request.model or config.model,
            "messages": chat_messages(request.messages),
            "stream": True,
            "stream_options": {"include_usage": True},
            "tools": schemas(request.agent, request.tools),
            # The vendor's newer models know only the new name, many compatible servers only the old one.
            "max_completion_tokens"
            if config.base_url == OPENAI_URL
            else "max_tokens": config.generation.max_tokens,
        }
        if config.options is not None:
            body["options"] = dict(config.options)
        if config.generation.temperature is not None:
            body["temperature"] = config.generation.temperature
        return body

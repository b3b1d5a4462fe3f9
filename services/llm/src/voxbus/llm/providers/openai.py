"""Any server of OpenAI-compatible chat completions: the vendor itself, a gateway, a model on this machine.

One client for the life of the process, so that no call pays for a TLS context, and few for a handshake. Nothing is
retried here: on a phone the next provider, or the fallback line, is sooner than a second try.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

import httpx

from voxbus.common.errors import ProviderError
from voxbus.llm.core_chunks import ReplyReader, SseParser, error_in
from voxbus.llm.core_tools import schemas
from voxbus.llm.providers.base import Delta, Finish, Request, Text, ToolCall, Usage

VENDOR_URL: Final = "https://api.openai.com/v1"
#: Longer than a caller thinks, so that the next turn finds the connection open.
_KEEP_ALIVE_S: Final = 120.0
#: An error's body is read up to here; the codes stand at its beginning.
_MAX_ERROR_BYTES: Final = 64_000


@dataclass(frozen=True)
class OpenAiConfig:
    base_url: str = VENDOR_URL
    api_key: str = ""
    model: str = "gpt-4o-mini"
    max_tokens: int = 300
    temperature: float | None = None
    connect_timeout_s: float = 3.0


class OpenAi:
    name = "openai"
    deterministic = False

    def __init__(self, config: OpenAiConfig) -> None:
        self._config = config
        self._url = config.base_url.rstrip("/") + "/chat/completions"
        headers = {"Accept": "text/event-stream"}
        if config.api_key:
            headers["Authorization"] = f"Bearer {config.api_key}"
        self._client = httpx.AsyncClient(
            headers=headers,
            # Only connecting has a limit of its own: deadlines of the reply are the service's.
            timeout=httpx.Timeout(None, connect=config.connect_timeout_s),
            limits=httpx.Limits(max_connections=None, keepalive_expiry=_KEEP_ALIVE_S),
            verify=ssl.create_default_context() if self._url.startswith("https:") else True,
        )

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        reader = ReplyReader()
        finished = False
        try:
            async with self._client.stream("POST", self._url, json=self._body(request)) as response:
                if response.status_code != 200:
                    raise await _refusal(response)
                # To the end, also after the last payload: a response that was not read up costs its connection.
                async for payload in _payloads(response):
                    if text := reader.read(payload):
                        yield Text(text)
                    if not finished and (reader.finish or reader.done):
                        finished = True
                        for call in reader.tool_calls():
                            yield ToolCall(call.name, call.arguments)
                        yield Finish(reader.finish or "stop")
        except httpx.TimeoutException:
            raise ProviderError("connection", "no connection in time") from None
        except httpx.HTTPError as error:
            # The name alone: the message may hold the URL, and with it a key.
            raise ProviderError("connection", type(error).__name__) from None
        if not finished:
            raise ProviderError("cut_off", "the stream ended before the reply")
        # Comes last, in a chunk of its own, and not from every server.
        if reader.input_tokens or reader.output_tokens:
            yield Usage(reader.input_tokens, reader.output_tokens)

    async def close(self) -> None:
        await self._client.aclose()

    def _body(self, request: Request) -> dict[str, Any]:
        config = self._config
        body: dict[str, Any] = {
            "model": request.model or config.model,
            "messages": [{"role": m.role, "content": m.text} for m in request.messages],
            "stream": True,
            "stream_options": {"include_usage": True},
            "tools": schemas(request.agent),
            # The vendor's newer models know only the new name, many compatible servers only the old one.
            "max_completion_tokens" if config.base_url == VENDOR_URL else "max_tokens": config.max_tokens,
        }
        if config.temperature is not None:
            body["temperature"] = config.temperature
        return body


async def _payloads(response: httpx.Response) -> AsyncIterator[str]:
    parser = SseParser()
    async for chunk in response.aiter_bytes():
        for payload in parser.feed(chunk):
            yield payload
    for payload in parser.flush():
        yield payload


async def _refusal(response: httpx.Response) -> ProviderError:
    data = b""
    async for chunk in response.aiter_bytes():
        data += chunk
        if len(data) > _MAX_ERROR_BYTES:
            break
    try:
        body = json.loads(data)
    except ValueError:
        body = None
    return error_in(body, status=response.status_code)

"""The payloads of a response that streams server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx

from voxbus.llm.core_chunks import SseParser


async def payloads(response: httpx.Response) -> AsyncIterator[str]:
    parser = SseParser()
    async for chunk in response.aiter_bytes():
        for payload in parser.feed(chunk):
            yield payload
    for payload in parser.flush():
        yield payload

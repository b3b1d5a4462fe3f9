"""The agent's own scripted dialogue as a provider: deterministic, instant, no keys. It says of itself what it is."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator

from voxbus.llm.core_dialogue import answer
from voxbus.llm.core_effects import DO_NOT_CALL, END_CALL, TRANSFER_CALL
from voxbus.llm.providers.base import Delta, Finish, Request, Text, ToolCall


class Scripted:
    """``token_delay_ms``: a pause before each word, to act like a model where a demonstration needs one."""

    name = "scripted"
    model = ""
    deterministic = True

    def __init__(self, token_delay_ms: float = 0.0) -> None:
        self._token_delay_s = token_delay_ms / 1000

    async def warm(self) -> None:
        return None

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        given = answer(request.agent, request.conversation, [tool.name for tool in request.tools])
        if given.reply.action == "do_not_call":  # before the words: nobody may hear these to their end
            yield ToolCall(DO_NOT_CALL, {})
        if given.arguments is not None:
            yield ToolCall(given.reply.tool, given.arguments)
            yield Finish("tool_calls")
            return
        for part in re.findall(r"\S+\s*", given.say) if self._token_delay_s else [given.say]:
            if self._token_delay_s:
                await asyncio.sleep(self._token_delay_s)
            yield Text(part)
        match given.reply.action:
            case "end_call":
                yield ToolCall(END_CALL, {})
            case "transfer_call":
                yield ToolCall(TRANSFER_CALL, {"target": given.reply.target})
        yield Finish("stop")

    async def close(self) -> None:
        return None

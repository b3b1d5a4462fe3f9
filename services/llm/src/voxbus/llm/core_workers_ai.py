"""Workers AI's own stream, ``/ai/run``: no roles, no indices, ``[DONE]`` at its end.

Seen there: padding in a field of its own, numbers where text was generated, arguments of tools as objects.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from voxbus.common.providers.failures import error_in
from voxbus.common.providers.frames import frame
from voxbus.llm.core_chat import Message
from voxbus.llm.core_chunks import Call, call_of


class RunReader:
    """One reply. ``read`` gives the text of each payload; the rest is there at the end."""

    def __init__(self) -> None:
        self.done = False
        self.input_tokens = 0
        self.output_tokens = 0
        self._tools: list[Call] = []

    def read(self, payload: str) -> str:
        """Raises ProviderError for an error in place of text, and for what is no payload."""
        if payload.strip() == "[DONE]":
            self.done = True
            return ""
        told = frame(payload)
        if told.get("errors") or told.get("error"):
            raise error_in(told)
        usage = told.get("usage")
        if isinstance(usage, dict):
            self.input_tokens = int(usage.get("prompt_tokens") or 0)
            self.output_tokens = int(usage.get("completion_tokens") or 0)
        for call in told.get("tool_calls") or ():
            self._take_tool(call)
        text = told.get("response")
        return "" if text is None else str(text)

    def tool_names(self) -> list[str]:
        return [call.name for call in self._tools]

    def tool_calls(self) -> list[Call]:
        return self._tools

    def _take_tool(self, call: Any) -> None:
        if not isinstance(call, dict):
            return
        inner = call.get("function")
        function = inner if isinstance(inner, dict) else call
        self._tools.append(call_of(str(function.get("name", "")), function.get("arguments")))


def run_messages(messages: Sequence[Message]) -> list[dict[str, str]]:
    """Content is text there, and a message has no calls: they are written as the model writes them."""
    return [_run_message(message) for message in messages]


def _run_message(message: Message) -> dict[str, str]:
    if message.call is not None:
        return {"role": "tool", "name": message.call.name, "content": message.text}
    calls = [{"name": call.name, "arguments": dict(call.arguments)} for call in message.calls]
    text = f"{message.text}\n{json.dumps(calls)}".strip() if calls else message.text
    return {"role": message.role, "content": text}

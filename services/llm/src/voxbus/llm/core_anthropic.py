"""Anthropic's Messages: our messages and tools in its form, its stream of events as ours.

The system prompt stands apart, turns alternate, and the user speaks first: an agent that greets has been called.
``usage`` is cumulative, a tool's arguments come in pieces and may be none at all, an error may come inside a 200.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from voxbus.common.errors import ProviderError
from voxbus.common.providers.failures import error_in
from voxbus.common.providers.frames import frame
from voxbus.llm.core_chat import Message
from voxbus.llm.core_chunks import Call, FinishReason, call_of

_CALLED: Final = "(The caller is on the line.)"
_FINISHED: Final[dict[str, FinishReason]] = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


def prompt_of(messages: Sequence[Message]) -> tuple[str, list[dict[str, Any]]]:
    """The system prompt, and the rest. What the system says later is said by the user: only so is it the last word.
    What tools answered is the user's, too.
    """
    system = messages[0].text if messages and messages[0].role == "system" else ""
    rest: list[dict[str, Any]] = []
    for message in messages[1:] if system else messages:
        role = "assistant" if message.role == "assistant" else "user"
        if not rest and role == "assistant":
            rest.append({"role": "user", "content": _CALLED})
        content = _content(message)
        if rest and rest[-1]["role"] == role:
            rest[-1]["content"] = _joined(rest[-1]["content"], content)
        else:
            rest.append({"role": role, "content": content})
    return system, rest


_Content = str | list[dict[str, Any]]


def _content(message: Message) -> _Content:
    if message.call is not None:
        return [{"type": "tool_result", "tool_use_id": message.call.id, "content": message.text}]
    if not message.calls:
        return message.text
    calls = [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": dict(call.arguments)}
        for call in message.calls
    ]
    return [*_blocks(message.text), *calls]


def _joined(before: _Content, after: _Content) -> _Content:
    if isinstance(before, str) and isinstance(after, str):
        return f"{before}\n{after}"
    return [*_blocks(before), *_blocks(after)]


def _blocks(content: _Content) -> list[dict[str, Any]]:
    if isinstance(content, list):
        return content
    return [{"type": "text", "text": content}] if content else []


def tools_of(schemas: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """From the form of chat completions."""
    functions = [schema["function"] for schema in schemas]
    return [
        {"name": f["name"], "description": f["description"], "input_schema": f["parameters"]}
        for f in functions
    ]


@dataclass
class _Block:
    name: str
    arguments: str = ""


class EventReader:
    """One reply. ``read`` gives the text of each event; the rest is there at the end."""

    def __init__(self) -> None:
        self.done = False
        self.finish: FinishReason = "stop"
        self.input_tokens = 0
        self.output_tokens = 0
        self._tools: dict[int, _Block] = {}

    def read(self, payload: str) -> str:
        """Raises ProviderError for an error event, and for what is no event. Unknown ones are nothing."""
        event = frame(payload)
        match event.get("type"):
            case "message_start":
                self._count(_object(event, "message").get("usage"))
            case "content_block_start":
                block = _object(event, "content_block")
                if block.get("type") == "tool_use":
                    self._tools[_index(event)] = _Block(str(block.get("name", "")))
            case "content_block_delta":
                return self._delta(_index(event), _object(event, "delta"))
            case "message_delta":
                self._count(event.get("usage"))
                reason = _object(event, "delta").get("stop_reason")
                self.finish = _FINISHED.get(str(reason), "stop")
            case "message_stop":
                self.done = True
            case "error":
                raise error_in(event)
        return ""

    def tool_names(self) -> list[str]:
        """Of the calls so far, whole or not."""
        return [block.name for block in self._tools.values()]

    def tool_calls(self) -> list[Call]:
        return [call_of(block.name, block.arguments) for _, block in sorted(self._tools.items())]

    def _delta(self, index: int, delta: dict[str, Any]) -> str:
        if delta.get("type") == "input_json_delta" and index in self._tools:
            self._tools[index].arguments += str(delta.get("partial_json", ""))
        return str(delta.get("text", "")) if delta.get("type") == "text_delta" else ""

    def _count(self, usage: Any) -> None:
        if isinstance(usage, dict):
            self.input_tokens = int(usage.get("input_tokens") or self.input_tokens)
            self.output_tokens = int(usage.get("output_tokens") or self.output_tokens)


def _object(event: dict[str, Any], name: str) -> dict[str, Any]:
    found = event.get(name)
    if not isinstance(found, dict):
        raise ProviderError("malformed", "an event without its contents")
    return found


def _index(event: dict[str, Any]) -> int:
    index = event.get("index")
    return index if isinstance(index, int) else 0

"""Reads the stream of a chat completion: bytes to payloads, payloads to deltas, errors to ProviderErrors.

Tolerant where servers differ (PROTOCOLS: OpenAI, Together, Cloudflare): usage comes in a chunk without choices, an
error may come inside a 200, content may be a number, ``finish_reason`` may be ``eos``, arguments may be an object.
Strict where text would be lost: a payload that is not JSON, and a stream that ends before the reply has.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from voxbus.common.errors import ProviderError
from voxbus.common.json_text import loads
from voxbus.common.providers.failures import error_in
from voxbus.common.providers.frames import frame
from voxbus.llm.core_chat import Message

_MAX_EVENT_BYTES: Final = 1 << 20
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]
_FINISHED: Final[dict[str, FinishReason]] = {
    "length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


class SseParser:
    """Server-sent events: bytes in, the ``data`` of complete events out.

    Lines end as the specification says and nowhere else: a U+2028 inside a JSON string is text.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> list[str]:
        self._rest += chunk
        if len(self._rest) > _MAX_EVENT_BYTES:
            raise ProviderError("malformed", "an event of more than a megabyte")
        # A "\r" at the end may be half of a "\r\n": it waits.
        held = b"\r" if self._rest.endswith(b"\r") else b""
        *lines, rest = _LINE_END.split(self._rest.removesuffix(b"\r"))
        self._rest = rest + held
        return [event for line in lines for event in self._take(line)]

    def flush(self) -> list[str]:
        """The last event of a stream that forgot its empty line."""
        rest, self._rest = self._rest.removesuffix(b"\r"), b""
        return [*self._take(rest), *self._take(b"")]

    def _take(self, line: bytes) -> Iterator[str]:
        if not line:
            data, self._data = b"\n".join(self._data), []
            if data:
                yield data.decode("utf-8", "replace")
        elif line.startswith(b"data:"):
            self._data.append(line[5:].removeprefix(b" "))


@dataclass
class _Tool:
    name: str = ""
    arguments: str = ""


@dataclass(frozen=True)
class Call:
    """``malformed``: the model wrote arguments that are no object of JSON. It is told so, and has none."""

    name: str
    arguments: dict[str, Any]
    malformed: bool = False


class _Tools:
    """The calls of a reply, from their pieces. Servers leave out the index, or give all calls the same: where a name
    comes with a new id, another call begins.
    """

    def __init__(self) -> None:
        self._calls: dict[tuple[int, int], _Tool] = {}
        self._by_id: dict[str, tuple[int, int]] = {}
        self._latest: dict[int, tuple[int, int]] = {}  # by index
        self._index = 0

    def __iter__(self) -> Iterator[_Tool]:
        return (call for _, call in sorted(self._calls.items()))

    def take(self, piece: dict[str, Any], position: int | None) -> None:
        """``position``: among the pieces of its chunk; None = it is the only one."""
        function = piece.get("function")
        if not isinstance(function, dict):
            return
        name = str(function.get("name") or "")
        call = self._calls.setdefault(self._place(piece, name, position), _Tool())
        call.name = call.name or name
        arguments = function.get("arguments")
        if isinstance(arguments, dict):
            call.arguments = json.dumps(arguments)
        elif arguments is not None:
            call.arguments += str(arguments)

    def _place(self, piece: dict[str, Any], name: str, position: int | None) -> tuple[int, int]:
        given, called = piece.get("index"), str(piece.get("id") or "")
        if called in self._by_id:
            place = self._by_id[called]
            self._index, self._latest[place[0]] = place[0], place
            return place
        if given is not None:
            self._index = _int(given)
        elif position is not None:
            self._index = position
        index = self._index
        place = self._latest.get(index, (index, 0))
        if called and name and place in self._calls and self._calls[place].name:
            place = index, place[1] + 1
        self._latest[index] = place
        if called:
            self._by_id[called] = place
        return place


class ReplyReader:
    """One reply. ``read`` gives the text of each payload; the rest is there at the end."""

    def __init__(self) -> None:
        self.done = False
        self.finish: FinishReason | None = None
        self.input_tokens = 0
        self.output_tokens = 0
        self._tools = _Tools()

    def read(self, payload: str) -> str:
        """Raises ProviderError for an error in place of a chunk, and for what is no chunk at all."""
        if payload.strip() == "[DONE]":
            self.done = True
            return ""
        chunk = frame(payload)
        if chunk.get("error"):
            raise error_in(chunk)
        self._take_usage(chunk.get("usage"))
        return "".join(self._take_choice(choice) for choice in _list(chunk.get("choices")))

    def tool_names(self) -> list[str]:
        """Of the calls so far, whole or not."""
        return [tool.name for tool in self._tools]

    def tool_calls(self) -> list[Call]:
        return [call_of(tool.name, tool.arguments) for tool in self._tools]

    def _take_usage(self, usage: Any) -> None:
        if isinstance(usage, dict):
            self.input_tokens = _int(usage.get("prompt_tokens"))
            self.output_tokens = _int(usage.get("completion_tokens"))

    def _take_choice(self, choice: Any) -> str:
        if not isinstance(choice, dict) or _int(choice.get("index")):
            return ""
        reason = choice.get("finish_reason")
        if reason:
            self.finish = _FINISHED.get(str(reason), "stop")
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            return ""
        calls = [call for call in _list(delta.get("tool_calls")) if isinstance(call, dict)]
        for position, call in enumerate(calls):
            self._tools.take(call, position if len(calls) > 1 else None)
        if delta.get("function_call"):  # the older form
            self._tools.take({"index": 0, "function": delta["function_call"]}, None)
        return _text(delta.get("content"))


def chat_messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """In the form of chat completions."""
    return [_chat_message(message) for message in messages]


def _chat_message(message: Message) -> dict[str, Any]:
    if message.call is not None:
        return {"role": "tool", "tool_call_id": message.call.id, "content": message.text}
    if not message.calls:
        return {"role": message.role, "content": message.text}
    calls = [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": json.dumps(dict(call.arguments))},
        }
        for call in message.calls
    ]
    return {"role": "assistant", "content": message.text or None, "tool_calls": calls}


def _text(content: Any) -> str:
    if isinstance(content, list):  # parts
        return "".join(_text(part.get("text")) for part in content if isinstance(part, dict))
    return "" if content is None else str(content)


def call_of(name: str, given: Any) -> Call:
    """``given``: the arguments, as JSON or as an object; nothing at all is none."""
    try:
        arguments = loads(given or "{}") if isinstance(given, str) else given
    except ValueError:
        return Call(name, {}, malformed=True)
    if arguments is None:
        return Call(name, {})
    return Call(name, arguments) if isinstance(arguments, dict) else Call(name, {}, malformed=True)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _int(value: Any) -> int:
    return int(value) if isinstance(value, int | float) else 0

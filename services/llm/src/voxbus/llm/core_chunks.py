"""Reads the stream of a chat completion: bytes to payloads, payloads to deltas, errors to ProviderErrors.

Tolerant where servers differ (PROTOCOLS: OpenAI, Together, Cloudflare): usage comes in a chunk without choices, an
error may come inside a 200, content may be a number, ``finish_reason`` may be ``eos``, arguments may be an object.
Strict where text would be lost: a payload that is not JSON, and a stream that ends before the reply has.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from voxbus.common.errors import ProviderError
from voxbus.common.providers.failures import error_in
from voxbus.common.providers.frames import frame

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
    name: str
    arguments: dict[str, str]


class ReplyReader:
    """One reply. ``read`` gives the text of each payload; the rest is there at the end."""

    def __init__(self) -> None:
        self.done = False
        self.finish: FinishReason | None = None
        self.input_tokens = 0
        self.output_tokens = 0
        self._tools: dict[int, _Tool] = {}

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

    def tool_calls(self) -> list[Call]:
        """Raises ProviderError when the arguments of one are not an object."""
        return [Call(tool.name, arguments_of(tool.arguments)) for _, tool in sorted(self._tools.items())]

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
        for position, call in enumerate(_list(delta.get("tool_calls"))):
            if isinstance(call, dict):
                index = call.get("index")
                self._take_tool(position if index is None else _int(index), call.get("function"))
        if delta.get("function_call"):  # the older form
            self._take_tool(0, delta["function_call"])
        return _text(delta.get("content"))

    def _take_tool(self, index: int, function: Any) -> None:
        if not isinstance(function, dict):
            return
        tool = self._tools.setdefault(index, _Tool())
        tool.name = tool.name or str(function.get("name") or "")
        arguments = function.get("arguments")
        if isinstance(arguments, dict):
            tool.arguments = json.dumps(arguments)
        elif arguments is not None:
            tool.arguments += str(arguments)


def _text(content: Any) -> str:
    if isinstance(content, list):  # parts
        return "".join(_text(part.get("text")) for part in content if isinstance(part, dict))
    return "" if content is None else str(content)


def arguments_of(given: Any) -> dict[str, str]:
    """A tool's arguments, as JSON or as an object. Raises ProviderError when they are neither."""
    try:
        arguments = json.loads(given or "{}") if isinstance(given, str) else given
    except ValueError:
        raise ProviderError("malformed", "tool arguments that are not JSON") from None
    if not isinstance(arguments, dict):
        raise ProviderError("malformed", "tool arguments that are no object")
    return {str(name): _text(value) for name, value in arguments.items()}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _int(value: Any) -> int:
    return int(value) if isinstance(value, int | float) else 0

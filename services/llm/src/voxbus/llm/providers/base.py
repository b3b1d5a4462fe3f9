"""What every provider of replies looks like, and the words it is spoken to in."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from voxbus.common.agents import Agent, Tool
from voxbus.llm.core_chat import Message
from voxbus.llm.core_dialogue import Said


@dataclass(frozen=True)
class Request:
    """``messages`` for a model, ``conversation`` (all that the caller said, unbounded) for the scripted dialogue.

    ``model``: empty = the provider's own. ``tools``: of the agent's own, those that may be called now.
    """

    agent: Agent
    messages: tuple[Message, ...]
    conversation: tuple[Said, ...]
    model: str = ""
    tools: tuple[Tool, ...] = ()


@dataclass(frozen=True)
class Generation:
    """What is asked of every reply. ``temperature``: None = the server's. ``connect_s``: to open a connection."""

    max_tokens: int = 300
    temperature: float | None = None
    connect_s: float = 3.0


@dataclass(frozen=True)
class Text:
    text: str


@dataclass(frozen=True)
class ToolCall:
    """A whole call: its arguments have all arrived. Nobody has looked yet whether they are what the tool wants.

    ``malformed``: they were no object at all. ``do_not_call`` comes as soon as it is named, and maybe more
    than once.
    """

    name: str
    arguments: Mapping[str, Any]
    malformed: bool = False


@dataclass(frozen=True)
class Usage:
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True)
class Finish:
    """Why the reply ended: all of its text and tool calls came before. At most usage follows."""

    reason: Literal["stop", "length", "tool_calls", "content_filter"] = "stop"

    @property
    def cut(self) -> bool:
        """The text may end anywhere, in a word or a number."""
        return self.reason in ("length", "content_filter")


Delta = Text | ToolCall | Usage | Finish


class Provider(Protocol):
    """``deterministic``: the same request gives the same reply, so that one that broke off can be said again from the
    beginning and what is in the log already left out. ``model``: what answers when the request names none; may be
    empty.
    """

    name: str
    model: str
    deterministic: bool

    async def warm(self) -> None:
        """A call has begun: a connection may be opened for its first turn. Never raises."""

    def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        """The reply as it comes. Raises ProviderError; a stream that ends without ``Finish`` was cut off.

        Deadlines are the caller's: it closes the generator, and with it goes the request.
        """

    async def close(self) -> None: ...

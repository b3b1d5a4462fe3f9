"""What a recognizer that streams has to say for itself: where it is, and how to speak there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlencode

from voxbus.common.agents import Agent
from voxbus.stt.core_stream import Heard

Message = str | bytes


class Dialect(Protocol):
    """One connection's worth of a protocol. Pure, and used once: a new connection has a new one."""

    #: After so long without audio ``idle`` is sent.
    idle_s: float
    #: Whether it answers when it is asked for what it has (``Heard.flushed``).
    flushes: bool
    #: How long a turn that is over waits for its last words.
    last_words_s: float

    def opening(self) -> Sequence[Message]:
        """What is said first."""

    def audio(self, mulaw: bytes) -> Message:
        """Audio of the caller, as the provider takes it."""

    def idle(self) -> tuple[Message, int]:
        """What keeps the line open and turns going, and for how many bytes of mu-law it counts on the line."""

    def end_turn(self, *, begun: bool) -> Sequence[Message]:
        """The turn is over, says somebody else than the provider. ``begun``: words of it were heard."""

    def look(self) -> Sequence[Message]:
        """The caller may be done: asks for what there is so far. Nothing, where that would do harm."""

    def dropped(self) -> Sequence[Message]:
        """What was sent since the last end of a turn is not wanted."""

    def closing(self) -> Sequence[Message]: ...

    def read(self, message: Message) -> Sequence[Heard]:
        """Raises ProviderError for an error, and for what is no message of the protocol."""


class Provider(Protocol):
    """Of one call: where to, and how to speak there."""

    @property
    def name(self) -> str: ...

    def address(self) -> tuple[str, Mapping[str, str]]:
        """URL and headers."""

    def dialect(self) -> Dialect: ...


@dataclass(frozen=True)
class Endpoint:
    """Where a call is heard: a ``Provider`` for those that need nothing more."""

    name: str
    url: str
    headers: Mapping[str, str]
    speak: Callable[[], Dialect]

    def address(self) -> tuple[str, Mapping[str, str]]:
        return self.url, self.headers

    def dialect(self) -> Dialect:
        return self.speak()


class StreamRecognizer:
    """What recognizers that stream have in common: nothing to start, to check or to close."""

    async def start(self) -> None:
        return None

    def check(self, agent: Agent) -> None:
        return None

    async def close(self) -> None:
        return None


def socket_url(base_url: str, path: str, query: Mapping[str, object]) -> str:
    return f"{base_url.replace('http', 'ws', 1).rstrip('/')}/{path}?{urlencode(query)}"

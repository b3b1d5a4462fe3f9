"""How a vendor is spoken to over a WebSocket, sentence after sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

Message = str | bytes


class Said(NamedTuple):
    """``over``: nothing more comes of this sentence."""

    audio: bytes = b""
    over: bool = False


class Dialect(Protocol):
    """One socket's worth of a protocol: sentence after sentence. Pure."""

    def may_begin(self, now_s: float) -> bool:
        """Whether the vendor takes another sentence on this socket now."""

    def begin(self, text: str, now_s: float) -> Sequence[str]: ...

    def read(self, message: Message) -> Said:
        """Raises ProviderError for an error, and for what is no message of the protocol."""

    def cut_off(self) -> Sequence[str] | None:
        """The sentence is not wanted any more; None = only closing the socket ends it."""

    def is_free(self, message: Message | None) -> bool:
        """After ``cut_off``: whether the next sentence may begin, at once (None) or with this message."""

    def goodbye(self) -> Sequence[str]: ...

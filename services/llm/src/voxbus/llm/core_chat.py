"""The messages of a chat, as every provider's core is given them and puts them into its own form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True)
class Invocation:
    """``id``: made of turn, attempt and index, so that any worker tells the same story."""

    id: str
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Message:
    """``calls``: what an assistant called for after ``text``. ``call``: what the text of a tool answers."""

    role: Role
    text: str
    calls: tuple[Invocation, ...] = ()
    call: Invocation | None = None

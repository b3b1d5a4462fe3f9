"""Bytes of events and of audio messages.

Events: msgpack of the fields plus ``v``, validated on the way in, unknown fields ignored. Audio: one small msgpack
array, nothing validated: this is the hot path, 50 a second each way in each call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgpack
from pydantic import TypeAdapter, ValidationError

from voxbus.common.errors import CodecError, UnknownEvent
from voxbus.common.events import KINDS, Event

_adapters: dict[str, TypeAdapter[Any]] = {kind: TypeAdapter(cls) for kind, cls in KINDS.items()}


def encode(event: Event) -> bytes:
    fields = _adapters[event.kind].dump_python(event, mode="python")
    fields["v"] = event.version
    packed: bytes = msgpack.packb(fields)
    return packed


def decode(kind: str, data: bytes) -> Event:
    """Raises UnknownEvent for a kind or version of the future, CodecError that names the wrong field else."""
    adapter = _adapters.get(kind)
    if adapter is None:
        raise UnknownEvent(f"no event is called {kind!r}")
    try:
        fields = msgpack.unpackb(data)
    except (ValueError, msgpack.UnpackException) as error:
        raise CodecError(f"{kind}: not msgpack") from error
    if not isinstance(fields, dict):
        raise CodecError(f"{kind}: not a map")
    version = fields.pop("v", None)
    if version != KINDS[kind].version:
        # What else stands there may be anything, what somebody said too.
        named = f"version {version}" if isinstance(version, int) else "no version"
        raise UnknownEvent(f"{kind}: {named}, this build knows {KINDS[kind].version}")
    try:
        event: Event = adapter.validate_python(fields)
    except ValidationError as error:
        # Only names and reasons: the values are what somebody said.
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'event'}: {e['msg']}" for e in error.errors())
        raise CodecError(f"{kind}: {wrong}") from None
    return event


class AudioIn(NamedTuple):
    """One caller frame: 160 bytes of mu-law at 8 kHz (20 ms), as a rule.

    ``sequence`` counts the call's frames from 0 without gaps; a call that comes back on another stream goes on at
    ``media_ms`` / 20. ``media_ms``: its position on the media clock. ``turn``/``sentence``: what of the agent was
    audible then, or not yet known to have been played (turn 0 = nothing).
    """

    sequence: int
    media_ms: int
    turn: int
    sentence: int
    audio: bytes


class AudioOut(NamedTuple):
    """A piece of a sentence: ``offset`` in bytes of mu-law at 8 kHz; ``last`` closes the sentence (may be empty).

    ``token`` fences workers: of two that speak the same sentence the higher wins. ``synthesis_ms``: TTS job to this.
    """

    turn: int
    attempt: int
    sentence: int
    token: int
    offset: int
    last: bool
    synthesis_ms: float
    audio: bytes


class AudioWanted(NamedTuple):
    """From which byte on is a sentence wanted of the worker with this ``token``? The answer is a number, or nil."""

    turn: int
    attempt: int
    sentence: int
    token: int


pack = msgpack.Packer(autoreset=True).pack

#: Frames in one message of a replay: each message costs both sides more than what is in it.
_REPLAYED = 50


def unpack_audio_in(data: bytes) -> AudioIn:
    return AudioIn._make(msgpack.unpackb(data, use_list=False))


def pack_replay(frames: Sequence[bytes]) -> list[bytes]:
    """Packed ``AudioIn`` frames as the messages of a replay, a second of them in each."""
    return [pack(frames[at : at + _REPLAYED]) for at in range(0, len(frames), _REPLAYED)]


def unpack_replay(data: bytes) -> list[AudioIn]:
    return [unpack_audio_in(frame) for frame in msgpack.unpackb(data)]


def unpack_audio_out(data: bytes) -> AudioOut:
    return AudioOut._make(msgpack.unpackb(data, use_list=False))


def unpack_audio_wanted(data: bytes) -> AudioWanted:
    return AudioWanted._make(msgpack.unpackb(data, use_list=False))

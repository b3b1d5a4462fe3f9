"""Recordings in the report. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from voxbus.common.fold import CallState
from voxbus.common.report import Recording, RecordingPart
from voxbus.common.turns import RecordingState


def recording(state: CallState, since_start_ms: Callable[[float], int]) -> Recording | None:
    """``since_start_ms``: from Unix time to ms since the call began. None when its agent does not record."""
    if not state.recordings and (state.started is None or not state.started.agent.recording):
        return None
    parts = tuple(_part(part, since_start_ms) for part in state.recordings.values())
    return Recording(state=standing(state), parts=parts)


def standing(state: CallState) -> Literal["complete", "incomplete", "none"]:
    """Whether there is a recording, and all of it."""
    parts = state.recordings.values()
    whole = all(part.ended is not None and not part.ended.cause for part in parts)
    return "none" if not parts else "complete" if whole else "incomplete"


def _part(part: RecordingState, since_start_ms: Callable[[float], int]) -> RecordingPart:
    known = part.started or part.ended
    assert known is not None
    ended = part.ended if part.ended is not None and part.ended.cause != "not_closed" else None
    return RecordingPart(
        store=known.store,
        place=known.place,
        started_ms=since_start_ms(part.started_s) if part.started is not None else None,
        length_ms=ended.length_ms if ended is not None else None,
        size_bytes=ended.size_bytes if ended is not None else None,
        sha256=ended.sha256 if ended is not None else "",
        lost_ms=ended.lost_ms if ended is not None else 0,
        cause=ended.cause if ended is not None else "not_closed",
    )

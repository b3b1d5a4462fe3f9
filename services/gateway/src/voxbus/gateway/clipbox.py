"""The gateway's own lines, as TTS workers have rendered them: for dead air, and for calls that nobody can take."""

from __future__ import annotations

from typing import Final

from voxbus.common.agents import Agent
from voxbus.common.bus import Bucket
from voxbus.common.clips import clip_key
from voxbus.common.speech import spoken

#: Some 100 kB each at most: three lines of a few dozen agents.
_KEPT: Final = 200


class ClipBox:
    """Keeps what it has read. A line that is not rendered yet is asked for again with the next call."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._clips: dict[str, bytes] = {}

    async def line(self, agent: Agent, text: str) -> bytes:
        """mu-law of the whole line; empty when some of it is missing. Raises BusUnavailable."""
        parts = [
            await self._clip(clip_key(agent.voice, sentence)) for sentence in spoken(text, agent.language)
        ]
        return b"".join(parts) if all(parts) else b""

    async def _clip(self, key: str) -> bytes:
        clip = self._clips.get(key)
        if clip is None:
            clip = await self._bucket.get(key) or b""
            if clip:
                while len(self._clips) >= _KEPT:
                    del self._clips[next(iter(self._clips))]
                self._clips[key] = clip
        return clip

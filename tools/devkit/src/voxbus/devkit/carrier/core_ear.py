"""What a caller can tell by ear: whether the other side speaks, by the energy of each frame. No clock.

frames   ....####.####....................####
speaking     [............hangover]       [
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from voxbus.common.audio import FRAME_MS, Pcm

#: A frame this loud is speech. The agent's active level is -20 dBFS, and a line between its words is digital silence.
SPEECH_DBFS = -45.0

_SPEECH_POWER = (32768 * 10 ** (SPEECH_DBFS / 20)) ** 2


@dataclass
class Ear:
    """Fed with every 20 ms frame that is heard. A pause of ``join_ms`` or less is part of the speech around it."""

    join_ms: int = 200
    frames: int = 0
    first_frame: int = -1
    """Where the latest speech began, -1 = nothing was heard yet."""
    last_frame: int = -1
    """The latest frame with speech in it."""

    def hear(self, frame: Pcm) -> None:
        samples = frame.astype(np.float32)
        if np.dot(samples, samples) > _SPEECH_POWER * len(samples):
            if self.last_frame < 0 or (self.frames - self.last_frame) * FRAME_MS > self.join_ms + FRAME_MS:
                self.first_frame = self.frames
            self.last_frame = self.frames
        self.frames += 1

    @property
    def speaking(self) -> bool:
        return self.last_frame >= 0 and self.silence_ms <= self.join_ms

    @property
    def silence_ms(self) -> int:
        """Since the latest speech; since the beginning, when there was none."""
        return (self.frames - 1 - self.last_frame) * FRAME_MS

    @property
    def speech_ms(self) -> int:
        """How long the present speech has lasted; 0 in silence."""
        return (self.last_frame - self.first_frame + 1) * FRAME_MS if self.speaking else 0

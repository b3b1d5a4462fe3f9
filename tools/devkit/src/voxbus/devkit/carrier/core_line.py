"""The way of the sound between the caller's ear and mouth: echo of the agent, and noise.

A real line gives the agent's own voice back, 150 to 300 ms late and 15 to 30 dB weaker. An agent that takes this for
speech interrupts itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from voxbus.common.audio import HZ, Pcm


@dataclass(frozen=True)
class LineQuality:
    """``echo_db``: level of the echo against the agent's audio (below 0), None = no echo. ``noise_dbfs``: RMS level of
    white noise on the caller's side, None = silence. ``seed`` makes the noise repeatable. ``tones``: a pressed key is
    heard as well as reported."""

    echo_db: float | None = None
    echo_delay_ms: int = 200
    noise_dbfs: float | None = None
    seed: int = 0
    tones: bool = True

    def __post_init__(self) -> None:
        if self.echo_db is not None and self.echo_db >= 0:
            raise ValueError("echo_db must be below 0: an echo is weaker than what it repeats")
        if self.echo_delay_ms < 0:
            raise ValueError("echo_delay_ms cannot be negative")


class Line:
    """Mixes what the application hears. Fed with equally long pieces of both sides, 8 kHz."""

    def __init__(self, quality: LineQuality = LineQuality()) -> None:
        self._echo_gain = 0.0 if quality.echo_db is None else 10 ** (quality.echo_db / 20)
        self._on_the_way = np.zeros(quality.echo_delay_ms * HZ // 1000, dtype=np.int16)
        self._noise_rms = 0.0 if quality.noise_dbfs is None else 32768 * 10 ** (quality.noise_dbfs / 20)
        self._random = np.random.default_rng(quality.seed)

    def mix(self, caller: Pcm, agent: Pcm) -> Pcm:
        """The caller's side of the line while ``caller`` speaks and ``agent`` is heard. int16, the same length."""
        if not self._echo_gain and not self._noise_rms:
            return caller
        line = caller.astype(np.float32)
        if self._echo_gain:
            sound = np.concatenate((self._on_the_way, agent))
            self._on_the_way = sound[len(agent) :]
            line += sound[: len(agent)] * np.float32(self._echo_gain)
        if self._noise_rms:
            line += self._random.normal(0.0, self._noise_rms, len(line)).astype(np.float32)
        return np.clip(np.rint(line), -32768, 32767).astype(np.int16)

"""Whether what sounds on the line while the agent speaks is loud enough to be the caller.

The detector hears speech at any level: -55 dBFS is as much speech to it as -20. The line's echo of the agent is speech,
15 to 30 dB below the agent, up to 300 ms late. The gate lets through what is louder than the echo of this line, and
learns how loud that is.

    agent    ########################________
    echo         ------------------------        below the gate: silence
    caller                    ######             above it: the caller
"""

from __future__ import annotations

import math
from typing import Final

#: Echo still arrives so long after the agent fell silent.
TAIL_MS: Final = 350

#: The agent speaks at -20 dBFS, active level; single windows are 8 to 10 dB above it. An echo of -24 dB has windows up
#: to -35 dBFS: that is where the gate of an unknown line stands.
UNKNOWN_DBFS: Final = -41.0
MARGIN_DB: Final = 6.0
#: What is quieter would not be understood either.
LOWEST_DBFS: Final = -46.0
#: A gate above this would shut out callers; a line with such an echo interrupts.
HIGHEST_DBFS: Final = -24.0
#: Windows of an echo of -15 dB, the loudest that lines have, reach this. What is louder was the caller, if without a
#: word: learnt as an echo, a hum would shut out the interruption that follows it.
LOUDEST_ECHO_DBFS: Final = -25.0
#: A line without an echo is believed after some seconds in which nothing was heard. Per window of 32 ms.
DECAY_DB: Final = 0.06
#: A caller who was let through may drop this far below the gate: speech is uneven.
SLACK_DB: Final = 6.0


class EchoGate:
    """Fed with every window of a call, in order."""

    __slots__ = ("_echo_dbfs", "_loudest_dbfs", "_until_ms")

    def __init__(self) -> None:
        self._echo_dbfs = UNKNOWN_DBFS
        self._loudest_dbfs = -math.inf  # of what passed and was not judged yet
        self._until_ms = -1

    @property
    def dbfs(self) -> float:
        return min(max(self._echo_dbfs + MARGIN_DB, LOWEST_DBFS), HIGHEST_DBFS)

    def is_open(self, end_ms: int, *, audible: bool) -> bool:
        """Whether the window ending there passes at any level, having no echo in it. ``audible``: the agent is."""
        if audible:
            self._until_ms = end_ms + TAIL_MS
        return end_ms > self._until_ms

    def passes(self, level_dbfs: float, *, speech: bool, speaking: bool) -> bool:
        """Whether it is the caller. ``speech``: the detector's opinion; ``speaking``: the caller already is."""
        if level_dbfs >= self.dbfs - (SLACK_DB if speaking else 0.0):
            self._loudest_dbfs = max(self._loudest_dbfs, level_dbfs)
            return True
        if not speaking:
            self._echo_dbfs -= DECAY_DB
            if speech:
                self._echo_dbfs = max(self._echo_dbfs, min(level_dbfs, self.dbfs))
        return False

    def judged(self, *, caller: bool) -> None:
        """What passed was the caller, or there was no word in it: then that is how loud the echo is."""
        if not caller and self._loudest_dbfs <= LOUDEST_ECHO_DBFS:
            self._echo_dbfs = max(self._echo_dbfs, self._loudest_dbfs)
        self._loudest_dbfs = -math.inf

"""One stretch of the caller's speech, from probabilities of 32 ms windows.

start_prob  ......__######__####....      # voiced   _ between   . silence
end_prob    ......        ^^   ^
                  start_ms |   silence_from_ms: a voiced window takes it back
"""

from __future__ import annotations

from dataclasses import dataclass

from voxbus.common.events import EndedBy

WINDOW_MS = 32
#: Less voice than this is a click on the line, nothing that anybody said.
MIN_VOICED_MS = 3 * WINDOW_MS


@dataclass(frozen=True)
class Window:
    """``probability`` of speech in [start_ms, end_ms) on the media clock, and what of the agent was audible then.

    ``loud``: there is something to be heard, speech or not. None: not known, and of interest only with a machine.
    """

    probability: float
    start_ms: int
    end_ms: int
    turn: int = 0
    sentence: int = 0
    loud: bool | None = None


@dataclass
class Speech:
    """``over_agent``: it counts as speech over the agent. ``meant``: a barge-in was published for it.

    ``announced``: there was enough of it to tell the others. ``looked``: its words were asked for, and nothing was said
    since. ``spoken``: what the agent was saying when it began.
    """

    start_ms: int
    over_agent: bool = False
    meant: bool = False
    announced: bool = False
    spoken: tuple[int, int] = (0, 0)
    voiced_ms: int = 0
    voiced_over_agent_ms: int = 0
    silence_from_ms: int | None = None
    looked: bool = False
    end_ms: int = 0

    def take(self, window: Window, start_prob: float, end_prob: float) -> None:
        if window.probability >= start_prob:
            self.voiced_ms += WINDOW_MS
            if self.over_agent:
                self.voiced_over_agent_ms += WINDOW_MS
            self.silence_from_ms = None
            self.looked = False
            self.end_ms = window.end_ms
        elif window.probability < end_prob and self.silence_from_ms is None:
            self.silence_from_ms = self.end_ms = window.start_ms

    @property
    def doubtful(self) -> bool:
        """It may be nothing but listening."""
        return self.over_agent and not self.meant

    def silence_ms(self, now_ms: int) -> int:
        return 0 if self.silence_from_ms is None else now_ms - self.silence_from_ms


@dataclass(frozen=True)
class Finished:
    """A speech that is over, and whose words are being read."""

    speech: Speech
    ended_by: EndedBy
    endpoint_ms: int


class StrongRun:
    """Counts strong windows in a row, the only thing that may interrupt an audible agent."""

    def __init__(self, threshold: float, needed: int) -> None:
        self._threshold = threshold
        self._needed = needed
        self.count = 0
        self.start_ms = 0

    def take(self, window: Window) -> bool:
        """Whether this window completes the run."""
        if window.probability < self._threshold:
            self.count = 0
            return False
        if self.count == 0:
            self.start_ms = window.start_ms
        self.count += 1
        return self.count >= self._needed

    def reset(self) -> None:
        self.count = 0


class Onset:
    """Notices a window that speech began in the middle of.

    It is no strong window, so a run of them would begin with the next one, or, after a long silence, with the one
    after it. When the caller's window goes back by half of its length at that moment, the run begins there. Measured on
    a call of eSpeak voices, at every position of the grid, from the first sound to three strong windows: 106 ms in
    the mean instead of 122, 112 at worst instead of 160.

        speech            ..........##########################
        windows    |         |  weak   | strong  | strong  | strong  |
        gone back  |         |  weak   |
                                  | strong  | strong  | strong  |
    """

    __slots__ = ("_floor", "_last", "_threshold")

    def __init__(self, floor: float, threshold: float) -> None:
        self._floor = floor
        self._threshold = threshold
        self._last = 0.0

    def within(self, probability: float) -> bool:
        """Asked once a window: whether it rises into the middle. Never true twice in a row."""
        rises = self._last < self._floor <= probability < self._threshold
        self._last = probability
        return rises

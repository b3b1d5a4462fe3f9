"""The player's numbers, all in ms."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """``ahead``: what Twilio may hold at most, so that ``clear`` and the accounting stay exact. ``refill``: sending
    goes on when it holds less: a handful of frames at a time cost one write instead of five.
    ``gap``: a lost piece inside a sentence is waited for so long, ``close`` for the rest of a sentence that stopped in
    the middle, ``missing`` for a sentence of which nothing came while the next one is here. A TTS worker that
    hangs is replaced after 1 s, hence the difference.
    ``hold``: speech over the agent that meant nothing lets it go on after this: 0.7 s of speech would have been a
    barge-in, and 1 s of silence follows.
    ``dead_air``, ``refill_air`` and ``give_up``: how long who has spoken waits for a reply until a filler, from one to
    the next (or where nobody has spoken), and until the fallback line, which leaves a ``breath`` after a filler.
    ``voicing``: a sentence has so long to become audio before a filler takes its place.
    ``mark``: a mark that Twilio never sent back is given up so long after its time.
    """

    ahead: float = 1500.0
    refill: float = 1400.0
    gap: float = 200.0
    close: float = 1000.0
    missing: float = 2500.0
    hold: float = 1700.0
    dead_air: float = 900.0
    refill_air: float = 3000.0
    voicing: float = 1000.0
    breath: float = 1000.0
    give_up: float = 8000.0
    mark: float = 2000.0

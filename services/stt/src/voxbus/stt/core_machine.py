"""When a machine that answered is through with its greeting, so that it records what is said.

The carrier says that it is a machine; where its greeting ends, and its beep, only whoever hears it knows.

    machine   #### greeting #### ___ beep ___________________
    verdict                              ^ machine_end_beep
                                         |<--->| quiet        utterance(ended_by=machine)

A message that begins too early is not recorded, one that begins late costs a second of silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from voxbus.common.fold import CallState
from voxbus.stt.core_speech import Window


@dataclass(frozen=True)
class _Patience:
    """ms. ``quiet``: so much of it is the end. ``longest``: a line that is never quiet is not waited for."""

    quiet: int
    longest: int


#: Greetings pause for breath, and some machines wait a second before they beep.
_GREETING: Final = _Patience(quiet=1500, longest=30_000)
#: By the verdict; the words are the carrier's. https://www.twilio.com/docs/voice/answering-machine-detection
_PATIENCE: Final = {
    "machine_start": _GREETING,
    "machine_end_other": _GREETING,
    "machine_end_beep": _Patience(quiet=300, longest=3_000),  # the beep may still sound
    "machine_end_silence": _Patience(quiet=1000, longest=5_000),  # its beep may still come
}

#: Softer is the noise of a line, louder a voice or a beep: both are sent at -20 dBFS or so.
QUIET_DBFS: Final = -38.0
#: Audio that waits for longer was replayed, or there is too much to do.
LATE_MS: Final = 200


def is_loud(level_dbfs: float, backlog_ms: int) -> bool | None:
    """A beep is as loud as speech, and is none. None: it was long ago, and tells nothing of now."""
    return None if backlog_ms > LATE_MS else level_dbfs > QUIET_DBFS


class MachineWatch:
    """``state`` is only read. It counts from the first window of now that is asked about."""

    def __init__(self, state: CallState) -> None:
        self._state = state
        self._from_ms: int | None = None
        self._quiet_from_ms: int | None = None
        self._said = False

    def is_through(self, window: Window) -> bool:
        """Whether now is the moment; true once in a call."""
        turn = self._state.turn
        if self._said or (turn is not None and turn.for_machine):
            return False
        self._said = not self._expects_a_message() or self._greeting_is_over(window)
        return self._said

    def _expects_a_message(self) -> bool:
        started = self._state.started
        leaves = started is not None and started.agent.machine_detection == "leave_message"
        return leaves and self._state.answered_by != "fax"

    def _greeting_is_over(self, window: Window) -> bool:
        if window.loud is None:
            return False
        patience = _PATIENCE.get(self._state.answered_by, _GREETING)
        if self._from_ms is None:
            self._from_ms = window.start_ms
        if window.loud:
            self._quiet_from_ms = None
        elif self._quiet_from_ms is None:
            self._quiet_from_ms = window.start_ms
        quiet_ms = window.end_ms - self._quiet_from_ms if self._quiet_from_ms is not None else 0
        return quiet_ms >= patience.quiet or window.end_ms - self._from_ms >= patience.longest

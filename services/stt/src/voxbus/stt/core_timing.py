"""The numbers of turn taking that nobody sets, in ms."""

from __future__ import annotations

#: Recognition begins this long before the first voiced window: the detector needs a moment, first consonants do not.
PRE_ROLL_MS = 300
#: After so much silence the caller may be done: time to read the words before the turn ends.
LOOK_AFTER_MS = 160
#: Speech over the agent that lasts this long was meant, whatever it said.
MEANT_AFTER_MS = 700
#: The agent's voice comes back from the far end so long after it was audible; until then only strong speech counts.
ECHO_TAIL_MS = 350
#: The tone of a key may be heard so long before its message, and after it.
TONE_BEFORE_MS = 500
TONE_AFTER_MS = 250
#: So much silence after a turn that was cut for its length is a pause.
PAUSE_MS = 96

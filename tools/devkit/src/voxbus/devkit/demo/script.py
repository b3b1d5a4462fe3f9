"""What the caller of the demo says and does, against the agent ``appointment_reminder``.

agent    Hello ... You have an appointment ...         That would be ...      Done. ...         Goodbye.
caller              mm-hm          what should I bring                  key 1         no thank you
turn     1                         2        ^cut by    3                4              5
                                            I'd like to move it ...
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from voxbus.devkit.caller import Caller
from voxbus.devkit.speech import Speech, hum, speak

#: The turns of the call, by what happens in them: docs and checks speak of them by name.
LONG_ANSWER, OFFER, BOOKED = 2, 3, 4

#: eSpeak voices that no agent uses. With these, and a phrase that begins with a vowel, every beginning is loud: how
#: soon an interruption is noticed is a matter of its first 100 ms.
_VOICES = ("en-us+f4", "en-us+f3")
_DAYS = ("monday", "tuesday", "wednesday", "friday")
_HOURS = ("three", "nine", "ten")

#: Into the sentence that names the appointment: neither the first, which is hardly begun, nor the last, in which a hum
#: would be an answer.
_HUM_AFTER_MS = 5200
_INTERRUPT_AFTER_MS = 4000
#: Where a killed worker may leave a hole in a reply, its end is not yet the end.
_PATIENCE_MS = 2000


@dataclass(frozen=True)
class Lines:
    """``booked``: what the agent must say in the turn ``BOOKED``, in lower case."""

    hum: Speech
    ask: Speech
    move: Speech
    leave: Speech
    booked: str


def rehearse(seed: int) -> Lines:
    """Synthesizes what the caller will say; takes about half a second. Another seed is another voice, day and hour."""
    chance = random.Random(seed)
    voice, day, hour = chance.choice(_VOICES), chance.choice(_DAYS), chance.choice(_HOURS)
    return Lines(
        hum=hum(voice=voice),
        ask=speak("what should i bring", voice=voice),
        move=speak(f"i'd like to move it to {day} at {hour}", voice=voice),
        leave=speak("no thank you goodbye", voice=voice),
        booked=f"{day} at {hour}",
    )


async def perform(caller: Caller, lines: Lines) -> None:
    """Holds the call. Raises ScriptFailed when the agent does something else than it should."""
    await caller.until_speaking()
    await caller.wait(_HUM_AFTER_MS)
    await caller.mm_hm(lines.hum, after_ms=0)
    await caller.listen()

    await caller.say(lines.ask)
    await caller.until_speaking()
    await caller.wait(_INTERRUPT_AFTER_MS)
    await caller.interrupt(lines.move, after_ms=0)
    await caller.listen()

    await caller.press("1")
    await caller.listen(quiet_ms=_PATIENCE_MS)

    await caller.say(lines.leave)
    await caller.expect_hangup()

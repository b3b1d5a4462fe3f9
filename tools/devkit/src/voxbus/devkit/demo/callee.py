"""Who is rung up in the demo, and what the order says that the agent has to talk about.

agent             Hello ... You have an appointment ...    Thank you. You are confirmed ...      Goodbye.
callee   Hello?                                    yes                          no thank you goodbye
turn     1                                         2                            3
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from voxbus.devkit.callees import Callee, person
from voxbus.devkit.caller import Caller
from voxbus.devkit.speech import Speech, speak

#: Of the range that is kept free for fiction.
NUMBER = "+15550100142"

AGENT = "appointment_reminder"

GREETING, CONFIRMED = 1, 2

#: eSpeak voices that no agent uses.
_VOICES = ("en-us+m3", "en-us+f3")
_DAYS = ("Monday", "Tuesday", "Friday")
_TIMES = ("nine in the morning", "half past two in the afternoon")
_HELLO = "Hello?"


@dataclass(frozen=True)
class Lines:
    """``variables`` go into the order. ``appointment``: what the agent must then say, in lower case."""

    voice: str
    hello: Speech
    confirm: Speech
    leave: Speech
    variables: dict[str, str]
    appointment: str


def rehearse(seed: int) -> Lines:
    """Synthesizes what the callee will say; takes about half a second. Another seed is another voice, day and time."""
    chance = random.Random(seed)
    voice, day, time = chance.choice(_VOICES), chance.choice(_DAYS), chance.choice(_TIMES)
    return Lines(
        voice=voice,
        hello=speak(_HELLO, voice=voice),  # kept for when the telephone is lifted
        confirm=speak("yes that works", voice=voice),
        leave=speak("no thank you goodbye", voice=voice),
        variables={"appointment_day": day, "appointment_time": time},
        appointment=f"{day} at {time}".lower(),
    )


def callee(lines: Lines) -> Callee:
    """Lifts the telephone, says hello, and talks with whoever it is."""

    async def talk(person: Caller) -> None:
        await person.listen()
        await person.say(lines.confirm)
        await person.listen()
        await person.say(lines.leave)
        await person.expect_hangup()

    return person(talk, _HELLO, voice=lines.voice)

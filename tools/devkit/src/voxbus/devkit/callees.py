"""Who answers when an agent calls: a person who says hello first, a machine with a beep, a screener, nobody.

person("Hello?", conversation)      greets, then follows a script of its own
machine("You have reached ...")     greeting, beep, listens to the message, hangs up
screener("Who is calling?", then)   asks, listens, and puts the call through
mute(conversation)                  answers and says nothing
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Literal

import numpy as np

from voxbus.common.audio import HZ, Pcm
from voxbus.devkit.caller import Caller, Script, ScriptFailed
from voxbus.devkit.carrier import Handset
from voxbus.devkit.carrier.plan import Detection
from voxbus.devkit.speech import VOICE, Speech, speak

Kind = Literal["human", "machine"]

#: People need a moment to lift the telephone to the ear.
PICK_UP_MS = 400
#: An answering machine takes a silence this long for the end of the message.
MESSAGE_QUIET_MS = 3000
#: Speech longer than this is a machine's: the carrier's MachineDetectionSpeechThreshold.
MACHINE_SPEECH_S = 2.4
#: A man's voice, slower than a person: what a mailbox sounds like.
_MACHINE_VOICE = "en-us+m3"


class Callee(Caller):
    """A party that was called. ``greeted`` is set when its first words (and the beep) are over."""

    def __init__(self, kind: Kind, script: Script) -> None:
        super().__init__(script)
        self._kind: Kind = kind
        self.picked_up = asyncio.Event()
        self.greeted = asyncio.Event()

    async def talk(self, handset: Handset) -> None:
        self.picked_up.set()
        await super().talk(handset)

    async def verdict(self, mode: Detection) -> str:
        """Detection is sure of a person at their first words; of a machine soon, or when its greeting is over."""
        if self._kind == "machine" and mode == "Enable":
            await self.picked_up.wait()
            await asyncio.sleep(MACHINE_SPEECH_S)
            return "machine_start"
        await self.greeted.wait()
        return "human" if self._kind == "human" else "machine_end_beep"


def person(conversation: Script, hello: str = "Hello?", *, voice: str = VOICE) -> Callee:
    async def script(caller: Caller) -> None:
        await caller.wait(PICK_UP_MS)
        await caller.say(speak(hello, voice=voice))
        callee.greeted.set()
        await conversation(caller)

    callee = Callee("human", script)
    return callee


def mute(conversation: Script) -> Callee:
    """Detection would say ``human`` or ``unknown``; here it never gets to say anything."""
    return Callee("human", conversation)


def machine(greeting: str, *, longest_message_s: float = 60.0) -> Callee:
    """Hangs up once the message is over, or did not come. Being hung up on is nothing to it."""

    async def script(caller: Caller) -> None:
        with contextlib.suppress(ScriptFailed):
            await caller.wait(PICK_UP_MS)
            await caller.say(speak(greeting, voice=_MACHINE_VOICE, rate=150))
            await caller.wait(300)
            await caller.say(BEEP)
            callee.greeted.set()
            await caller.listen(quiet_ms=MESSAGE_QUIET_MS, timeout_s=min(10.0, longest_message_s))

    callee = Callee("machine", script)
    return callee


def screener(question: str, conversation: Script, *, accept: str = "Please hold.") -> Callee:
    """Asks who calls and why, listens to the answer, and puts the person on: whose ``conversation`` it then is."""

    async def script(caller: Caller) -> None:
        await caller.wait(PICK_UP_MS)
        await caller.say(speak(question, voice=_MACHINE_VOICE))
        callee.greeted.set()
        await caller.listen()
        await caller.say(speak(accept, voice=_MACHINE_VOICE))
        await caller.wait(1500)
        await conversation(caller)

    callee = Callee("human", script)
    return callee


def _beep(ms: int = 400, hz: float = 1000.0) -> Pcm:
    """As loud as speech. 1 kHz is what most machines use."""
    t = np.arange(ms * HZ // 1000) / HZ
    tone: Pcm = np.rint(4000 * np.sin(2 * np.pi * hz * t)).astype(np.int16)
    return tone


BEEP = Speech("", _beep())

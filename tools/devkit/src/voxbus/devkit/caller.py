"""A caller with a script: speaks, listens for silence, interrupts, hums, presses keys, and measures what it hears.

    async def script(caller: Caller) -> None:
        await caller.listen()                                  # the greeting
        await caller.say(speak("confirm my appointment"))
        await caller.interrupt(speak("wait, cancel it"), after_ms=800)
        await caller.listen()
        await caller.expect_hangup()

    caller = Caller(script)
    result = await carrier.call(plan, caller)

Times are on the call's own clock, in frames of 20 ms: whatever holds the event loop up holds the script up as well.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from voxbus.common.audio import FRAME_MS
from voxbus.devkit.carrier import Handset, LineEnded, Span, Spoken
from voxbus.devkit.speech import Speech

Purpose = Literal["speech", "backchannel", "interruption"]

#: Agents pause between sentences. A silence this long is the end of a reply, and still quick for a person.
QUIET_MS = 800


class ScriptFailed(AssertionError):
    """The call did not go as the script expects."""


@dataclass(frozen=True)
class Said:
    """``start_ms``/``end_ms``: first and last frame of it on the recording."""

    text: str
    purpose: Purpose
    start_ms: float
    end_ms: float


@dataclass(frozen=True)
class Response:
    """The agent's answer to ``said``. ``response_ms``: voice to voice, from the caller's last frame to the
    first frame of the agent that can be heard. ``media_ms``: to the arrival of the first media message of
    it."""

    said: Said
    response_ms: float
    media_ms: float
    speech: Span


@dataclass(frozen=True)
class Reaction:
    """What the agent did about ``said`` while it spoke. None = it never did.

    ``clear_ms``: the caller's first frame to the ``clear``. ``quiet_ms``: to the agent's last audible frame, when it
    was silent for 200 ms or more after it.
    """

    said: Said
    clear_ms: float | None
    quiet_ms: float | None


Script = Callable[["Caller"], Awaitable[None]]


class Caller:
    """Implements the carrier's ``Party``. Everything in it raises ScriptFailed when it does not come to pass."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.said: list[Said] = []
        self.pressed: list[tuple[str, float]] = []
        self.responses: list[Response] = []
        self.reactions: list[Reaction] = []
        self._answered: Spoken | None = None  # spoken, and not answered yet
        self._since = 0  # agent speech before this frame was heard already

    async def talk(self, handset: Handset) -> None:
        self._handset = handset
        await self._script(self)

    @property
    def now_ms(self) -> float:
        """The position on the recording."""
        return self._handset.recording.frames * FRAME_MS

    @property
    def over(self) -> bool:
        """The call has ended."""
        return self._handset.over.is_set()

    async def listen(
        self, *, quiet_ms: int = QUIET_MS, timeout_s: float = 20.0, may_hang_up: bool = False
    ) -> Span:
        """Until the agent has spoken, and was silent for ``quiet_ms``. Returns where it spoke.

        ``may_hang_up``: what it says may be its last words; the call may end right after them.
        """
        ear, since = self._handset.ear, self._since
        await self._until(lambda: ear.last_frame >= since, timeout_s, "waits for the agent to speak")
        first = max(ear.first_frame, since)
        media_ms = self._first_media_ms()
        try:
            doing = "waits for the agent to finish"
            await self._until(lambda: ear.silence_ms >= quiet_ms, 120.0, doing, survive=may_hang_up)
        except LineEnded:
            pass  # hung up on, as it may be
        speech = Span(first * FRAME_MS, (ear.last_frame + 1) * FRAME_MS)
        if self._answered is not None:
            response_ms = (first - self._answered.last_frame) * FRAME_MS
            self.responses.append(Response(self.said[-1], response_ms, media_ms, speech))
            self._answered = None
        self._since = ear.frames
        return speech

    async def say(self, speech: Speech) -> Said:
        return await self._speak(speech, "speech")

    async def interrupt(self, speech: Speech, *, after_ms: int = 800, timeout_s: float = 20.0) -> Reaction:
        """Speaks once the agent has spoken for ``after_ms``."""
        await self.until_speaking(after_ms, timeout_s=timeout_s)
        return self._reaction(await self._speak(speech, "interruption"))

    async def mm_hm(self, speech: Speech, *, after_ms: int = 800, timeout_s: float = 20.0) -> Reaction:
        """Hums once the agent has spoken for ``after_ms``, to say that one is still there. It asks for no answer."""
        await self.until_speaking(after_ms, timeout_s=timeout_s)
        return self._reaction(await self._speak(speech, "backchannel"))

    async def press(self, digits: str, *, gap_ms: int = 200) -> None:
        for digit in digits:
            self._handset.press(digit)
            self.pressed.append((digit, self.now_ms))
            await self.wait(gap_ms)
        self._since = self._handset.ear.frames

    async def wait(self, ms: float) -> None:
        end = self._handset.recording.frames + round(ms / FRAME_MS)
        await self._until(lambda: self._handset.recording.frames >= end, ms / 1000 + 60, "waits")

    async def until_speaking(self, for_ms: int = 0, *, timeout_s: float = 20.0) -> None:
        """Until the agent speaks, and has for ``for_ms``."""
        ear = self._handset.ear
        await self._until(lambda: ear.speech_ms > for_ms, timeout_s, "waits for the agent to be speaking")

    def stall(self, ms: float) -> None:
        """See Handset.stall."""
        self._handset.stall(ms)

    async def hang_up(self) -> None:
        self._handset.hang_up()
        await self._handset.over.wait()

    async def expect_hangup(self, *, timeout_s: float = 20.0) -> None:
        """Until the other side ends the call."""
        try:
            await self._until(lambda: False, timeout_s, "waits to be hung up on", survive=True)
        except LineEnded:
            return

    async def _speak(self, speech: Speech, purpose: Purpose) -> Said:
        try:
            spoken = await self._handset.speak(speech.audio)
        except LineEnded:
            raise ScriptFailed("the call ended while the caller spoke") from None
        said = Said(speech.text, purpose, spoken.start_ms, spoken.end_ms)
        self.said.append(said)
        self._since = spoken.last_frame + 1
        if purpose != "backchannel":
            self._answered = spoken
        return said

    def _first_media_ms(self) -> float:
        if self._answered is None:
            return 0.0
        recording = self._handset.recording
        spoken_ms = recording.sent_ms[self._answered.last_frame]
        return next((at - spoken_ms for at in recording.times_of("audio") if at > spoken_ms), 0.0)

    def _reaction(self, said: Said) -> Reaction:
        recording, ear = self._handset.recording, self._handset.ear
        first = int(said.start_ms // FRAME_MS)
        clears = (at for at in recording.times_of("clear") if at >= recording.sent_ms[first])
        clear_ms = next((at - recording.sent_ms[first] for at in clears), None)
        silent = not ear.speaking and ear.last_frame >= first
        quiet_ms = float((ear.last_frame - first + 1) * FRAME_MS) if silent else None
        reaction = Reaction(said, clear_ms, quiet_ms)
        self.reactions.append(reaction)
        return reaction

    async def _until(
        self, reached: Callable[[], bool], timeout_s: float, doing: str, *, survive: bool = False
    ) -> None:
        """``survive``: the end of the call is for the one who asked to judge."""
        deadline = self._handset.recording.frames + round(timeout_s * 1000 / FRAME_MS)
        while not reached():
            if self._handset.recording.frames >= deadline:
                raise ScriptFailed(f"the caller still {doing} after {timeout_s:g} s")
            try:
                await self._handset.frame()
            except LineEnded:
                if survive:
                    raise
                raise ScriptFailed(f"the call ended while the caller {doing}") from None

"""Ends processes at chosen moments of calls, and tells what the callers noticed."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any, TypeVar

import httpx

from voxbus.common.audio import FRAME_MS
from voxbus.common.events import Attached, Event, Heard, Interrupted, ReplyEnded, Stored, Utterance
from voxbus.devkit.caller import Caller
from voxbus.devkit.carrier import Call
from voxbus.devkit.children import Child
from voxbus.devkit.core_measure import dead_air
from voxbus.devkit.demo.kills import busy_llm
from voxbus.devkit.speech import speak
from voxbus.devkit.stack import Stack

if TYPE_CHECKING:
    from .conftest import Held

E = TypeVar("E", bound=Event)

#: A killed worker may add 1.5 s to the 0.5 s that end a turn, which `voxbus chaos` measures on a quiet machine. This
#: tells a takeover from none, on a machine that has other things to do.
SILENCE_MS = 8000
#: What ``brief`` tells.
STORY = ("A goat stood on a bridge.", "It thought about the sea.", "Then it went home.")
#: A sentence is played in whole frames, and a mark comes a moment after it.
_PLAYED_MS = 60.0


class Watch:
    """Everything that happens on the bus, for tests that act in the middle of it."""

    def __init__(self) -> None:
        self._waiting: list[tuple[str, type[Event], dict[str, Any], asyncio.Future[Event]]] = []
        self.holders: dict[str, Attached] = {}

    def notice(self, stored: Stored) -> None:
        event = stored.event
        if isinstance(event, Attached):
            self.holders[event.call] = event
        for sid, kind, fields, future in self._waiting:
            is_it = event.call == sid and isinstance(event, kind) and not future.done()
            if is_it and all(getattr(event, name) == value for name, value in fields.items()):
                future.set_result(event)

    async def first(self, kind: type[Event], call: Call, **fields: Any) -> Event:
        """The first event of that kind in the call from now on, that has these values."""
        future: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        self._waiting.append((call.result.call_sid, kind, fields, future))
        async with asyncio.timeout(30):
            return await future

    def soon(self, kind: type[Event], call: Call, **fields: Any) -> asyncio.Task[Event]:
        """The same, from now on, to be waited for later."""
        return asyncio.create_task(self.first(kind, call, **fields))


class Supervisor:
    """Ends processes, and starts them again at once, as an orchestrator would."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        # One, made before anybody is in a hurry: each loads the certificates of the world.
        self._http = httpx.AsyncClient(trust_env=False)
        self._restarts: list[asyncio.Task[Child]] = []

    async def end(self, name: str, number: int = signal.SIGKILL) -> int:
        """Returns the exit status."""
        child = self._stack.children[name]
        child.signal(number)
        async with asyncio.timeout(30):
            status = await child.wait()
        self._restarts.append(asyncio.create_task(self._stack.restart(name)))
        return status

    async def freeze(self, name: str, for_s: float) -> None:
        """It is stopped, and woken; nothing tells it that time went by."""
        self._stack.kill(name, signal.SIGSTOP)
        try:
            await asyncio.sleep(for_s)
        finally:
            self._stack.kill(name, signal.SIGCONT)

    def holder(self, watch: Watch, call: Call) -> str:
        """The STT process that has the call: its worker id holds the pid."""
        worker = watch.holders[call.result.call_sid].worker
        (name,) = (n for n in self._stack.names("stt") if f"-{self._stack.children[n].pid}-" in worker)
        return name

    async def at_work(self) -> str:
        """An LLM worker that answers a turn just now."""
        async with asyncio.timeout(30):
            while (name := await busy_llm(self._stack, self._http)) is None:
                await asyncio.sleep(0.002)
        return name

    async def done(self) -> None:
        await asyncio.gather(*self._restarts)
        await self._http.aclose()


async def ask(caller: Caller, call: Call, watch: Watch, turn: int, *, key: str = "") -> None:
    """Asks for the story, with a key or in words, and hears it to its end."""
    heard = watch.soon(Heard, call, turn=turn, sentence=len(STORY) - 1)
    await asyncio.sleep(0)
    if key:
        await caller.press(key)
    else:
        await caller.say(speak("tell me a story"))
    await heard
    await caller.wait(400)


def assert_stories(call: Held, turns: int, *, said: str = "tell me a story") -> None:
    """Each was asked for once, and heard once, in order and to its end, without a long silence on the way."""
    assert [utterance.text for utterance in call.events(Utterance)] == [said] * turns
    assert call.events(Interrupted) == []
    for turn in range(2, turns + 2):
        sentences = call.state.turns[turn].sentences
        assert [sentences[n].event.text for n in sorted(sentences)] == list(STORY)
        assert [sentences[n].verdict for n in sorted(sentences)] == ["heard"] * len(STORY)
    assert len([ended for ended in call.events(ReplyEnded) if ended.turn > 1]) == turns
    assert silence_ms(call) < SILENCE_MS, f"{silence_ms(call)} ms"


def assert_nothing_was_played_twice(call: Held) -> None:
    played_ms = sum(span.duration_ms for span in call.result.recording.played())
    heard = call.events(Heard)
    assert played_ms <= sum(one.played_ms + FRAME_MS for one in heard) + _PLAYED_MS


def silence_ms(call: Held) -> int:
    """The longest time, before the agent said its last, in which nobody was to be heard, and somebody had to speak."""
    recording = call.result.recording
    end = recording.played()[-1].end_ms * 8
    silences = dead_air(recording.caller[:end], recording.agent[:end], 300)
    return max((silence.duration_ms for silence in silences), default=0)

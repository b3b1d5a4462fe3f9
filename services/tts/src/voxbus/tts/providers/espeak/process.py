"""One synthesis process, seen from the worker that started it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final

from voxbus.common.children.process import ChildProcess
from voxbus.common.errors import ProviderError
from voxbus.tts.providers.espeak.wire import WIRE, Audio, Cancel, End, Failed, Hello, Message, Speak

_MODULE: Final = "voxbus.tts.providers.espeak.child"
_START_S: Final = 30.0
#: A process says something every few ms while it speaks.
_SILENT_S: Final = 3.0


class Process(ChildProcess[Message]):
    """``hello``: what it can say. ``busy`` from a request to its end, read or not."""

    hello: Hello
    busy = False
    _job = 0

    @classmethod
    async def start(cls) -> Process:
        """Raises ProviderError ``unavailable`` when it does not come up."""
        process, message = await cls.begin(_MODULE, WIRE, _START_S)
        if not isinstance(message, Hello):
            process.kill()
            reason = message.reason if isinstance(message, Failed) else "it said something else"
            raise ProviderError("unavailable", f"eSpeak NG does not start: {reason}", retry=False)
        process.hello = message
        return process

    async def speak(self, text: str, voice: str, rate: int, pitch: int) -> AsyncGenerator[bytes, None]:
        self._job += 1
        self.busy = True
        self.send(Speak(self._job, text, voice, rate, pitch))
        while True:
            match await self.next(_SILENT_S):
                case Audio(job, data) if job == self._job:
                    yield data
                case End(job, error) if job == self._job:
                    self.busy = False
                    if error == "cancelled":
                        raise ProviderError("preempted")
                    if error:
                        raise ProviderError(error, retry=False)
                    return
                case other:
                    self.kill()
                    raise ProviderError(
                        "crashed", f"the synthesis process said {type(other).__name__} unasked"
                    )

    def cancel(self) -> None:
        """The sentence that is being spoken ends, with the error ``preempted`` for whoever reads it."""
        if self.busy:
            self.send(Cancel(self._job))

    async def settle(self) -> None:
        """Reads to the end of a sentence that nobody wants any more. Raises ProviderError."""
        while self.busy:
            match await self.next(_SILENT_S):
                case End(job, _) if job == self._job:
                    self.busy = False

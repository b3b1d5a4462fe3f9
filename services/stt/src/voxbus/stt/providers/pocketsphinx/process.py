"""One recognition process, seen from the worker that started it."""

from __future__ import annotations

from typing import Final

from voxbus.common.children.process import ChildProcess
from voxbus.common.errors import ProviderError
from voxbus.stt.providers.pocketsphinx.wire import (
    WIRE,
    Failed,
    Grammar,
    Hello,
    Message,
    Recognize,
    Recognized,
)

_MODULE: Final = "voxbus.stt.providers.pocketsphinx.child"
_START_S: Final = 60.0
#: The longest audio takes some 2 s of a CPU; a machine may be busy.
_ANSWER_S: Final = 10.0


class Process(ChildProcess[Message]):
    """One request at a time. ``grammars``: the keys that it was sent. ``requests``: how many there were."""

    grammars: set[str]
    requests: int = 0

    @classmethod
    async def start(cls) -> Process:
        """Raises ProviderError ``unavailable`` when it does not come up."""
        process, message = await cls.begin(_MODULE, WIRE, _START_S)
        if not isinstance(message, Hello):
            process.kill()
            reason = message.reason if isinstance(message, Failed) else "it said something else"
            raise ProviderError("unavailable", f"PocketSphinx does not start: {reason}", retry=False)
        process.grammars = set()
        return process

    def learn(self, grammar: Grammar) -> None:
        """Sends a grammar ahead of need, once."""
        if grammar.key not in self.grammars:
            self.grammars.add(grammar.key)
            self.send(grammar)

    async def recognize(self, grammar: Grammar, audio: bytes) -> Recognized:
        """Raises ProviderError: ``failed``, or ``crashed`` or ``stalled`` where it is killed.

        Must not be cancelled: the answer would be taken for that to the next request. (It would be noticed, which
        costs the process.)
        """
        self.learn(grammar)
        self.requests += 1
        self.send(Recognize(self.requests, grammar.key, audio))
        match await self.next(_ANSWER_S):
            case Recognized(number=number) as answer if number == self.requests:
                return answer
            case Failed(number, reason) if number == self.requests:
                raise ProviderError("failed", reason, retry=False)
            case other:
                raise self.unasked(other)

"""The audio of one sentence on its way to the gateway.

Audio is not stored anywhere between us, so a piece that was sent while the bus or the gateway was away is nowhere.
When all is sent, the gateway is asked from where on it wants the sentence (again), until it wants no more of it.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

import msgpack

from voxbus.common import subjects
from voxbus.common.bus import Bus, Job
from voxbus.common.codec import AudioOut, AudioWanted, pack
from voxbus.common.errors import BusUnavailable
from voxbus.common.events import Sentence
from voxbus.common.telemetry import counter
from voxbus.tts.core_pieces import Piece

#: How long audio waits for its connection before the job goes to another worker.
_SEND_S: Final = 1.0
_SEND_RETRY_S: Final = 0.01
#: How long nobody may have the call. A gateway that reconnects needs less; where it died, `resumed` will be a job.
_NOBODY_S: Final = 1.5
_NOBODY_RETRY_S: Final = 0.05
#: What was sent so often and is still wanted never arrives.
_ROUNDS: Final = 3

_SENT_AGAIN = counter("tts_sent_again", "Sentences of which the gateway wanted something a second time.")
_UNDELIVERED = counter("tts_undelivered", "Sentences that no gateway took, or not whole.")


class Delivery:
    """``started_s``: monotonic, when the job began."""

    def __init__(self, bus: Bus, job: Job, sentence: Sentence, started_s: float) -> None:
        self._bus = bus
        self._job = job
        self._sentence = sentence
        self._started_s = started_s
        self._pieces: list[Piece] = []

    async def send(self, piece: Piece) -> None:
        """Raises BusUnavailable when the connection takes nothing for a second."""
        self._pieces.append(piece)
        await self._publish(piece)

    async def arrive(self) -> None:
        """Returns when the gateway has all that it wants, or nobody can be found who wants it."""
        deadline_s = time.monotonic() + _NOBODY_S
        for sent_again in range(_ROUNDS):
            answer = await self._ask() or await self._somebody(deadline_s)
            if answer is None:
                break
            wanted_from: int | None = msgpack.unpackb(answer)
            if wanted_from is None:
                return
            if not sent_again:
                _SENT_AGAIN.inc()
            for piece in self._pieces:
                if piece.last or piece.offset + len(piece.audio) > wanted_from:
                    await self._publish(piece)
        _UNDELIVERED.inc()

    async def _somebody(self, deadline_s: float) -> bytes | None:
        """The answer of whoever has the call by then."""
        # A gateway that died leaves many sentences to wait like this one, while its calls want to be spoken to again.
        with self._job.standing_by():
            while time.monotonic() < deadline_s:
                self._job.progress()
                await asyncio.sleep(_NOBODY_RETRY_S)
                if (answer := await self._ask()) is not None:
                    return answer
        return None

    async def _ask(self) -> bytes | None:
        of = self._sentence
        question = AudioWanted(of.turn, of.attempt, of.index, self._job.received_ms)
        return await self._bus.audio.ask(subjects.audio_wanted(of.call), pack(question))

    async def _publish(self, piece: Piece) -> None:
        of = self._sentence
        message = pack(
            AudioOut(
                of.turn,
                of.attempt,
                of.index,
                self._job.received_ms,
                piece.offset,
                piece.last,
                (time.monotonic() - self._started_s) * 1000,
                piece.audio,
            )
        )
        subject = subjects.audio_out(of.call)
        deadline_s = time.monotonic() + _SEND_S
        # Unlike a caller's frame this audio is early, not late: it can wait until the connection takes it.
        while not self._bus.audio.publish(subject, message):
            if time.monotonic() > deadline_s:
                raise BusUnavailable("the audio connection takes no messages")
            await asyncio.sleep(_SEND_RETRY_S)

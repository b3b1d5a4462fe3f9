"""What a turn costs besides the silence that ends it: whole calls over real processes and sockets.

The caller of each call asks the same question again and again. Overhead is the caller's last sound to the first agent
frame that is sent, less the silence that is waited for on purpose, and less the work of the embedded recognizer.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Final

from voxbus.common.bus import Bus, BusConfig
from voxbus.common.latency import Latency
from voxbus.devkit.caller import Caller
from voxbus.devkit.carrier import CallPlan, Carrier
from voxbus.devkit.demo.story import turns
from voxbus.devkit.speech import Speech, speak
from voxbus.devkit.stack import Stack

#: In the grammar of the default agent in all its states, with an answer that is short.
QUESTION: Final = "what should i bring"

SILENCE_MS: Final = 500

#: Calls begin one after the other, as they do in life: a hundred callers who speak in chorus measure the chorus.
APART_S: Final = 0.13


async def measure_turns(calls: int, questions: int) -> list[Latency]:
    """The latencies of all answers of ``calls`` calls at once.

    Raises an ExceptionGroup of ScriptFailed when calls go wrong, after all have ended: numbers of the others would be
    those of a smaller house.
    """
    environment = {
        "TWILIO_VALIDATE": "off",
        "SILENCE_DURATION_MS": str(SILENCE_MS),
        "STT_CALLS": str(calls),
    }
    question = await asyncio.to_thread(speak, QUESTION)
    unasked = {"scheduler": 0, "reporter": 0}
    async with Stack(counts=unasked, env=environment) as stack, Carrier() as carrier:
        held = await asyncio.gather(
            *(_call(carrier, stack.gateway_url, question, questions, i * APART_S) for i in range(calls)),
            return_exceptions=True,
        )
        if failed := [error for error in held if isinstance(error, Exception)]:
            raise ExceptionGroup(f"{len(failed)} of {calls} calls went wrong", failed)
        sids = [sid for sid in held if isinstance(sid, str)]
        bus = await Bus.connect(BusConfig(url=stack.nats_url, name="bench"))
        try:
            logs = [await bus.read_log(sid) for sid in sids]
        finally:
            await bus.close()
    told = [turn for log in logs for turn in turns(log, 0.0)]
    return [turn.latency for turn in told if turn.cause == "speech" and turn.latency is not None]


async def _call(carrier: Carrier, gateway_url: str, question: Speech, questions: int, after_s: float) -> str:
    async def script(caller: Caller) -> None:
        await caller.listen()
        for _ in range(questions):
            await caller.say(question)
            await caller.listen()

    await asyncio.sleep(after_s)
    plan = CallPlan(voice_url=f"{gateway_url}/twilio/voice", status_url=f"{gateway_url}/twilio/status")
    result = await carrier.call(plan, Caller(script))
    return result.call_sid


def lines(latencies: Sequence[Latency], calls: int) -> Iterator[str]:
    yield f"a turn, {calls} call{'s' if calls > 1 else ''} at once, {len(latencies)} turns{'':<20} p50        p95"
    for field in fields(Latency):
        values = [getattr(latency, field.name) for latency in latencies]
        yield _line(field.name.removesuffix("_ms").replace("_", " "), values)
    spent = [x.total_ms - SILENCE_MS for x in latencies]
    yield _line(f"total less {SILENCE_MS} ms of silence", spent)
    recognized = [x.recognition_ms for x in latencies]
    yield _line("overhead: that less recognition", [a - b for a, b in zip(spent, recognized, strict=True)])


def _line(name: str, values: Sequence[float]) -> str:
    return f"  {name:<44} {percentile(values, 0.5):>7.1f} ms {percentile(values, 0.95):>7.1f} ms"


def percentile(values: Sequence[float], part: float) -> float:
    """The nearest-rank percentile; 0 of nothing."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)] if ordered else 0.0

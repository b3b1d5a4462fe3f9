"""What a turn costs besides the silence that ends it: whole calls over real processes and sockets.

The caller of each call asks the same question again and again. Overhead is the caller's last sound to the first agent
frame that is sent, less the silence that is waited for on purpose, and less the work of the embedded recognizer.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Final

from voxbus.common.bus import Bus
from voxbus.common.latency import Latency
from voxbus.devkit.bench.cpu import cpu_seconds
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


#: The services that work for a call while it lasts.
_ASKED: Final = ("gateway", "stt", "llm", "tts")


@dataclass(frozen=True)
class Measured:
    """``cpu_s``: CPU time by service while the calls lasted; ``held_s``: how long, all calls added up."""

    latencies: list[Latency]
    cpu_s: dict[str, float]
    held_s: float


async def measure_turns(calls: int, questions: int) -> Measured:
    """All answers of ``calls`` calls at once.

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
        before = _cpu(stack)
        held = await asyncio.gather(
            *(_call(carrier, stack.gateway_url, question, questions, i * APART_S) for i in range(calls)),
            return_exceptions=True,
        )
        if failed := [error for error in held if isinstance(error, Exception)]:
            raise ExceptionGroup(f"{len(failed)} of {calls} calls went wrong", failed)
        sids = [sid for sid in held if isinstance(sid, str)]
        cpu_s = {service: spent - before[service] for service, spent in _cpu(stack).items()}
        bus = await Bus.connect(stack.bus_config("bench"))
        try:
            logs = [await bus.read_log(sid) for sid in sids]
        finally:
            await bus.close()
    told = [turn for log in logs for turn in turns(log, 0.0)]
    spoken = [turn.latency for turn in told if turn.cause == "speech" and turn.latency is not None]
    return Measured(spoken, cpu_s, sum(log[-1].time_s - log[0].time_s for log in logs))


def _cpu(stack: Stack) -> dict[str, float]:
    return {
        **{name: cpu_seconds(stack.children[child].pid for child in stack.names(name)) for name in _ASKED},
        "nats": cpu_seconds([stack.nats.pid]),
    }


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

"""Answers that took longer than this call's others, and which stage it was."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import fields
from typing import Final

from voxbus.common.latency import Latency
from voxbus.devkit.demo.story import Turn

STAGES: Final = {
    "endpointing_ms": "waiting for the end of what the caller said",
    "recognition_ms": "recognition",
    "tools_ms": "the tools that it asked",
    "first_token_ms": "the model's first word",
    "sentence_ms": "the model's first sentence",
    "synthesis_ms": "synthesis",
    "rest_ms": "the way between the services (the bus, a queue, a worker that died)",
}

#: An answer, or a stage of it, is slow at so much times what is usual in the call, and this much longer at least:
#: callers do not notice less.
TIMES: Final = 1.5
LONGER_MS: Final = 300.0
#: From here on callers ask whether anybody is there, whatever is usual in the call.
SLOW_MS: Final = 2000.0
#: On the bus a turn spends a few tens of ms. This much means a job that came back from a worker which died with it.
LOST_MS: Final = 900.0


def usual(turns: Sequence[Turn]) -> Latency | None:
    """The median of each stage of the answers to speech, of an even number the lower; None when there were none."""
    found = _spoken(turns)
    if not found:
        return None
    return Latency(
        **{f.name: statistics.median_low([getattr(x, f.name) for _, x in found]) for f in fields(Latency)}
    )


def slow(turns: Sequence[Turn]) -> dict[int, str]:
    """What to say of each slow answer, by turn."""
    middle = usual(turns)
    if middle is None:
        return {}
    return {
        turn.number: _words(latency, middle)
        for turn, latency in _spoken(turns)
        if _longer(latency.total_ms, middle.total_ms)
        or latency.total_ms >= SLOW_MS
        or latency.rest_ms >= LOST_MS
    }


def _spoken(turns: Sequence[Turn]) -> list[tuple[Turn, Latency]]:
    return [(turn, turn.latency) for turn in turns if turn.cause == "speech" and turn.latency is not None]


def _longer(ms: float, usual_ms: float) -> bool:
    return ms >= max(usual_ms * TIMES, usual_ms + LONGER_MS)


def _words(latency: Latency, middle: Latency) -> str:
    usually = _usually(latency.total_ms, middle.total_ms)
    total = f"answered {latency.total_ms:.0f} ms after the caller's last word{usually}"
    spent = {stage: getattr(latency, stage) for stage in STAGES}
    guilty = [stage for stage, ms in spent.items() if _longer(ms, getattr(middle, stage))]
    # When all of the call is slow, or it is a little of everything: where most of the time went.
    guilty = guilty or [max(spent, key=lambda stage: spent[stage])]
    stages = ", ".join(
        f"{STAGES[stage]} took {spent[stage]:.0f} ms{_usually(spent[stage], getattr(middle, stage))}"
        for stage in sorted(guilty, key=lambda stage: -spent[stage])
    )
    return f"{total}: {stages}"


def _usually(ms: float, usual_ms: float) -> str:
    return f" (in this call usually {usual_ms:.0f})" if _longer(ms, usual_ms) else ""

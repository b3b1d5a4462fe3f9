"""What a run leaves behind: the toll as JSON, and the story of each call that had to suffer."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from voxbus.devkit.chaos.core_cost import DEAD_AIR_MS, Cost
from voxbus.devkit.chaos.core_turns import Turn
from voxbus.devkit.chaos.facts import CallFacts, Death, Facts
from voxbus.devkit.core_narrate import narrate


def write(directory: Path, options: Mapping[str, Any], facts: Facts, cost: Cost, began_s: float) -> Path:
    """Returns the path of the JSON file; the stories lie beside it in ``calls/``."""
    told = {
        "options": {
            name: str(value) if isinstance(value, Path) else value for name, value in options.items()
        },
        "totals": dataclasses.asdict(cost.totals) | {"failures": cost.totals.failures()},
        "deaths": [
            dataclasses.asdict(death)
            | {"at_s": round(death.at_s - began_s, 3), "back_s": round(death.back_s - began_s, 3)}
            | dataclasses.asdict(toll)
            for death, toll in cost.deaths
        ],
        "turns": [_turn(turn, began_s) for turn in cost.turns],
        "simulator_late_ms": max((call.late_ms for call in facts.calls), default=0.0),
        "problems": {call.sid: call.problem for call in facts.calls if call.problem},
    }
    path = directory / "toll.json"
    path.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    suffered = {turn.sid for turn in cost.turns if _suffered(turn)} | set(cost.totals.calls_lost)
    (directory / "calls").mkdir(exist_ok=True)
    for call in facts.calls:
        if call.sid in suffered:
            lines = story(call, facts.deaths, [turn for turn in cost.turns if turn.sid == call.sid])
            (directory / "calls" / f"{call.sid}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _suffered(turn: Turn) -> bool:
    words = turn.lost or turn.twice or turn.unsaid or turn.repeated
    return turn.silence_ms > DEAD_AIR_MS or not turn.answered or bool(words)


def _turn(turn: Turn, began_s: float) -> dict[str, Any]:
    return dataclasses.asdict(turn) | {
        "asked": turn.asked.question.name,
        "by": turn.asked.by,
        "start_s": round(turn.start_s - began_s, 3),
        "end_s": round(turn.end_s - began_s, 3),
    }


def story(call: CallFacts, deaths: tuple[Death, ...], turns: list[Turn]) -> Iterator[str]:
    """Everything that is known of a call, in order: log, line, caller, deaths. Seconds on its recording."""
    told = [(stored.time_s, f"{stored.event.kind:<20} {narrate(stored.event)}") for stored in call.log]
    told += [(call.began_s + m.at_ms / 1000, f"  line: {m.what} {m.detail}") for m in call.line]
    told += [(death.at_s, f"--- {death.name} (pid {death.pid}) is killed") for death in deaths]
    told += [(death.back_s, f"--- {death.name} is back") for death in deaths]
    told += [
        (
            turn.start_s,
            f"=== asks “{turn.asked.text}”: silence {turn.silence_ms:.0f} ms, lost {turn.lost}, twice {turn.twice}, "
            f"unsaid {turn.unsaid}, said again {turn.repeated}",
        )
        for turn in turns
    ]
    return (f"{time_s - call.began_s:8.3f}  {what}" for time_s, what in sorted(told, key=lambda one: one[0]))

"""``summary.json``: what happened in a call and where its time went, from the log and from the carrier's end.

The two are independent: latencies of the services come from the events, voice to voice, reaction and silence from
the recording. Pure.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from voxbus.common.audio import active_level_dbfs, peak_dbfs
from voxbus.common.events import Dtmf, Paused, ReportDelivered, Stored
from voxbus.devkit.demo.facts import CarrierFacts, Kill, Order, Pressed
from voxbus.devkit.demo.measure import (
    Backchannel,
    Interruption,
    MeasuredTurn,
    WorkerKill,
    backchannels,
    interruptions,
    measure_kill,
    measure_turn,
)
from voxbus.devkit.demo.recording import Recording, audible
from voxbus.devkit.demo.story import counted, of_kind, turns

SILENCE_DBFS = -100.0


@dataclass(frozen=True)
class Levels:
    """dBFS, ``SILENCE_DBFS`` at least. Active level: of speech alone, pauses left out."""

    agent_active_dbfs: float
    agent_peak_dbfs: float
    caller_active_dbfs: float


@dataclass(frozen=True)
class Check:
    """Something that had to happen. ``detail``: what was seen, and when it failed what was expected."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True)
class Summary:
    """``report_delivered``: so says the log; ``outcome``: so says the report that the scheduler stored, empty when it
    has none. ``order`` is None for a call in."""

    call: str
    direction: str
    agent: str
    started_s: float
    duration_ms: float
    ended: str
    last_verb: str
    last_verb_from: str
    turns: tuple[MeasuredTurn, ...]
    interruptions: tuple[Interruption, ...]
    backchannels: tuple[Backchannel, ...]
    keys: tuple[Pressed, ...]
    kills: tuple[WorkerKill, ...]
    warnings: tuple[str, ...]
    simulator_late_ms: float
    levels: Levels
    report_delivered: bool
    outcome: str = ""
    order: Order | None = None
    checks: tuple[Check, ...] = ()

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    def with_checks(self, checks: Sequence[Check]) -> Summary:
        return replace(self, checks=tuple(checks))

    def median_voice_to_voice_ms(self) -> float | None:
        """Of the turns that answered speech (greeting and key presses wait for something else) and lost no worker."""
        killed = {kill.turn for kill in self.kills if kill.moment == "first_word"}
        spoken = [t for t in self.turns if t.turn.cause == "speech" and t.turn.number not in killed]
        seen = [t.voice_to_voice_ms for t in spoken if t.voice_to_voice_ms is not None]
        return round(statistics.median(seen), 1) if seen else None

    def as_json(self) -> dict[str, Any]:
        whole = asdict(self)
        whole["turns"] = [{**t.pop("turn"), **t} for t in whole["turns"]]
        return {**whole, "passed": self.passed, "median_voice_to_voice_ms": self.median_voice_to_voice_ms()}


def summarize(
    log: Sequence[Stored], facts: CarrierFacts, recording: Recording, kills: Sequence[Kill] = ()
) -> Summary:
    told = turns(log, facts.zero_s)
    state, log = counted(log)
    caller = audible(recording.caller, recording.hz)
    agent = audible(recording.agent, recording.hz, join_ms=60)
    measured = tuple(measure_turn(turn, caller, agent) for turn in told)
    held = frozenset(e.turn for _, e in of_kind(log, Paused))
    return Summary(
        call=facts.call,
        direction=state.started.direction if state.started else "",
        agent=state.started.agent.name if state.started else "",
        started_s=facts.zero_s,
        duration_ms=round(recording.duration_ms, 1),
        ended=state.ended.reason if state.ended else "",
        last_verb=facts.last_verb,
        last_verb_from=facts.last_verb_from,
        turns=measured,
        interruptions=interruptions(log, facts, caller, agent),
        backchannels=backchannels(log, facts),
        keys=tuple(Pressed(e.digit, e.media_ms) for _, e in of_kind(log, Dtmf)),
        kills=tuple(measure_kill(kill, measured, agent, held) for kill in kills),
        warnings=facts.warnings,
        simulator_late_ms=facts.late_ms,
        levels=Levels(
            agent_active_dbfs=_level(active_level_dbfs(recording.agent, recording.hz)),
            agent_peak_dbfs=_level(peak_dbfs(recording.agent)),
            caller_active_dbfs=_level(active_level_dbfs(recording.caller, recording.hz)),
        ),
        report_delivered=isinstance(state.reported, ReportDelivered),
    )


def _level(dbfs: float) -> float:
    # Digital silence is minus infinity, which JSON cannot say.
    return round(max(dbfs, SILENCE_DBFS), 1)

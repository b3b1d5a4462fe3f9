"""The toll as lines for a person to read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from voxbus.devkit.chaos.core_cost import Cost, Toll
from voxbus.devkit.chaos.facts import Death

_HEADING = (
    f"{'at':>7}  {'killed':<12} {'back after':>10}  {'calls held, taken over':<24} {'turns':>5} {'noticed':>7}  "
    f"{'extra silence':<19} {'dead air':>8}  words"
)


def death_line(death: Death, began_s: float) -> str:
    held = f", which has {len(death.held)} calls" if death.held else ""
    return f"  {death.at_s - began_s:6.1f} s  {death.name} is killed{held}"


def report(cost: Cost, began_s: float) -> Iterator[str]:
    yield _HEADING
    for death, toll in cost.deaths:
        back = f"{death.back_s - death.at_s:.1f} s" if death.back_s else "never"
        yield (
            f"{death.at_s - began_s:6.1f}s  {death.name:<12} {back:>10}  {_taken(death, toll):<24} {toll.turns:>5} "
            f"{toll.noticed:>7}  {_spread(toll.extra_ms):<19} {toll.dead_air:>8}  {_words(toll)}"
        )
    totals = cost.totals
    yield ""
    yield (
        f"{totals.calls} calls, {totals.turns} turns, {len(cost.deaths)} deaths; a turn that no death touched has a "
        f"silence of {totals.usual_ms:.0f} ms (median of the longest in each)"
    )
    for what, count in (
        ("calls lost", len(totals.calls_lost)),
        ("reports lost", len(totals.reports_lost)),
        ("reports doubled", len(totals.reports_doubled)),
        ("numbers dialled twice", len(totals.dialled_twice)),
        ("questions without an answer", totals.unanswered),
        ("turns with dead air over 2 s", totals.dead_air),
        ("   and such that no death touched", totals.dead_air_calm),
        ("questions asked while there was no stream", totals.offline),
        ("words of callers lost", totals.lost),
        ("words of callers understood twice", totals.twice),
        ("words of the agent unsaid", totals.unsaid),
        ("words of the agent said again", totals.repeated),
        ("words misheard where no death was near", totals.misheard),
    ):
        yield f"  {what:<40} {count:>5}"


def _taken(death: Death, toll: Toll) -> str:
    return f"{len(death.held)}, {_spread(toll.taken_ms)}" if death.held else ""


def _spread(worst_first: Sequence[float]) -> str:
    """Median and worst."""
    return f"{median(worst_first):.0f} ms, worst {worst_first[0]:.0f}" if worst_first else "-"


def _words(toll: Toll) -> str:
    told = (
        ("lost", toll.lost),
        ("twice", toll.twice),
        ("unsaid", toll.unsaid),
        ("said again", toll.repeated),
    )
    return ", ".join(f"{count} {what}" for what, count in told if count) or "-"

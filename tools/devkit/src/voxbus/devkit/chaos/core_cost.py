"""What each death cost the callers, and all of them together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from voxbus.common.events import Attached, EndReason
from voxbus.common.fold import fold
from voxbus.devkit.chaos.core_turns import Turn, sentence_lengths, turns_of
from voxbus.devkit.chaos.facts import CallFacts, Death, Facts

#: A turn may feel a death so long after its successor is there: leases run out, and work comes back.
AFTERMATH_S: Final = 2.0
#: And after the death itself, where others go on with the work: nobody waits for the successor then.
TAKEOVER_S: Final = 2.0
#: Less is not noticed by anybody, and happens without deaths as well.
NOTICED_MS: Final = 250.0
#: Longer than this nobody believes that the line is alive.
DEAD_AIR_MS: Final = 2000.0

_GOOD_ENDS: Final[tuple[EndReason, ...]] = ("agent_hung_up", "caller_hung_up")


@dataclass(frozen=True)
class Toll:
    """``turns`` were under way, ``noticed`` of them were silent for longer than such a turn is, then or right after it.
    ``extra_ms``: how much longer, one entry each of these, the worst first. ``dead_air``: silences over 2 s.
    ``taken_ms``: after how long each call that the process held had another holder, the worst first.

    Words: see ``Turn``. What two deaths did to one turn is told of both.
    """

    turns: int
    calls: int
    extra_ms: tuple[float, ...]
    taken_ms: tuple[float, ...]
    dead_air: int
    lost: int
    twice: int
    unsaid: int
    repeated: int

    @property
    def noticed(self) -> int:
        return len(self.extra_ms)


@dataclass(frozen=True)
class Totals:
    """``usual_ms``: the median longest silence of a turn that no death touched; ``misheard``: words lost or too many
    in such turns, which is the recognizer's own work. ``offline``: turns that were asked while the carrier had no
    stream to us; they count nowhere else, for nobody can answer what never arrived."""

    calls: int
    calls_lost: tuple[str, ...]
    turns: int
    usual_ms: float
    misheard: int
    dead_air: int
    dead_air_calm: int
    offline: int
    unanswered: int
    lost: int
    twice: int
    unsaid: int
    repeated: int
    reports_lost: tuple[str, ...]
    reports_doubled: tuple[str, ...]
    dialled_twice: tuple[str, ...]

    def failures(self) -> list[str]:
        """What must not happen and did; empty = nothing."""
        found = {
            "calls lost": len(self.calls_lost),
            "reports lost": len(self.reports_lost),
            "reports doubled": len(self.reports_doubled),
            "numbers dialled twice": len(self.dialled_twice),
            "turns with dead air over 2 s": self.dead_air,
            "questions without an answer": self.unanswered,
        }
        return [f"{what}: {count}" for what, count in found.items() if count]


@dataclass(frozen=True)
class Cost:
    """``turns``: all there were, in the order of the calls."""

    deaths: tuple[tuple[Death, Toll], ...]
    totals: Totals
    turns: tuple[Turn, ...] = ()


def cost_of(facts: Facts) -> Cost:
    lengths = sentence_lengths(facts.calls)
    turns = [turn for call in facts.calls for turn in turns_of(call, lengths, facts.deaths)]
    calm = [turn for turn in turns if not any(touches(death, turn) for death in facts.deaths)]
    usual = _usual(turns, calm)
    tolls = tuple(
        (
            death,
            _toll(death, [turn for turn in turns if touches(death, turn)], usual, _taken_ms(death, facts)),
        )
        for death in facts.deaths
    )
    return Cost(tolls, _totals(facts, turns, calm), tuple(turns))


def touches(death: Death, turn: Turn) -> bool:
    """Whether ``turn`` was under way, or began, while work of the dead process may have been missing."""
    until_s = death.at_s + TAKEOVER_S
    if death.service == "nats":  # there is only one
        until_s = (death.back_s or death.at_s) + AFTERMATH_S
    return turn.start_s <= until_s and turn.end_s >= death.at_s


def _falls_silent(death: Death, turn: Turn) -> bool:
    """Whether the longest silence of the turn was not over yet when it died."""
    return turn.silent_until_s >= death.at_s


def _taken_ms(death: Death, facts: Facts) -> tuple[float, ...]:
    found = []
    for call in facts.calls:
        if call.sid in death.held:
            taken_s = (stored.time_s for stored in call.log if isinstance(stored.event, Attached))
            found += [1000 * (at_s - death.at_s) for at_s in taken_s if at_s > death.at_s][:1]
    return tuple(sorted(found, reverse=True))


def _usual(turns: Sequence[Turn], calm: Sequence[Turn]) -> Callable[[Turn], float]:
    """The median longest silence of an undisturbed turn like this one: the same question, asked the same way. Where a
    run was so busy dying that none was, of all turns that were asked this way: speech takes longer than a key."""

    def usual(turn: Turn) -> float:
        for like, among in ((_same_question, calm), (_same_way, calm), (_same_way, turns)):
            if found := [other.silence_ms for other in among if like(other) == like(turn)]:
                return median(found)
        return 0.0

    return usual


def _same_question(turn: Turn) -> object:
    return turn.asked.question, turn.asked.by


def _same_way(turn: Turn) -> object:
    return turn.asked.by


def _toll(
    death: Death, turns: Sequence[Turn], usual: Callable[[Turn], float], taken_ms: tuple[float, ...]
) -> Toll:
    silent = [turn for turn in turns if _falls_silent(death, turn)]
    extra = sorted((turn.silence_ms - usual(turn) for turn in silent), reverse=True)
    return Toll(
        len(turns),
        len({turn.sid for turn in turns}),
        tuple(ms for ms in extra if ms > NOTICED_MS),
        taken_ms,
        sum(turn.silence_ms > DEAD_AIR_MS for turn in silent),
        *_words(turns),
    )


def _words(turns: Iterable[Turn]) -> tuple[int, int, int, int]:
    listed = list(turns)
    return (
        sum(turn.lost for turn in listed),
        sum(turn.twice for turn in listed),
        sum(turn.unsaid for turn in listed),
        sum(turn.repeated for turn in listed),
    )


def _totals(facts: Facts, turns: Sequence[Turn], calm: Sequence[Turn]) -> Totals:
    undisturbed = set(map(id, calm))
    touched = [turn for turn in turns if id(turn) not in undisturbed and not turn.offline]
    lost, twice, unsaid, repeated = _words(touched)
    return Totals(
        calls=len(facts.calls),
        calls_lost=tuple(call.sid for call in facts.calls if is_lost(call)),
        turns=len(turns),
        usual_ms=median([turn.silence_ms for turn in calm]) if calm else 0.0,
        misheard=sum(turn.lost + turn.twice for turn in calm),
        dead_air=sum(turn.silence_ms > DEAD_AIR_MS for turn in touched),
        dead_air_calm=sum(turn.silence_ms > DEAD_AIR_MS for turn in calm),
        offline=sum(turn.offline for turn in turns),
        unanswered=sum(not (turn.answered or turn.offline) for turn in turns),
        lost=lost,
        twice=twice,
        unsaid=unsaid,
        repeated=repeated,
        reports_lost=tuple(call.sid for call in facts.calls if call.log and not _reported(facts, call.sid)),
        reports_doubled=tuple(sid for sid, delivered in facts.reports.items() if delivered.bodies > 1),
        dialled_twice=tuple(order for order, times in facts.dialled.items() if times > 1),
    )


def is_lost(call: CallFacts) -> bool:
    """The caller gave up, or the log does not end as the conversation did."""
    ended = fold(call.log).ended
    return bool(call.problem) or ended is None or ended.reason not in _GOOD_ENDS


def _reported(facts: Facts, sid: str) -> bool:
    delivered = facts.reports.get(sid)
    return delivered is not None and delivered.taken

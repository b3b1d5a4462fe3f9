"""Which contact is called next, when one is called again, and when a campaign had better stop. Pure.

The database keeps for each contact the moment before which it need not be looked at. Whoever is due is judged here, at
that moment and once more in the second of dialling: dialled, put off, or dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

from voxbus.scheduler.core_carrier import NOT_DIALLED, WRONG_NUMBER
from voxbus.scheduler.core_rules import Campaign, House, Retried
from voxbus.scheduler.core_states import State
from voxbus.scheduler.core_window import day_of, next_open

#: A number that is being called is looked at again so much later.
BUSY_WITH_US_S: Final = 30.0
_DAY_S: Final = 86_400.0

#: What became of a contact. ``unknown`` is never tried again: it may have rung.
Result = Literal[
    "completed",
    "transferred",
    "voicemail",
    "no_answer",
    "busy",
    "canceled",
    "failed",
    "unknown",
    "do_not_call",
]


@dataclass(frozen=True)
class Number:
    """What is known of a telephone at this moment, whoever calls it.

    ``listed``: it is on the do-not-call list. ``in_air``: a call to it goes on, or may. ``dialled_s``: when it was
    dialled in the last two days, for any campaign or none.
    """

    zones: tuple[str, ...]
    listed: bool = False
    in_air: bool = False
    dialled_s: tuple[float, ...] = ()


@dataclass(frozen=True)
class Dial:
    """Now."""


@dataclass(frozen=True)
class NotBefore:
    """``why`` is one of: in_air, window, attempts."""

    at_s: float
    why: Literal["in_air", "window", "attempts"]


@dataclass(frozen=True)
class Done:
    result: Result


def judge(number: Number, campaign: Campaign, house: House, now_s: float) -> Dial | NotBefore | Done:
    """Whether a telephone may ring now."""
    if number.listed:
        return Done("do_not_call")
    if number.in_air:
        return NotBefore(now_s + BUSY_WITH_US_S, "in_air")
    opens_s = _opens(number.zones, campaign, house, now_s)
    if opens_s > now_s:
        return NotBefore(opens_s, "window")
    began_s, tomorrow_s = day_of(number.zones[0], now_s)
    if sum(dialled_s >= began_s for dialled_s in number.dialled_s) >= house.attempts_per_day:
        return NotBefore(_opens(number.zones, campaign, house, tomorrow_s), "attempts")
    return Dial()


C = TypeVar("C")


def choose(
    due: Iterable[tuple[C, Number, Campaign]], house: House, now_s: float
) -> tuple[C | None, list[tuple[C, NotBefore | Done]]]:
    """The first of ``due`` that may be dialled, and what is to be written down of those before it."""
    passed: list[tuple[C, NotBefore | Done]] = []
    for contact, number, campaign in due:
        verdict = judge(number, campaign, house, now_s)
        if isinstance(verdict, Dial):
            return contact, passed
        passed.append((contact, verdict))
    return None, passed


def first_s(zones: tuple[str, ...], campaign: Campaign, house: House, now_s: float) -> float | None:
    """When a new contact may be called first. None: the window never opens in all of its zones."""
    return next_open(house.hours(campaign.window), zones, now_s)


def after(
    state: State,
    error_code: str,
    attempts: int,
    zones: tuple[str, ...],
    campaign: Campaign,
    house: House,
    now_s: float,
) -> NotBefore | Done:
    """What follows from the end of a contact's call. ``attempts``: how often it was dialled, this time included."""
    if error_code == "do_not_call":
        return Done("do_not_call")
    if error_code in NOT_DIALLED:
        return NotBefore(_opens(zones, campaign, house, now_s), "window")
    outcome = _retried(state)
    if outcome is not None and error_code not in WRONG_NUMBER:
        retry = campaign.retry_after(outcome)
        if attempts < retry.attempts:
            return NotBefore(_opens(zones, campaign, house, now_s + retry.after_seconds), "window")
    return Done(result_of(state))


def _opens(zones: tuple[str, ...], campaign: Campaign, house: House, at_s: float) -> float:
    opens_s = first_s(zones, campaign, house, at_s)
    # Contacts for whom it never opens are refused when they come. The house's quiet hours may have changed since.
    return opens_s if opens_s is not None else at_s + _DAY_S


def _retried(state: State) -> Retried | None:
    match state:
        case "busy" | "no_answer" | "failed":
            return state
        case "voicemail":
            return "machine"
        case _:
            return None


def result_of(state: State) -> Result:
    """Of a call that has ended, or that nobody knows the end of."""
    match state:
        case (
            "completed"
            | "transferred"
            | "voicemail"
            | "no_answer"
            | "busy"
            | "canceled"
            | "failed"
            | "unknown"
        ):
            return state
        case _:
            raise ValueError(f"a call in the state {state} goes on")


@dataclass(frozen=True)
class Ended:
    """A call of the campaign that was dialled and has ended. ``why``: the carrier's code, or what the log says."""

    state: State
    why: str = ""

    @property
    def failed(self) -> bool:
        """A number that does not exist is the list's fault, and no reason to spare the others."""
        return self.state in ("failed", "unknown") and self.why not in WRONG_NUMBER


#: The breaker looks back so far, and at no fewer calls.
BREAKER_S: Final = 120.0
BREAKER_CALLS: Final = 5


def breaker(ended: Sequence[Ended]) -> str:
    """Why the campaign must pause, from its calls of the last ``BREAKER_S``; empty = it need not."""
    failed = [call for call in ended if call.failed]
    if len(ended) < BREAKER_CALLS or len(failed) * 2 < len(ended):
        return ""
    whys = [call.why for call in failed if call.why]
    most = max(sorted(set(whys)), key=whys.count) if whys else "no reason was given"
    return f"{len(failed)} of {len(ended)} calls failed within {BREAKER_S:.0f} s; most often: {most}"


def without_agent(words: str) -> str:
    """Why the campaign must pause when a call of it found no agent that could hold it, for the reason ``words``."""
    return f"no call can be held: {words.rstrip('.')}; resume it when that is mended"


@dataclass(frozen=True)
class Air:
    """How many calls go on, and what for is room. ``unanswered``: those that no worker has taken up yet.

    ``free``: how many more calls the workers could take; None = nobody knows.
    """

    in_air: int
    most: int
    unanswered: int
    free: int | None

    def room(self) -> Literal["", "calls_in_air", "no_capacity"]:
        """Why no more may be dialled now; empty = there is room."""
        if self.in_air >= self.most:
            return "calls_in_air"
        if self.free is None or self.free <= self.unanswered:
            return "no_capacity"
        return ""

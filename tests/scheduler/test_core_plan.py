"""Who is called next, and again; and a whole day of ten thousand contacts, on virtual time."""

from __future__ import annotations

import heapq
import random
from collections import Counter, deque
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxbus.scheduler.core_plan import (
    Air,
    Dial,
    Done,
    Ended,
    NotBefore,
    Number,
    after,
    breaker,
    choose,
    first_s,
    judge,
)
from voxbus.scheduler.core_rules import Campaign, House, Retry, Window
from voxbus.scheduler.core_states import State
from voxbus.scheduler.core_window import day_of, is_open, span

HOUSE = House(quiet=span("21:00-08:00"), attempts_per_day=3)
CAMPAIGN = Campaign(name="reminders", agent="reminder")
NEW_YORK = ("America/New_York",)


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(NEW_YORK[0])).timestamp()


NOON = at("2026-03-03T12:00")


def test_a_number_that_is_free_is_dialled() -> None:
    assert judge(Number(NEW_YORK), CAMPAIGN, HOUSE, NOON) == Dial()


def test_a_listed_number_is_dropped_whatever_the_hour() -> None:
    for now_s in (NOON, at("2026-03-03T23:00")):
        assert judge(Number(NEW_YORK, listed=True), CAMPAIGN, HOUSE, now_s) == Done("do_not_call")


def test_a_number_in_the_air_waits() -> None:
    verdict = judge(Number(NEW_YORK, in_air=True), CAMPAIGN, HOUSE, NOON)
    assert verdict == NotBefore(NOON + 30, "in_air")


def test_after_hours_means_tomorrow_morning() -> None:
    verdict = judge(Number(NEW_YORK), CAMPAIGN, HOUSE, at("2026-03-03T20:00"))
    assert verdict == NotBefore(at("2026-03-04T09:00"), "window")


def test_the_calls_of_a_day_are_counted_by_the_callees_calendar() -> None:
    dialled = (at("2026-03-02T19:00"), at("2026-03-03T09:00"), at("2026-03-03T10:00"))
    assert judge(Number(NEW_YORK, dialled_s=dialled), CAMPAIGN, HOUSE, NOON) == Dial()
    verdict = judge(Number(NEW_YORK, dialled_s=(*dialled, NOON - 60)), CAMPAIGN, HOUSE, NOON)
    assert verdict == NotBefore(at("2026-03-04T09:00"), "attempts")


def test_the_first_that_may_be_dialled_is_chosen_and_the_others_are_told_why_not() -> None:
    due = [
        ("a", Number(NEW_YORK, listed=True), CAMPAIGN),
        ("b", Number(("Asia/Tokyo",)), CAMPAIGN),
        ("c", Number(NEW_YORK), CAMPAIGN),
        ("d", Number(NEW_YORK), CAMPAIGN),
    ]
    chosen, passed = choose(due, HOUSE, NOON)
    assert chosen == "c"
    assert [(who, type(verdict)) for who, verdict in passed] == [("a", Done), ("b", NotBefore)]
    assert choose(due[:2], HOUSE, NOON)[0] is None


def end(state: State, attempts: int, *, code: str = "", campaign: Campaign = CAMPAIGN) -> NotBefore | Done:
    return after(state, code, attempts, NEW_YORK, campaign, HOUSE, NOON)


@pytest.mark.parametrize(
    ("state", "attempts", "then"),
    [
        ("completed", 1, "completed"),
        ("transferred", 1, "transferred"),
        ("unknown", 1, "unknown"),
        ("canceled", 1, "canceled"),
        ("voicemail", 1, "voicemail"),
        ("busy", 1, 900),
        ("busy", 3, "busy"),
        ("no_answer", 1, 4 * 3600),
        ("failed", 1, 1800),
        ("failed", 2, "failed"),
    ],
)
def test_what_follows_from_an_outcome(state: State, attempts: int, then: str | float) -> None:
    verdict = end(state, attempts)
    if isinstance(then, str):
        assert verdict == Done(then)  # type: ignore[arg-type]
    else:
        assert verdict == NotBefore(NOON + then, "window")


def test_a_campaign_may_say_how_often_machines_are_called() -> None:
    campaign = CAMPAIGN.model_copy(update={"retry": {"machine": Retry(after_seconds=60, attempts=2)}})
    assert end("voicemail", 1, campaign=campaign) == NotBefore(NOON + 60, "window")
    assert end("voicemail", 2, campaign=campaign) == Done("voicemail")
    assert end("busy", 1, campaign=campaign) == NotBefore(NOON + 900, "window")


def test_a_retry_that_falls_into_the_night_waits_for_the_morning() -> None:
    late = after("no_answer", "", 1, NEW_YORK, CAMPAIGN, HOUSE, at("2026-03-03T19:00"))
    assert late == NotBefore(at("2026-03-04T09:00"), "window")


def test_a_number_that_cannot_be_connected_is_not_tried_again() -> None:
    assert end("failed", 1, code="21211") == Done("failed")


@pytest.mark.parametrize("code", ["expired", "window_closed", "campaign_stopped", "unknown_agent", "agent"])
def test_what_was_not_dialled_does_not_count(code: str) -> None:
    assert end("failed", 9, code=code) == NotBefore(NOON, "window")


def test_a_contact_that_came_onto_the_list_is_done() -> None:
    assert end("failed", 1, code="do_not_call") == Done("do_not_call")


@pytest.mark.parametrize(
    ("calls", "trips"),
    [("FFFF", False), ("FFFFF", True), ("FFFSS", True), ("FFSSS", False), ("FFFSSS", True)],
)
def test_the_breaker_trips_at_half_of_five_calls(calls: str, trips: bool) -> None:
    ended = {"F": Ended("failed", "13224"), "S": Ended("completed")}
    said = breaker([ended[call] for call in calls])
    assert bool(said) == trips
    if trips:
        assert said == f"{calls.count('F')} of {len(calls)} calls failed within 120 s; most often: 13224"


def test_numbers_that_do_not_exist_are_no_failure_of_the_carrier() -> None:
    assert breaker([Ended("failed", "21211")] * 9) == ""
    assert (
        breaker([Ended("unknown")] * 5) == "5 of 5 calls failed within 120 s; most often: no reason was given"
    )


@pytest.mark.parametrize(
    ("air", "why"),
    [
        (Air(0, 1, 0, 1), ""),
        (Air(1, 1, 0, 9), "calls_in_air"),
        (Air(1, 9, 1, 1), "no_capacity"),
        (Air(1, 9, 1, 2), ""),
        (Air(0, 9, 0, None), "no_capacity"),
    ],
)
def test_room_in_the_air(air: Air, why: str) -> None:
    assert air.room() == why


zones = st.sampled_from(["America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe"])


@given(
    name=zones,
    now_s=st.floats(1.77e9, 1.83e9),
    ago=st.lists(st.floats(0, 2 * 86_400), max_size=6),
    listed=st.booleans(),
)
def test_whatever_is_dialled_may_ring(name: str, now_s: float, ago: list[float], listed: bool) -> None:
    number = Number((name,), listed=listed, dialled_s=tuple(now_s - seconds for seconds in ago))
    match judge(number, CAMPAIGN, HOUSE, now_s):
        case Dial():
            local = datetime.fromtimestamp(now_s, ZoneInfo(name))
            assert not listed
            assert 9 <= local.hour < 20
            today = [
                t
                for t in number.dialled_s
                if datetime.fromtimestamp(t, ZoneInfo(name)).date() == local.date()
            ]
            assert len(today) < 3
        case NotBefore(at_s):
            assert at_s > now_s
            assert is_open(HOUSE.hours(CAMPAIGN.window), (name,), at_s)
        case Done(result):
            assert (listed, result) == (True, "do_not_call")


class Day:
    """A scheduler without a database: the same decisions, on a clock that jumps to whatever happens next."""

    MOST_IN_AIR = 40
    ZONES = ("America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles")

    def __init__(self, contacts: int, campaign: Campaign, start_s: float) -> None:
        self.chance = random.Random(7)
        self.campaign, self.now_s = campaign, start_s
        self.zones = [(self.chance.choice(self.ZONES),) for _ in range(contacts)]
        # Some people are in the list twice, under two contacts.
        self.number_of = [n if n % 20 else n // 2 for n in range(contacts)]
        self.due: list[tuple[float, int]] = []
        self.ends: list[tuple[float, int, State]] = []
        self.dialled: dict[int, list[float]] = {}
        self.attempts: Counter[int] = Counter()
        self.in_air: set[int] = set()
        self.dials: list[tuple[float, int]] = []
        self.results: dict[int, str] = {}
        for contact, zones in enumerate(self.zones):
            opens_s = first_s(zones, campaign, HOUSE, start_s)
            assert opens_s is not None
            heapq.heappush(self.due, (opens_s, contact))

    def run(self, until_s: float) -> None:
        next_dial_s = self.now_s
        while self.now_s < until_s and (self.due or self.ends):
            while self.ends and self.ends[0][0] <= self.now_s:
                self._end(*heapq.heappop(self.ends)[1:])
            room = Air(len(self.in_air), self.MOST_IN_AIR, 0, 99).room() == ""
            if room and next_dial_s <= self.now_s and self.due and self.due[0][0] <= self.now_s:
                if self._dial():
                    next_dial_s = self.now_s + 1 / self.campaign.calls_per_second
                continue
            coming = [moments[0][0] for moments in (self.ends, self.due) if moments]
            later = [moment for moment in coming if moment > self.now_s]
            if room and next_dial_s > self.now_s:
                later.append(next_dial_s)
            self.now_s = min(later, default=until_s)

    def _dial(self) -> bool:
        _, contact = heapq.heappop(self.due)
        phone = self.number_of[contact]
        known = Number(
            self.zones[contact], False, phone in self.in_air, tuple(self.dialled.get(phone, ())[-9:])
        )
        chosen, passed = choose([(contact, known, self.campaign)], HOUSE, self.now_s)
        for _, verdict in passed:
            self._put_off(contact, verdict)
        if chosen is None:
            return False
        self.dials.append((self.now_s, contact))
        self.dialled.setdefault(phone, []).append(self.now_s)
        self.attempts[contact] += 1
        self.in_air.add(phone)
        state: State = self.chance.choice(["completed", "busy", "no_answer", "failed", "voicemail"])
        heapq.heappush(self.ends, (self.now_s + self.chance.uniform(5, 60), contact, state))
        return True

    def _end(self, contact: int, state: State) -> None:
        self.in_air.discard(self.number_of[contact])
        zones, attempts = self.zones[contact], self.attempts[contact]
        self._put_off(contact, after(state, "", attempts, zones, self.campaign, HOUSE, self.now_s))

    def _put_off(self, contact: int, verdict: NotBefore | Done) -> None:
        if isinstance(verdict, Done):
            self.results[contact] = verdict.result
        else:
            heapq.heappush(self.due, (verdict.at_s, contact))


def test_a_day_of_ten_thousand_contacts() -> None:
    """From midnight before the clocks of America jump, until everybody has a result."""
    campaign = CAMPAIGN.model_copy(update={"window": Window(start="08:30", end="19:30")})
    day = Day(10_000, campaign, at("2026-03-08T00:00"))
    day.run(at("2026-03-12T00:00"))
    assert len(day.results) == 10_000
    on_air: deque[float] = deque()
    calls_a_day: Counter[tuple[int, str]] = Counter()
    for moment, contact in day.dials:
        (name,) = day.zones[contact]
        local = datetime.fromtimestamp(moment, ZoneInfo(name))
        assert (8, 30) <= (local.hour, local.minute) < (19, 30)
        calls_a_day[day.number_of[contact], f"{local:%F}"] += 1
        while on_air and on_air[0] <= moment - 1:
            on_air.popleft()
        on_air.append(moment)
        assert len(on_air) <= 2  # a call a second, by the clock of whoever counts
    assert max(calls_a_day.values()) <= HOUSE.attempts_per_day
    assert max(day.attempts.values()) <= 3
    assert (
        sum(moment < day_of("America/New_York", at("2026-03-08T12:00"))[1] for moment, _ in day.dials) > 9_000
    )

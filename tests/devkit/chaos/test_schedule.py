"""Who dies next."""

from __future__ import annotations

from collections import Counter
from random import Random

from voxbus.devkit.chaos.core_schedule import Schedule


def test_every_service_dies_equally_often() -> None:
    schedule = Schedule(("stt", "llm", "tts"), 5.0, Random(1))
    assert Counter(schedule.service() for _ in range(30)) == {"stt": 10, "llm": 10, "tts": 10}


def test_a_seed_tells_the_same_run_again() -> None:
    def told(seed: int) -> list[object]:
        schedule = Schedule(("stt", "llm", "tts"), 5.0, Random(seed))
        return [(schedule.pause_s(), schedule.service(), schedule.one_of(("a", "b"))) for _ in range(20)]

    assert told(1) == told(1)
    assert told(1) != told(2)


def test_deaths_come_at_the_pace_that_was_asked_for() -> None:
    schedule = Schedule(("stt",), 5.0, Random(1))
    pauses = [schedule.pause_s() for _ in range(400)]
    assert min(pauses) >= 4.0
    assert max(pauses) <= 6.0
    assert abs(sum(pauses) / len(pauses) - 5.0) < 0.1

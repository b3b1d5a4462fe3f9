"""How soon a process that died has a successor."""

from __future__ import annotations

from voxbus.common.restarts import Restarts


def test_processes_that_die_early_are_started_ever_later() -> None:
    restarts = Restarts()
    waits = []
    for _ in range(7):
        restarts.died(0.3)
        waits.append(restarts.wait_s)
    assert waits == [0, 0.2, 0.5, 1, 2, 5, 5]


def test_one_that_lived_begins_anew() -> None:
    restarts = Restarts()
    for _ in range(4):
        restarts.died(0)
    restarts.died(3600)
    assert restarts.wait_s == 0
    restarts.died(1)
    restarts.died(1)
    assert restarts.wait_s == 0.2

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from voxbus.common.latency import Latency
from voxbus.devkit.bench import cpu, turn
from voxbus.devkit.bench.__main__ import all_cases, main
from voxbus.devkit.bench.timing import Case, Timing, measure, table


def test_measures_what_an_operation_takes() -> None:
    timing = measure(Case("sleep", lambda: time.sleep(0.002)), batch_s=0.004, batches=3)
    assert 0.002 <= timing.best_s <= timing.median_s < 0.05


def test_the_share_of_a_core_is_that_of_100_calls() -> None:
    assert Timing("frame", 10e-6, 9e-6, 50).core_share_100_calls == pytest.approx(0.05)


def test_the_table_has_a_line_for_each() -> None:
    lines = list(table([Timing("quick", 2e-6, 1e-6, 50), Timing("slow", 0.002, 0.001, 0)]))
    assert len(lines) == 3
    assert lines[1].split() == ["quick", "2.00", "us", "1.00", "us", "500,000", "1.0%"]
    assert lines[2].split() == ["slow", "2.00", "ms", "1.00", "ms", "500"]


@pytest.mark.parametrize("name", [case.name for case in all_cases()])
def test_every_operation_runs(name: str) -> None:
    (case,) = [case for case in all_cases() if case.name == name]
    assert case.operation() is not None


def test_a_turn_costs_what_is_not_silence() -> None:
    latencies = [Latency(512.0, 20.0, 1.0, 2.0, 3.0, 4.0, total_ms) for total_ms in (540.0, 560.0, 530.0)]
    lines = [line.split() for line in turn.lines(latencies, calls=3)]
    assert lines[1] == ["endpointing", "512.0", "ms", "512.0", "ms"]
    assert lines[-2][-4:] == ["40.0", "ms", "60.0", "ms"]
    assert lines[-1][-4:] == ["20.0", "ms", "40.0", "ms"]  # recognition took 20 ms


def test_cpu_time_is_that_of_a_process_and_all_below_it(tmp_path: Path) -> None:
    tick = os.sysconf("SC_CLK_TCK")
    zeros = " ".join(["0"] * 9)
    for pid, parent, name in ((10, 1, "stt"), (11, 10, "a (b) c"), (12, 11, "x"), (20, 1, "tts")):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "stat").write_text(f"{pid} ({name}) S {parent} {zeros} {2 * tick} {tick} 0 0")
    assert cpu.cpu_seconds([10], tmp_path) == 9
    assert cpu.cpu_seconds([10, 11, 20], tmp_path) == 12
    assert cpu.cpu_seconds([99], tmp_path) == 0


def test_how_many_calls_a_core_holds() -> None:
    lines = [line.split() for line in cpu.lines({"stt": 8.0, "nats": 2.0}, held_s=400.0)]
    assert [line[-2:] for line in lines[1:]] == [["2.00%", "50"], ["0.50%", "200"], ["2.50%", "40"]]


@pytest.mark.parametrize(("part", "value"), [(0.0, 1.0), (0.5, 2.0), (0.95, 4.0), (1.0, 4.0)])
def test_percentiles_are_values_that_were_measured(part: float, value: float) -> None:
    assert turn.percentile([3.0, 1.0, 4.0, 2.0], part) == value


def test_the_command_prints_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pack a caller"]) == 0
    assert "pack a caller frame" in capsys.readouterr().out
    assert main(["no such thing"]) == 1
    assert "'no such thing'" in capsys.readouterr().err

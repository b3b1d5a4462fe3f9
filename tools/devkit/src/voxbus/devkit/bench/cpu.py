"""CPU time of processes with their children, which other work on the machine changes far less than latencies."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path


def cpu_seconds(pids: Iterable[int], proc: Path = Path("/proc")) -> float:
    """User and system time of these processes and all below them; 0 where there is no Linux /proc."""
    times = {pid: (parent, spent_s) for pid, parent, spent_s in _processes(proc)}
    counted: set[int] = set()
    waiting = list(pids)
    while waiting:
        pid = waiting.pop()
        if pid in times and pid not in counted:
            counted.add(pid)
            waiting += [child for child, (parent, _) in times.items() if parent == pid]
    return sum(times[pid][1] for pid in counted)


def lines(spent_s: Mapping[str, float], held_s: float) -> Iterator[str]:
    """``spent_s``: CPU time by service, in calls that lasted ``held_s`` together."""
    yield f"{'CPU of a call, less what the carrier takes':<46} {'of a core':>10} {'calls a core':>13}"
    for service, seconds in (*spent_s.items(), ("all together", sum(spent_s.values()))):
        calls = held_s / seconds if seconds else 0.0
        yield f"  {service:<44} {seconds / held_s:>10.2%} {calls:>13.0f}"


def _processes(proc: Path) -> Iterator[tuple[int, int, float]]:
    """(pid, parent, CPU seconds)."""
    tick = os.sysconf("SC_CLK_TCK")
    for stat in proc.glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            # The name in parentheses may hold anything; what follows the last one is numbers. See proc_pid_stat(5).
            fields = stat.read_text().rpartition(")")[2].split()
            yield int(stat.parent.name), int(fields[1]), (int(fields[11]) + int(fields[12])) / tick

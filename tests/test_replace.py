"""deploy/replace, before an engine that only says what it was told to do."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
#: An older one that has stopped, one that runs, and after ``up`` a new one.
ENGINE = """#!/bin/bash
case "$*" in
*" ps -aq "*) echo old; echo stopped; [ -e "$PLACE/up" ] && echo new; true ;;
*" ps -q "*) echo old ;;
*" up "*) touch "$PLACE/up"; exit "$UP" ;;
"stop "* | "rm "*) echo "$@" >>"$PLACE/done" ;;
esac
"""


def replace(place: Path, up: int) -> tuple[int, str]:
    """``up``: the status of ``docker compose up``. Returns that of the script, and which containers were taken away."""
    (place / "docker").write_text(ENGINE)
    (place / "docker").chmod(0o755)
    path = f"{place}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PLACE": str(place), "UP": str(up)}
    command = ("deploy/replace", "gateway")
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=60, check=False)
    done = place / "done"
    return ended.returncode, done.read_text() if done.exists() else ""


@pytest.fixture(autouse=True)
def _bash() -> None:
    if not Path("/bin/bash").exists():
        pytest.skip("the script is for bash")


def test_the_old_one_goes_when_the_new_one_is_ready(tmp_path: Path) -> None:
    assert replace(tmp_path, 0) == (0, "stop old\nrm old\n")


def test_a_new_one_that_does_not_get_ready_goes_again(tmp_path: Path) -> None:
    status, done = replace(tmp_path, 1)
    assert status != 0
    assert done == "rm --force new\n"

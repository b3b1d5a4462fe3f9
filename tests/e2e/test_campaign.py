"""The demo of a campaign, as a newcomer runs it: thirty contacts, and nothing left open."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e


def test_every_contact_gets_its_result_and_every_call_its_report(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "voxbus.devkit.cli", "demo", "--campaign", "--directory", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=460, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for said in (
        "30 accepted",
        "line 32 refused: consent",
        "line 33 refused: to",
        "each has its report, once",
    ):
        assert said in done.stdout
    assert "Traceback" not in done.stderr
    with (tmp_path / "campaign" / "results.csv").open() as file:
        results = list(csv.DictReader(file))
    assert len(results) == 30
    assert {result["state"] for result in results} == {"done"}

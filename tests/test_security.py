"""SECURITY.md names tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SECURITY = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
#: Behind the head of the table and its rule.
ROWS = [line for line in SECURITY.splitlines() if line.startswith("| ")][1:]
NAMED = sorted(set(re.findall(r"`([\w/]+)::(test_\w+)`", SECURITY)))


@pytest.mark.parametrize(("module", "test"), NAMED)
def test_each_test_that_is_named_exists(module: str, test: str) -> None:
    source = (ROOT / "tests" / f"{module}.py").read_text(encoding="utf-8")
    assert re.search(rf"^(async )?def {test}\(", source, re.M)


@pytest.mark.parametrize("row", ROWS, ids=[row.split("|")[2].strip()[:40] for row in ROWS])
def test_each_threat_has_an_answer_and_a_test_that_shows_it(row: str) -> None:
    _, _, tries, stops, shown, _ = row.split("|")
    assert tries.strip()
    assert stops.strip()
    assert re.search(r"`[\w/]+::test_\w+`", shown)


def test_every_variable_is_one() -> None:
    known = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    names = set(re.findall(r"`([A-Z]+_[A-Z_]+)(?:=\w+)?`", SECURITY))
    assert {"TRUSTED_PROXIES", "TWILIO_VALIDATE", "MAX_CONNECTIONS"} <= names
    assert sorted(name for name in names if f"`{name}`" not in known) == []

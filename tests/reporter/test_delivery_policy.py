"""When to try again, and when not."""

from __future__ import annotations

import pytest

from voxbus.reporter.core_delivery import Answer, delay_before


def test_four_attempts_at_0_1_4_and_16_seconds() -> None:
    assert [delay_before(attempt) for attempt in range(1, 6)] == [0, 1, 4, 16, None]


@pytest.mark.parametrize("status", range(200, 300))
def test_every_2xx_ends_it(status: int) -> None:
    assert Answer(status=status).verdict == "delivered"


@pytest.mark.parametrize("status", [s for s in range(400, 500) if s not in (408, 409, 425, 429)])
def test_a_refusal_is_final_at_once(status: int) -> None:
    assert Answer(status=status).verdict == "final"


@pytest.mark.parametrize("status", [408, 409, 425, 429, *range(500, 512), 301, 302, 307, 308])
def test_whoever_could_not_listen_is_asked_again(status: int) -> None:
    assert Answer(status=status).verdict == "retry"


def test_no_answer_is_asked_again() -> None:
    assert Answer(error="timeout").verdict == "retry"
    assert str(Answer(error="timeout")) == "timeout"
    assert str(Answer(status=503)) == "HTTP 503"

"""What a failure means, who is asked next, and when."""

from __future__ import annotations

from typing import Any

import pytest

from voxbus.common.errors import ProviderError, SettingsError
from voxbus.common.providers.backoff import wait_s
from voxbus.common.providers.breaker import PROBE_S, Breakers
from voxbus.common.providers.failures import error_in, refusal
from voxbus.common.providers.names import chosen, needed


@pytest.mark.parametrize(
    ("body", "status", "cause", "retry"),
    [
        ({"error": {"type": "requests", "code": "rate_limit_exceeded"}}, 429, "rate_limited", True),
        ({"error": {"type": "insufficient_quota", "code": "insufficient_quota"}}, 429, "quota", False),
        ({"error": {"code": "project_spend_limit_exceeded"}}, 429, "quota", False),
        ({"errors": [{"code": 3040, "message": "Capacity exceeded"}], "success": False}, 429, "rate_limited", True),
        ({"errors": [{"code": 3036, "message": "Used up"}], "success": False}, 429, "quota", False),
        ({"errors": [{"code": 5007}]}, 400, "bad_request", False),
        ({"err_code": "INVALID_AUTH", "err_msg": "x", "request_id": "r"}, 401, "auth", False),
        ({"err_code": "TOO_MANY_REQUESTS", "err_msg": "x"}, 429, "rate_limited", True),
        ({"detail": {"status": "quota_exceeded", "message": "x"}}, 401, "quota", False),
        ({"detail": {"status": "max_active_conversations"}}, 0, "rate_limited", True),
        ({"type": "error", "error_code": "concurrency_limited", "status_code": 429}, 0, "rate_limited", True),
        ({"type": "error", "error": {"type": "overloaded_error"}}, 0, "overloaded", True),
        ({"type": "error", "error": {"type": "overloaded_error"}}, 529, "overloaded", True),
        ({"type": "error", "error": {"type": "billing_error"}}, 402, "quota", False),
        ({"error": {"code": "model_not_available"}}, 0, "not_found", False),
        ({"error": {"code": "invalid_api_key"}}, 0, "auth", False),
        ({"type": "Error", "code": "INTERNAL_SERVER_ERROR", "description": "x"}, 0, "server_error", True),
        (None, 502, "server_error", True),
        ([], 404, "not_found", False),
        ({"error": "overloaded"}, 0, "overloaded", True),
        ({}, 408, "timeout", True),
    ],
)  # fmt: skip
def test_what_a_refusal_means(body: Any, status: int, cause: str, retry: bool) -> None:
    error = error_in(body, status=status)
    assert (error.cause, error.retry) == (cause, retry)


def test_what_the_server_wrote_is_not_repeated() -> None:
    error = refusal(
        b'{"error": {"message": "you said 555-0100", "type": "you said 555-0100", "code": "x1"}}', 400
    )
    assert str(error) == "bad_request 400 x1"
    assert refusal(b"<html>", 503).cause == "overloaded"


def failed(cause: str, retry: bool = True) -> ProviderError:
    return ProviderError(cause, retry=retry)


def test_a_provider_that_failed_rests_behind_the_others() -> None:
    breakers = Breakers()
    breakers.failed("a", failed("quota"), 100.0)
    assert breakers.order(["a", "b", "c"], 159.0) == ("b", "c", "a")
    assert breakers.order(["a", "b", "c"], 161.0) == ("a", "b", "c")
    assert breakers.order(["a"], 101.0) == ("a",)


def test_load_passes_sooner_and_a_request_of_its_own_says_nothing_about_the_next() -> None:
    breakers = Breakers()
    breakers.failed("a", failed("overloaded"), 100.0)
    breakers.failed("b", failed("content_filter"), 100.0)
    assert [breakers.state(name, 101.0) for name in "ab"] == ["open", "closed"]
    assert breakers.state("a", 102.5) == "half_open"


def test_after_its_rest_one_asker_tries_it_and_the_others_wait_for_the_result() -> None:
    breakers = Breakers()
    breakers.failed("a", failed("overloaded"), 100.0)
    breakers.asking("a", 103.0)
    assert breakers.order(["a", "b"], 103.1) == ("b", "a")
    breakers.succeeded("a")
    assert breakers.state("a", 103.2) == "closed"


def test_a_probe_that_fails_doubles_the_rest() -> None:
    breakers = Breakers()
    breakers.failed("a", failed("overloaded"), 100.0)
    breakers.asking("a", 103.0)
    breakers.failed("a", failed("overloaded"), 104.0)
    assert breakers.state("a", 107.9) == "open"
    assert breakers.state("a", 108.1) == "half_open"


def test_a_probe_of_which_nothing_is_heard_is_forgotten() -> None:
    breakers = Breakers()
    breakers.failed("a", failed("overloaded"), 100.0)
    breakers.asking("a", 103.0)
    assert breakers.state("a", 103.0 + PROBE_S + 0.1) == "half_open"


def test_failures_during_a_rest_do_not_lengthen_it() -> None:
    breakers = Breakers()
    for now_s in (100.0, 100.5, 101.0):
        breakers.failed("a", failed("overloaded"), now_s)
    assert breakers.state("a", 102.1) == "half_open"


@pytest.mark.parametrize(
    ("failure", "tries", "shortest_s"),
    [
        (failed("connection"), 1, 0.1),
        (failed("connection"), 2, 2.0),
        (failed("rate_limited"), 1, 1.0),
        (failed("rate_limited"), 3, 4.0),
        (failed("rate_limited"), 9, 8.0),
        (failed("auth", retry=False), 1, 30.0),
    ],
)
def test_waiting_before_another_connection(failure: ProviderError, tries: int, shortest_s: float) -> None:
    assert wait_s(failure, tries, 0.0) == shortest_s
    assert wait_s(failure, tries, 1.0) == shortest_s * 1.25


def test_lists_of_providers() -> None:
    assert chosen("X", " b, a,b ", {"a", "b"}) == ("b", "a")
    with pytest.raises(SettingsError, match="X: there is no provider 'c'; there are: a, b"):
        chosen("X", "a,c", {"b", "a"})
    with pytest.raises(SettingsError, match="X names no provider; there are: a"):
        chosen("X", " , ", {"a"})
    with pytest.raises(SettingsError, match="A_KEY is not set: the provider a needs it"):
        needed("a", "A_KEY", None)

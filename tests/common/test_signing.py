"""Signatures of reports."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxbus.common.errors import SettingsError
from voxbus.common.signing import SIGNATURE, TIMESTAMP, SignatureError, headers, secrets_of, sign, verify

SECRETS = (b"new", b"old")
NOW_S = 1_700_000_000.0


def refused(timestamp: str | None, signature: str | None, body: bytes = b"{}", now_s: float = NOW_S) -> str:
    with pytest.raises(SignatureError) as caught:
        verify(SECRETS, timestamp, signature, body, now_s)
    return caught.value.code


def test_the_signature_is_what_the_page_says() -> None:
    made = headers(b"secret", b'{"a":1}', 1700000000.9)
    assert made == {
        TIMESTAMP: "1700000000",
        SIGNATURE: hmac.new(b"secret", b'1700000000.{"a":1}', hashlib.sha256).hexdigest(),
    }


@pytest.mark.parametrize("secret", SECRETS)
def test_either_secret_is_accepted_while_one_replaces_the_other(secret: bytes) -> None:
    made = headers(secret, b"{}", NOW_S)
    verify(SECRETS, made[TIMESTAMP], made[SIGNATURE], b"{}", NOW_S)
    verify(SECRETS, made[TIMESTAMP], made[SIGNATURE].upper(), b"{}", NOW_S)


@given(body=st.binary(max_size=200), other=st.binary(max_size=200), shift=st.integers(-10, 10))
def test_no_other_body_and_no_other_time_fits(body: bytes, other: bytes, shift: int) -> None:
    timestamp = str(int(NOW_S))
    signature = sign(b"new", timestamp, body)
    verify(SECRETS, timestamp, signature, body, NOW_S)
    if other != body:
        assert refused(timestamp, signature, other) == "bad_signature"
    if shift:
        assert refused(str(int(NOW_S) + shift), signature, body) == "bad_signature"


@pytest.mark.parametrize("age_s", [-301, 301])
def test_what_was_signed_more_than_five_minutes_from_now_is_stale(age_s: float) -> None:
    made = headers(b"old", b"{}", NOW_S)
    assert refused(made[TIMESTAMP], made[SIGNATURE], now_s=NOW_S + age_s) == "stale"
    verify(SECRETS, made[TIMESTAMP], made[SIGNATURE], b"{}", NOW_S + age_s * 0.99)


def test_a_stale_request_with_a_wrong_signature_learns_nothing_about_the_clock() -> None:
    assert refused("1", "0" * 64) == "bad_signature"


@pytest.mark.parametrize(
    "timestamp", ["-1", "1.5", "1e9", " 1", "\u0661\u0662", "\u00b2", "9" * 13, "9" * 5000, "now"]
)
def test_a_timestamp_that_is_no_number_is_refused(timestamp: str) -> None:
    assert refused(timestamp, sign(b"new", timestamp, b"{}")) == "bad_timestamp"


@pytest.mark.parametrize(
    ("timestamp", "signature"), [(None, "a"), ("1", None), ("", "a"), ("1", ""), (None, None)]
)
def test_a_missing_header_is_refused(timestamp: str | None, signature: str | None) -> None:
    assert refused(timestamp, signature) == "unsigned"


@pytest.mark.parametrize("signature", ["x", "\u00e9" * 64, "\udcff" * 64, "0" * 100_000])
def test_a_signature_that_is_none_is_refused(signature: str) -> None:
    assert refused(str(int(NOW_S)), signature) == "bad_signature"


def test_secrets_are_one_or_two() -> None:
    assert secrets_of("a") == (b"a",)
    assert secrets_of(" new , old ") == (b"new", b"old")
    for wrong in ("", " ", ",", "a,", ",a", "a,b,c"):
        with pytest.raises(SettingsError, match="AGENT_SHARED_SECRET"):
            secrets_of(wrong)

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxbus.devkit.carrier.signing import sign

FORM = {
    "CallSid": "CA1234567890ABCDE",
    "Caller": "+14158675310",
    "Digits": "1234",
    "From": "+14158675310",
    "To": "+18005551212",
}


def test_the_vendors_own_example() -> None:
    signature = sign("12345", "https://example.com/myapp.php?foo=1&bar=2", FORM)
    assert signature == "L/OH5YylLD5NRKLltdqwSvS0BnU="


WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
FORMS = st.dictionaries(WORDS.filter(bool), WORDS, max_size=6)


@given(FORMS)
def test_the_vendors_library_accepts_a_form(form: dict[str, str]) -> None:
    twilio = pytest.importorskip("twilio.request_validator")
    url = "https://voice.example/twilio/voice?session=s1"
    assert twilio.RequestValidator("secret").validate(url, form, sign("secret", url, form))
    assert not twilio.RequestValidator("other").validate(url, form, sign("secret", url, form))


@pytest.mark.parametrize(
    "url", ["wss://voice.example/twilio/stream/CA1", "wss://voice.example/twilio/stream/CA1/"]
)
def test_the_vendors_library_accepts_a_handshake(url: str) -> None:
    twilio = pytest.importorskip("twilio.request_validator")
    assert twilio.RequestValidator("secret").validate(url, {}, sign("secret", url))

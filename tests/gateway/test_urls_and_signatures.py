from __future__ import annotations

import pytest

from voxbus.gateway import twiml
from voxbus.gateway.signatures import Signatures
from voxbus.gateway.urls import (
    Origin,
    client_of,
    handshake_urls,
    headers_of,
    is_loopback,
    networks,
    origin_from_headers,
    origin_of,
)

from .twilio import AUTH_TOKEN, sign

TRUSTED = networks("127.0.0.1, 10.0.0.0/8,::1")
FORWARDED = {"host": "inside:8080", "x-forwarded-host": "gw.example", "x-forwarded-proto": "https"}


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://gw.example", Origin(True, "gw.example")),
        ("https://gw.example/", Origin(True, "gw.example")),
        ("https://gw.example:8443/voice/", Origin(True, "gw.example:8443", "/voice")),
        ("http://127.0.0.1:8080", Origin(False, "127.0.0.1:8080")),
    ],
)
def test_the_public_url(url: str, origin: Origin) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize("url", ["gw.example", "ftp://gw.example", "https://", "https://gw.example?x=1"])
def test_what_is_no_public_url(url: str) -> None:
    with pytest.raises(ValueError, match="https://HOST"):
        origin_of(url)


def test_forwarded_headers_count_from_trusted_proxies_only() -> None:
    assert origin_from_headers(FORWARDED, "10.1.2.3", TRUSTED) == Origin(True, "gw.example")
    assert origin_from_headers(FORWARDED, "192.0.2.1", TRUSTED) == Origin(False, "inside:8080")
    assert origin_from_headers({"host": "gw.example"}, "::1", TRUSTED) == Origin(False, "gw.example")
    chain = FORWARDED | {"x-forwarded-host": "gw.example, inner", "x-forwarded-proto": "https,http"}
    assert origin_from_headers(chain, "127.0.0.1", TRUSTED) == Origin(True, "gw.example")


def test_lines_of_one_header_are_one_list() -> None:
    lines = [("Host", "h"), ("X-Forwarded-For", "127.0.0.1, 192.0.2.1"), ("x-forwarded-for", "192.0.2.2")]
    headers = headers_of(lines)
    assert headers == {"host": "h", "x-forwarded-for": "127.0.0.1, 192.0.2.1, 192.0.2.2"}
    assert client_of(headers, "10.0.0.1", TRUSTED) == "192.0.2.2"


@pytest.mark.parametrize("host", ["", 'x"><script>', "a/b", "user@host"])
def test_a_host_that_is_none(host: str) -> None:
    assert origin_from_headers({"host": host}, "192.0.2.1", TRUSTED) is None


@pytest.mark.parametrize(
    ("origin", "url"),
    [
        (Origin(True, "gw.example"), "wss://gw.example/s"),
        (Origin(False, "gw.example"), "wss://gw.example/s"),  # whatever the proxy forgot to say
        (Origin(False, "127.0.0.1:80"), "ws://127.0.0.1:80/s"),
        (Origin(False, "localhost:80"), "ws://localhost:80/s"),
        (Origin(False, "[::1]:80"), "ws://[::1]:80/s"),
        (Origin(True, "localhost"), "wss://localhost/s"),
        (Origin(True, "gw.example", "/voice"), "wss://gw.example/voice/s"),
    ],
)
def test_only_a_loopback_host_may_have_an_open_socket(origin: Origin, url: str) -> None:
    assert origin.socket("/s") == url


@pytest.mark.parametrize("host", ["127.0.0.2", "[::1]", "localhost", "x.localhost:1"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)
    assert not is_loopback("10.0.0.1")
    assert not is_loopback("localhost.example")


@pytest.mark.parametrize("host", ["", "[", "[::1", "]:80"])
def test_what_is_no_host_is_not_this_machine(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    "signed",
    [
        "wss://gw.example/s",
        "wss://gw.example/s/",
        "wss://gw.example:443/s",
        "wss://gw.example:443/s/",
    ],
)
def test_every_form_in_which_a_handshake_may_be_signed(signed: str) -> None:
    urls = handshake_urls(Origin(True, "gw.example"), "/s")
    assert Signatures(AUTH_TOKEN).of_handshake(urls, sign(signed))


@pytest.mark.parametrize("signed", ["wss://gw.example/t", "wss://other.example/s", "ws://gw.example/s"])
def test_other_urls_are_not_signed_by_it(signed: str) -> None:
    urls = handshake_urls(Origin(True, "gw.example"), "/s")
    assert not Signatures(AUTH_TOKEN).of_handshake(urls, sign(signed))


def test_a_port_may_have_been_left_out_of_the_signature() -> None:
    urls = handshake_urls(Origin(True, "gw.example:8443"), "/s")
    assert Signatures(AUTH_TOKEN).of_handshake(urls, sign("wss://gw.example/s"))
    assert Signatures(AUTH_TOKEN).of_handshake(urls, sign("wss://gw.example:8443/s"))


def test_the_signature_of_the_documentation() -> None:
    form = [
        ("CallSid", "CA1234567890ABCDE"),
        ("Caller", "+14158675310"),
        ("Digits", "1234"),
        ("From", "+14158675310"),
        ("To", "+18005551212"),
    ]
    url = "https://example.com/myapp.php?foo=1&bar=2"
    assert Signatures("12345").of_request(url, form, "L/OH5YylLD5NRKLltdqwSvS0BnU=")
    assert not Signatures("12345").of_request(url, form[:-1], "L/OH5YylLD5NRKLltdqwSvS0BnU=")
    assert not Signatures("54321").of_request(url, form, "L/OH5YylLD5NRKLltdqwSvS0BnU=")


def test_a_repeated_field_is_signed_once_a_value_in_order() -> None:
    url = "https://gw.example/status"
    signature = sign(url + "AxAyBz")
    assert Signatures(AUTH_TOKEN).of_request(url, [("A", "y"), ("A", "x"), ("A", "y"), ("B", "z")], signature)


@pytest.mark.parametrize("signature", ["", "x", "é" * 28, "=" * 28])
def test_what_is_no_signature(signature: str) -> None:
    assert not Signatures(AUTH_TOKEN).of_request("https://gw.example/", [], signature)


def test_twiml_connects_and_says_where_to_ask_next() -> None:
    text = twiml.stream("wss://h/s", {"token": "t"}, "https://h/status", "https://h/next?a=1&b=2", 2)
    assert text == (
        '<?xml version="1.0" encoding="UTF-8"?><Response><Pause length="2" /><Connect>'
        '<Stream statusCallback="https://h/status" statusCallbackMethod="POST" url="wss://h/s">'
        '<Parameter name="token" value="t" /></Stream></Connect>'
        '<Redirect method="POST">https://h/next?a=1&amp;b=2</Redirect></Response>'
    )


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", None, "192.0.2.1"),
        ("192.0.2.1", "203.0.113.9", "192.0.2.1"),  # anybody can write that
        ("10.1.2.3", None, ""),
        ("10.1.2.3", "203.0.113.9", "203.0.113.9"),
        ("10.1.2.3", "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("10.1.2.3", "203.0.113.9, 10.9.9.9", "203.0.113.9"),  # a second proxy of ours
        ("10.1.2.3", "10.9.9.9", ""),
        ("10.1.2.3", "203.0.113.9:4711", "203.0.113.9"),
        ("::1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("::1", "2001:db8::1", "2001:db8::1"),
        ("::1", " , ", ""),
    ],
)
def test_whose_request_it_is(peer: str, forwarded: str | None, client: str) -> None:
    headers = {"x-forwarded-for": forwarded} if forwarded is not None else {}
    assert client_of(headers, peer, TRUSTED) == client

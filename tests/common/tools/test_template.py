"""From a declaration and arguments to a request: nothing that a model writes changes where it goes, or what it is."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxbus.common.agents import Tool
from voxbus.common.errors import AgentError
from voxbus.common.tools import template
from voxbus.common.tools.template import Request, Unfit

VALUES = {"caller_number": "+15550100142", "call_sid": "CA1", "company": "R&D"}
ENVIRONMENT = {"CRM_URL": "https://crm.example.com:8443/v1/\n", "CRM_TOKEN": "s3cret\n", "ACCOUNT": "a/b"}


def make(arguments: dict[str, Any] | None = None, **declared: Any) -> Request:
    tool = Tool.model_validate({"name": "t", "description": "x", "url": "${CRM_URL}/orders/{id}"} | declared)
    return template.request(tool, {"id": "7"} if arguments is None else arguments, VALUES, ENVIRONMENT)


def test_a_request() -> None:
    made = make(headers={"Authorization": "Bearer ${CRM_TOKEN}", "X-Call": "{call_sid}"})
    assert made == Request(
        "GET",
        "https",
        "crm.example.com",
        8443,
        "/v1/orders/7",
        (("Accept", "application/json"), ("Authorization", "Bearer s3cret"), ("X-Call", "CA1")),
        b"",
    )


@pytest.mark.parametrize(
    ("declared", "arguments", "target"),
    [
        ({}, {"id": "a/b"}, "/v1/orders/a%2Fb"),
        ({}, {"id": "a?b=c#d"}, "/v1/orders/a%3Fb%3Dc%23d"),
        ({}, {"id": "..%2f.."}, "/v1/orders/..%252f.."),
        ({}, {"id": "@evil.example"}, "/v1/orders/%40evil.example"),
        ({}, {"id": "a\r\nHost: evil.example"}, "/v1/orders/a%0D%0AHost%3A%20evil.example"),
        ({}, {"id": "Zoë"}, "/v1/orders/Zo%C3%AB"),
        ({}, {"id": "{company} ${CRM_TOKEN}"}, "/v1/orders/%7Bcompany%7D%20%24%7BCRM_TOKEN%7D"),
        ({}, {"id": 7}, "/v1/orders/7"),
        ({}, {"id": True}, "/v1/orders/true"),
        ({"url": "${CRM_URL}"}, {}, "/v1"),
        ({"url": "https://crm.example.com"}, {}, "/"),
        ({"url": "https://crm.example.com?x={id}"}, {"id": "a&b=c"}, "/?x=a%26b%3Dc"),
        ({"url": "https://crm.example.com/x"}, {"a b": "c d", "n": [1]}, "/x?a%20b=c%20d&n=%5B1%5D"),
        ({"url": "https://crm.example.com/x?k={company}"}, {"id": "7"}, "/x?k=R%26D&id=7"),
        ({"url": "https://crm.example.com/${ACCOUNT}/x"}, {}, "/a%2Fb/x"),
        ({"url": "${CRM_URL}/{caller_number}"}, {}, "/v1/%2B15550100142"),
        ({"method": "DELETE"}, {"id": "7", "why": "x"}, "/v1/orders/7?why=x"),
    ],
)
def test_paths_and_queries(declared: dict[str, Any], arguments: dict[str, Any], target: str) -> None:
    assert make(arguments, **declared).target == target


def test_what_the_url_does_not_hold_is_the_body() -> None:
    made = make({"id": "7", "day": "Friday", "guests": 2}, method="POST")
    assert json.loads(made.body) == {"day": "Friday", "guests": 2}
    assert ("Content-Type", "application/json") in made.headers
    assert make(method="POST").body == b"{}"


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_no_argument_makes_another_path(value: str) -> None:
    with pytest.raises(Unfit, match=r"^id cannot be sent"):
        make({"id": value})


def test_dots_that_are_part_of_a_segment_are_just_text() -> None:
    assert make({"id": ".."}, url="${CRM_URL}/orders/a{id}").target == "/v1/orders/a.."


def test_a_header_begins_and_ends_with_no_blank() -> None:
    assert ("X-Order", "a b") in make({"id": " a b "}, headers={"X-Order": "{id}"}).headers


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\x00b", "Zoë", "a\x7f"])
def test_no_argument_adds_a_header(value: str) -> None:
    with pytest.raises(Unfit, match="id cannot be sent in a header") as caught:
        make({"id": value}, headers={"X-Order": "{id}"})
    assert value not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["https://crm.example.com/{id}", "https://crm.example.com/x", "${CRM_URL}?x={id}"]
)
def test_what_is_no_text_is_not_sent(url: str) -> None:
    with pytest.raises(Unfit, match="no text"):
        make({"id": "Fri \ud83d"}, url=url)


def test_an_argument_that_is_missing() -> None:
    with pytest.raises(Unfit, match="id is missing"):
        make({})


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("CRM_URL", "crm.example.com", "CRM_URL is no origin"),
        ("CRM_URL", "ftp://crm.example.com", "CRM_URL is no origin"),
        ("CRM_URL", "https://user:pw@crm.example.com", "CRM_URL is no origin"),
        ("CRM_URL", "https://crm.example.com/?x", "CRM_URL goes on after its path"),
        ("CRM_URL", "http://crm.example.com", "CRM_URL is an open line"),
        ("CRM_URL", "https://crm.example.com:port", "CRM_URL is no URL"),
        ("CRM_TOKEN", "a\r\nX: b", "CRM_TOKEN holds characters"),
    ],
)
def test_an_environment_that_makes_no_request_is_told_by_name(name: str, value: str, complaint: str) -> None:
    tool = Tool(name="t", description="x", url="${CRM_URL}/x", headers={"A": "${CRM_TOKEN}"})
    with pytest.raises(AgentError) as caught:
        template.check(tool, ENVIRONMENT | {name: value})
    assert complaint in str(caught.value)
    assert value not in str(caught.value)


@given(st.text(max_size=40), st.text(max_size=40))
def test_whatever_a_model_writes_stays_where_it_belongs(first: str, second: str) -> None:
    try:
        made = make({"id": first, "q": second}, url="https://crm.example.com/a/{id}/b?q={q}")
    except Unfit:
        return
    assert (made.scheme, made.host, made.port) == ("https", "crm.example.com", 443)
    parts = urlsplit(f"https://crm.example.com{made.target}")
    assert parts.path.split("/")[1::2] == ["a", "b"]
    assert unquote(parts.path.split("/")[2]) == first
    assert parse_qsl(parts.query, keep_blank_values=True) == [("q", second)]
    assert not parts.fragment

"""What may be ordered."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from voxbus.common.agents import Agent
from voxbus.scheduler.core_orders import Order, missing


@pytest.mark.parametrize("number", ["+15550100001", "+4930901820", "+442079460123", "+919876543210"])
def test_e164_numbers(number: str) -> None:
    assert Order(to=number, agent="reminder").to == number


@pytest.mark.parametrize(
    "number",
    [
        "",
        "5550100001",
        "15550100001",
        "+05550100001",
        "+123456",
        "+1234567890123456",
        "+1555010000",  # too short for its country
        "+9990000000",  # of no country
        "+1555 010 0001",
        "+1-555-0100001",
        "+1555010000x",
        "+15550100001\n",
        "+\u0661\u0665\u0665\u0665\u0660\u0661\u0660\u0660",
        "tel:+15550100001",
        "sip:ann@example.com",
        "+15550100001,,1",
    ],
)
def test_what_is_no_e164_number_is_refused_without_being_repeated(number: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Order(to=number, agent="reminder")
    message = caught.value.errors()[0]["msg"]
    assert "E.164" in message
    assert not number or number not in message


@pytest.mark.parametrize(
    "change",
    [
        {"agent": "../etc"},
        {"agent": ""},
        {"variables": {"Name": "x"}},
        {"variables": {"name": "x" * 2001}},
        {"variables": {"name": 1}},
        {"variables": {f"v{n}": "x" for n in range(101)}},
        {"from": "+15550100002"},
    ],
)
def test_wrong_fields_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Order.model_validate({"to": "+15550100001", "agent": "reminder"} | change)


def test_the_same_order_has_the_same_fingerprint() -> None:
    one = Order(to="+15550100001", agent="reminder", variables={"a": "1", "b": "2"})
    two = Order(to="+15550100001", agent="reminder", variables={"b": "2", "a": "1"})
    other = Order(to="+15550100001", agent="reminder", variables={"b": "2", "a": "3"})
    assert one.fingerprint() == two.fingerprint() != other.fingerprint()


def test_a_variable_that_the_agent_needs(agent: Agent) -> None:
    assert missing(agent, {"name": "Ann"}) == ""
    assert "{name}" in missing(agent, {"day": "Friday"})

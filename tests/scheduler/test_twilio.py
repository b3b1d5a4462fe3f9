"""The carrier's API through the vendor's library: whether a call may have been made."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from voxbus.scheduler.core_carrier import Answer, NotSent, Placed, Refused, TooMany, Unclear
from voxbus.scheduler.providers import CarrierUnavailable, Detection, Dial
from voxbus.scheduler.providers.twilio import TwilioCarrier

if TYPE_CHECKING:
    from voxbus.devkit.carrier import Exchange, RestApi

faults = pytest.importorskip("voxbus.devkit.carrier.faults", reason="the devkit brings the carrier simulator")

DIAL = Dial(
    to="+15550100001",
    from_number="+15550100002",
    url="https://voxbus.example/twilio/voice?session=s1",
    status_url="https://voxbus.example/twilio/status?session=s1",
    ring_s=30,
    limit_s=1000,
)


@pytest.fixture
def fault() -> None:
    """None, where a test has no parameter of that name."""


def timeout_s(fault: object) -> float:
    """Little where no answer comes; all others must be able to, also on a busy machine."""
    return 0.5 if fault == faults.silence(makes_call=False) else 30.0


@pytest.fixture
async def carrier(carrier_api: RestApi, exchange: Exchange, fault: object) -> AsyncIterator[TwilioCarrier]:
    carrier = TwilioCarrier(
        exchange.account_sid, exchange.auth_token, base_url=carrier_api.url, timeout_s=timeout_s(fault)
    )
    yield carrier
    await carrier.close()


async def test_an_order_as_the_carrier_sees_it(carrier: TwilioCarrier, carrier_api: RestApi) -> None:
    answer = await carrier.create(DIAL)
    (placed,) = carrier_api.placed
    assert answer == Placed(placed.sid)
    (form,) = carrier_api.orders
    assert form == {
        "To": DIAL.to,
        "From": DIAL.from_number,
        "Url": DIAL.url,
        "Method": "POST",
        "StatusCallback": DIAL.status_url,
        "StatusCallbackEvent": "completed",  # the last of the four; each is a field of its own
        "StatusCallbackMethod": "POST",
        "Timeout": "30",
        "TimeLimit": "1000",
    }


@pytest.mark.parametrize(("detection", "mode"), [("answer", "Enable"), ("greeting_end", "DetectMessageEnd")])
async def test_who_answers_is_found_out_beside_the_conversation(
    carrier: TwilioCarrier, carrier_api: RestApi, detection: Detection, mode: str
) -> None:
    url = "https://voxbus.example/twilio/amd?session=s1"
    await carrier.create(replace(DIAL, detection=detection, detection_url=url))
    (form,) = carrier_api.orders
    asked = {name: value for name, value in form.items() if "Machine" in name or "Amd" in name}
    assert asked == {
        "MachineDetection": mode,
        "AsyncAmd": "true",
        "AsyncAmdStatusCallback": url,
        "AsyncAmdStatusCallbackMethod": "POST",
    }


@pytest.mark.parametrize(
    ("fault", "answer"),
    [
        (faults.too_many(), TooMany()),
        (faults.refusal(21215), Refused),
        (faults.modern_refusal(21215), Refused),
        (faults.modern_refusal(20429, 429), TooMany()),
        (faults.server_error(), Unclear("HTTP 500")),
        (faults.bad_gateway(), Unclear("HTTP 502")),
        (faults.nonsense(), Unclear("an answer that is not JSON")),
        (faults.silence(makes_call=False), Unclear("no answer in time")),
        (faults.drop(makes_call=False), Unclear("ServerDisconnectedError")),
    ],
)
async def test_what_each_trouble_means(
    carrier: TwilioCarrier, carrier_api: RestApi, fault: object, answer: Answer | type[Answer]
) -> None:
    carrier_api.faults.append(fault)  # type: ignore[arg-type]
    start = time.monotonic()
    given = await carrier.create(DIAL)
    assert given == answer if not isinstance(answer, type) else isinstance(given, answer)
    assert time.monotonic() - start < 30  # not the minutes of the client underneath
    # Whatever it was, it was sent once.
    assert len(carrier_api.orders) == 1


async def test_refusals_carry_the_carriers_code(carrier: TwilioCarrier, carrier_api: RestApi) -> None:
    carrier_api.faults += [faults.refusal(21215), faults.modern_refusal(21215)]
    for _ in range(2):
        given = await carrier.create(DIAL)
        assert isinstance(given, Refused)
        assert given.code == "21215"
        assert "geographic" in given.words


async def test_wrong_credentials(carrier_api: RestApi, exchange: Exchange) -> None:
    carrier = TwilioCarrier(exchange.account_sid, "wrong", base_url=carrier_api.url, timeout_s=30)
    given = await carrier.create(DIAL)
    await carrier.close()
    assert isinstance(given, Refused)
    assert given.code == "20003"


async def test_nobody_listens_there() -> None:
    carrier = TwilioCarrier("AC" + "0" * 32, "token", base_url="http://127.0.0.1:1", timeout_s=1)
    assert isinstance(await carrier.create(DIAL), NotSent)
    with pytest.raises(CarrierUnavailable):
        await carrier.calls(DIAL.to, DIAL.from_number)
    await carrier.close()


async def test_the_carriers_records(carrier: TwilioCarrier, carrier_api: RestApi) -> None:
    await carrier.create(DIAL)
    (placed,) = carrier_api.placed
    (listed,) = await carrier.calls(DIAL.to, DIAL.from_number)
    assert (listed.call_sid, listed.status) == (placed.sid, "queued")
    assert abs(listed.created_s - time.time()) < 60
    assert await carrier.calls("+15550100009", DIAL.from_number) == []
    assert await carrier.call(placed.sid) == listed
    assert await carrier.call("CA" + "f" * 32) is None


@pytest.mark.parametrize(
    "fault",
    [faults.server_error(), faults.bad_gateway(), faults.silence(makes_call=False), faults.nonsense()],
)
async def test_a_question_without_an_answer(
    carrier: TwilioCarrier, carrier_api: RestApi, fault: object
) -> None:
    carrier_api.list_faults.append(fault)  # type: ignore[arg-type]
    with pytest.raises(CarrierUnavailable):
        await carrier.calls(DIAL.to, DIAL.from_number)

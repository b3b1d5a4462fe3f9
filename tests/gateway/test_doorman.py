"""What strangers may have at once, without a clock and without sockets."""

from __future__ import annotations

import pytest

from voxbus.gateway.core_doorman import Allowance, Doorman, Visit
from voxbus.gateway.errors import Refused

SIGNED = {"x-twilio-signature": "?"}


def begin(doorman: Doorman, peer: str = "192.0.2.1", **headers: str) -> Visit:
    visit = doorman.admit({name.replace("_", "-"): it for name, it in headers.items()}, peer, None, 0.0)
    visit.begin()
    return visit


def begun(doorman: Doorman, peer: str = "192.0.2.1", **headers: str) -> int:
    """How many more it may begin."""
    for count in range(10_000):
        try:
            begin(doorman, peer, **headers)
        except Refused:
            return count
    raise AssertionError("there is no limit")


@pytest.fixture
def doorman() -> Doorman:
    return Doorman(Allowance(per_address=10_000, sockets=50), ())


def test_an_address_may_begin_so_many_requests_and_more_with_a_signature(doorman: Doorman) -> None:
    assert begun(doorman) == 50
    assert begun(doorman, "192.0.2.2", x_twilio_signature="?") == 100


def test_what_is_proven_or_over_makes_room(doorman: Doorman) -> None:
    first, second = begin(doorman, x_twilio_signature="?"), begin(doorman)
    begun(doorman)
    second.leave()
    second.leave()
    assert begun(doorman) == 1
    first.prove()
    first.leave()
    assert begun(doorman) == 1


def test_who_has_proved_itself_once_may_begin_as_many_as_a_carrier_does(doorman: Doorman) -> None:
    begin(doorman, x_twilio_signature="?").prove()
    assert begun(doorman, x_twilio_signature="?") == 500
    assert begun(doorman, "192.0.2.2", x_twilio_signature="?") == 100


def test_a_carrier_that_proves_what_it_begins_is_never_refused(doorman: Doorman) -> None:
    for _ in range(20):
        burst = [begin(doorman, x_twilio_signature="?") for _ in range(100)]
        for visit in burst:
            visit.prove()

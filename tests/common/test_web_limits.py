from __future__ import annotations

import pytest

from voxbus.common.web import Limits, Rates
from voxbus.common.web.limits import House, key_of


def test_so_many_at_once_and_so_many_a_second() -> None:
    rates = Rates(per_s=2, burst=3)
    assert [rates.take("a", 0.0) for _ in range(4)] == [True, True, True, False]
    assert rates.take("b", 0.0)
    assert [rates.take("a", 0.5), rates.take("a", 0.5)] == [True, False]
    assert [rates.take("a", 100.0) for _ in range(4)] == [True, True, True, False]


def test_what_was_given_back_can_be_taken_again() -> None:
    rates = Rates(per_s=1, burst=1)
    for _ in range(100):
        assert rates.take("a", 0.0)
        rates.give_back("a")
    rates.give_back("a")  # no more than there ever were
    assert [rates.take("a", 0.0), rates.take("a", 0.0)] == [True, False]


def test_a_million_addresses_need_no_memory() -> None:
    rates = Rates(per_s=1, burst=1)
    for number in range(30_000):
        rates.take(str(number), 0.0)
    assert len(rates._left) == 10_000


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8:1:2::3", "2001:db8:1:2:ffff::", True),
        ("2001:db8:1:2::3", "2001:db8:1:3::3", False),
        ("nonsense", "other nonsense", False),
    ],
)
def test_what_counts_as_one_address(one: str, other: str, same: bool) -> None:
    assert (key_of(one) == key_of(other)) is same


def test_seats_of_one_address_and_in_all() -> None:
    house = House(Limits(connections=5, per_address=2, is_proxy=lambda address: address == "proxy"))

    def enter(address: str) -> str | None:
        seat = house.enter(address)
        assert seat is not None
        return seat.refused

    known = house.enter("a")
    assert known is not None
    known.prove()
    assert [enter("a"), enter("a"), enter("a")] == [None, None, "address_full"]
    assert enter("proxy") is None
    assert enter("proxy") == "full"


def test_a_seat_is_left_once() -> None:
    house = House(Limits(connections=10, per_address=1))
    seat = house.enter("a")
    assert seat is not None
    seat.leave()
    seat.leave()
    assert house.open == 0
    again = house.enter("a")
    assert again is not None
    assert again.refused is None


def test_so_many_that_nobody_is_answered() -> None:
    house = House(Limits(connections=10))
    seats = [house.enter("a") for _ in range(30)]
    assert [seat is None for seat in seats] == [False] * 21 + [True] * 9
    assert house.open == 21

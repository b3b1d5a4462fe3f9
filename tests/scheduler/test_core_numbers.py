"""Telephone numbers: one way to write each, however it came."""

from __future__ import annotations

import pytest

from voxbus.scheduler.core_numbers import is_e164, kept_as, normalize
from voxbus.scheduler.core_orders import Order
from voxbus.scheduler.core_rules import Campaign

#: With the zero that is dialled inside the country, and as they are.
TRUNK_ZEROS = [
    ("+4402071838750", "+442071838750"),
    ("+2000223456789", "+20223456789"),
    ("+330142685300", "+33142685300"),
    ("+49030901820", "+4930901820"),
    ("+610298765432", "+61298765432"),
    ("+810312345678", "+81312345678"),
    ("+9109123456789", "+919123456789"),
    ("+54111523456789", "+5491123456789"),
]
#: In Mexico the 1 before mobile numbers is gone; carriers still tell of callers with it.
IMPOSSIBLE = "+5215512345678"


@pytest.mark.parametrize(("text", "number"), TRUNK_ZEROS)
def test_a_trunk_zero_makes_no_other_number(text: str, number: str) -> None:
    assert is_e164(text)
    assert normalize(text) == normalize(number) == kept_as(text) == number
    order, twin = Order(to=text, agent="a"), Order(to=number, agent="a")
    assert order.to == number
    assert order.fingerprint() == twin.fingerprint()
    assert Campaign(name="c", agent="a", from_number=text).from_number == number


@pytest.mark.parametrize("number", ["+390612345678", "+15550100001", "+5491123456789", "+551112345678"])
def test_what_is_no_trunk_zero_stays(number: str) -> None:
    assert Order(to=number, agent="a").to == normalize(number) == kept_as(number) == number


def test_an_impossible_number_is_kept_as_it_came() -> None:
    assert not is_e164(IMPOSSIBLE)
    assert kept_as(IMPOSSIBLE) == kept_as("+52 1 (55) 1234-5678") == IMPOSSIBLE


@pytest.mark.parametrize(
    "text",
    ["", "+", "12", "+12", "anonymous", "2125550101", "client:ann", "+12125550101;ext=5", "+" + "9" * 16],
)
def test_what_is_no_number_is_not_kept(text: str) -> None:
    with pytest.raises(ValueError, match=r"telephone number|extension"):
        kept_as(text)


@pytest.mark.parametrize("withheld", ["+266696687", "+7378742833", "+2562533", "+8656696", "+86282452253"])
def test_the_word_of_a_carrier_for_a_withheld_number_is_nobodys(withheld: str) -> None:
    with pytest.raises(ValueError, match="withheld"):
        kept_as(withheld)


def test_a_number_is_no_longer_than_e164_allows() -> None:
    """Countries have numbers that are: no column has room for those."""
    with pytest.raises(ValueError, match="length"):
        normalize("+49" + "30" + "1" * 13)

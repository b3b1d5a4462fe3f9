"""Where a tool may be connected to: a table of addresses."""

from __future__ import annotations

import pytest

from voxbus.common.tools.addresses import may_connect, written_out

PUBLIC = ("93.184.216.34", "8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8")
OWN = (
    "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "127.0.0.1", "127.8.8.8", "100.64.0.1", "fd00::1", "::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:7f00:1::", "::127.0.0.1",
)  # fmt: skip
NEVER = (
    "169.254.169.254", "fe80::1", "fe80::1%eth0", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::",
    "0.0.0.0", "::", "224.0.0.1", "255.255.255.255", "ff02::1", "240.0.0.1", "192.0.2.1", "2001:db8::1", "nonsense", "",
    "fec0::1", "192.0.0.192", "192.88.99.1", "3fff::1", "fd00:ec2::254", "100.100.100.200", "::ffff:100.100.100.200",
)  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_public_ones_may_be_asked(address: str) -> None:
    assert may_connect(address, host="crm.example.com", private=False)
    assert may_connect(address, host="crm.example.com", private=True)


@pytest.mark.parametrize("address", OWN)
def test_ones_own_only_where_the_tool_says_so(address: str) -> None:
    assert not may_connect(address, host="crm.example.com", private=False)
    assert may_connect(address, host="crm.internal", private=True)


@pytest.mark.parametrize("address", NEVER)
def test_the_rest_never_behind_a_name(address: str) -> None:
    assert not may_connect(address, host="crm.example.com", private=False)
    assert not may_connect(address, host="crm.example.com", private=True)


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "::1", "8.8.8.8"])
def test_an_address_that_is_written_out_is_meant(address: str) -> None:
    assert may_connect(address, host=address, private=False)


def test_localhost_is_this_machine_and_nothing_else() -> None:
    assert may_connect("127.0.0.1", host="localhost", private=False)
    assert may_connect("::1", host="LOCALHOST", private=False)
    assert not may_connect("10.0.0.1", host="localhost", private=False)


@pytest.mark.parametrize(
    "host", ["127.1", "2130706433", "0x7f000001", "0177.0.0.1", "crm.internal", "localhost.evil"]
)
def test_other_ways_to_write_an_address_are_names(host: str) -> None:
    assert not written_out(host)
    assert not may_connect("127.0.0.1", host=host, private=False)

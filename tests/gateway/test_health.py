"""What anybody may ask."""

from __future__ import annotations

import pytest

from .conftest import Start
from .twilio import Running

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_health(gateway: Running) -> None:
    response = await gateway.http.get(f"{gateway.url}/health")
    assert (response.status_code, response.text) == (200, "OK")
    assert "x-voxbus-nonce" not in response.headers


async def test_a_nonce_comes_back(gateway: Running) -> None:
    assert (await gateway.http.get(f"{gateway.url}/health?nonce=4f0A")).headers["x-voxbus-nonce"] == "4f0A"


@pytest.mark.parametrize("nonce", ["", "a%0d%0aSet-Cookie:x", "a" * 65, "%C3%A9"])
async def test_what_is_no_nonce_does_not(gateway: Running, nonce: str) -> None:
    response = await gateway.http.get(f"{gateway.url}/health?nonce={nonce}")
    assert (response.status_code, response.text) == (200, "OK")
    assert "x-voxbus-nonce" not in response.headers


async def test_a_port_that_is_taken_is_an_error_that_names_the_setting(
    gateway: Running, new_gateway: Start
) -> None:
    with pytest.raises(OSError, match=f"GATEWAY_PORT {gateway.port}"):
        async with new_gateway(gateway_port=gateway.port):
            pass

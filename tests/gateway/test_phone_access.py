"""Who may use the browser phone."""

from __future__ import annotations

import pytest

from voxbus.gateway.errors import Refused
from voxbus.gateway.phone.core_access import Access
from voxbus.gateway.urls import Origin, networks

from .conftest import Start
from .twilio import Running

HERE = {"host": "localhost:8080", "origin": "http://localhost:8080"}
TOKEN = "a-token-of-the-phone"


def access(*, on: bool = True, token: str = "", public: Origin | None = None) -> Access:
    return Access(on=on, token=token, public=public, trusted=networks("127.0.0.1,::1,172.16.0.0/12"))


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1:8080", "[::1]:8080", "voxbus.localhost"])
@pytest.mark.parametrize("peer", ["127.0.0.1", "127.0.0.2", "::1", "172.18.0.1"])
def test_a_browser_on_this_machine_may(host: str, peer: str) -> None:
    access().check_script({"host": host, "origin": f"http://{host}"}, peer, acts=True)


def test_a_proxy_of_ours_may_stand_before_it() -> None:
    headers = HERE | {
        "x-forwarded-for": "172.18.0.1", "x-forwarded-host": "localhost:8080", "x-forwarded-proto": "http",
    }  # fmt: skip
    access().check_script(headers, "172.18.0.2", acts=True)


@pytest.mark.parametrize(
    ("more", "peer"),
    [
        ({}, "192.0.2.1"),  # another machine, that says it asks for localhost
        ({}, "fe80::1%eth0"),
        ({}, ""),
        (
            {"host": "gw.example", "origin": "https://gw.example"},
            "127.0.0.1",
        ),  # a tunnel, as most of them are
        ({"host": "192.0.2.7:8080", "origin": "http://192.0.2.7:8080"}, "127.0.0.1"),
        ({"host": "localhost.example", "origin": "http://localhost.example"}, "127.0.0.1"),
        ({"host": "", "origin": "http://"}, "127.0.0.1"),
        ({"host": "["}, "127.0.0.1"),
        # tunnels and proxies that rewrite Host
        ({"x-forwarded-host": "gw.example"}, "127.0.0.1"),
        ({"x-forwarded-host": "localhost:8080, gw.example"}, "127.0.0.1"),
        ({"x-forwarded-for": "192.0.2.1"}, "127.0.0.1"),
        ({"x-forwarded-for": "127.0.0.1, 192.0.2.1"}, "127.0.0.1"),
        ({"x-forwarded-for": "unknown"}, "127.0.0.1"),
        ({"x-forwarded-for": ""}, "127.0.0.1"),
        ({"x-forwarded-proto": "https"}, "127.0.0.1"),
        ({"cf-connecting-ip": "192.0.2.1"}, "127.0.0.1"),
        ({"x-real-ip": "192.0.2.1"}, "127.0.0.1"),
        ({"forwarded": "for=192.0.2.1"}, "127.0.0.1"),
    ],
)
def test_what_may_be_somebody_elses_may_not(more: dict[str, str], peer: str) -> None:
    with pytest.raises(Refused, match="PHONE_TOKEN opens it") as refused:
        access().check(HERE | more, peer)
    assert (refused.value.status, refused.value.code) == (403, "phone_closed")


def test_a_gateway_with_a_public_address_is_open_to_nobody_without_a_token() -> None:
    with pytest.raises(Refused, match="PUBLIC_URL is set"):
        access(public=Origin(True, "gw.example")).check(HERE, "127.0.0.1")
    access(public=Origin(False, "127.0.0.1:8080")).check(HERE, "127.0.0.1")


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "http://localhost:3000", "null", "http://localhost:8080.evil.example"]
)
def test_a_page_of_somebody_else_may_not_use_this_browser(origin: str) -> None:
    for phone in (access(), access(token=TOKEN)):
        with pytest.raises(Refused, match="a page that is not ours"):
            phone.check_script(HERE | {"origin": origin}, "127.0.0.1", acts=True)


def test_who_acts_says_where_it_is_from() -> None:
    with pytest.raises(Refused, match="a page that is not ours"):
        access().check_script({"host": "localhost:8080"}, "127.0.0.1", acts=True)
    access().check_script({"host": "localhost:8080"}, "127.0.0.1")
    for site in ("same-origin", "none"):
        access().check_script({"host": "localhost:8080", "sec-fetch-site": site}, "127.0.0.1")
    for site in ("cross-site", "same-site"):  # localhost:3000 is of our site
        with pytest.raises(Refused, match="a page that is not ours"):
            access().check_script({"host": "localhost:8080", "sec-fetch-site": site}, "127.0.0.1")


def test_a_token_opens_it_from_anywhere() -> None:
    phone = access(token=TOKEN, public=Origin(True, "gw.example"))
    headers = {
        "host": "10.0.0.7:8080", "origin": "https://gw.example", "x-forwarded-for": "192.0.2.1",
        "authorization": f"Bearer {TOKEN}",
    }  # fmt: skip
    phone.check_script(headers, "10.0.0.1", acts=True)
    phone.check_token(headers)


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer x", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer é"]
)
def test_another_token_does_not_and_being_here_does_not_either(given: str) -> None:
    with pytest.raises(Refused, match="PHONE_TOKEN") as refused:
        access(token=TOKEN).check_token(HERE | {"authorization": given})
    assert refused.value.status == 401


def test_off_is_off() -> None:
    with pytest.raises(Refused, match="PHONE") as refused:
        access(on=False, token=TOKEN).check(HERE, "127.0.0.1")
    assert refused.value.status == 404


async def _refused(running: Running, **headers: str) -> tuple[int, str]:
    response = await running.http.get(f"{running.url}/phone", headers=headers)
    return response.status_code, response.text


@pytest.mark.asyncio(loop_scope="session")
async def test_the_page_is_what_the_gate_says(gateway: Running, new_gateway: Start) -> None:
    assert (await _refused(gateway))[0] == 200
    status, line = await _refused(gateway, host="gw.example")
    assert status == 403
    assert "PHONE_TOKEN opens it" in line
    async with new_gateway(phone="off") as closed:
        assert (await _refused(closed))[0] == 404
        assert (await closed.refused_handshake(closed.call(), "/voice"))[0] == 404
    async with new_gateway(public_url="https://gw.example") as public:
        assert (await _refused(public))[0] == 403
        assert (await public.refused_handshake(public.call(), "/voice"))[0] == 403


@pytest.mark.asyncio(loop_scope="session")
async def test_with_a_token_the_page_is_there_and_asks_for_it(new_gateway: Start) -> None:
    async with new_gateway(public_url="https://gw.example", phone_token=TOKEN) as running:
        assert (await _refused(running))[0] == 200
        agents = f"{running.url}/phone/agents"
        assert (await running.http.get(agents)).json() == {"wants_token": True, "agents": []}
        wrong = {"Authorization": "Bearer nothing of the kind"}
        assert (await running.http.get(agents, headers=wrong)).status_code == 401
        right = {"Authorization": f"Bearer {TOKEN}", "Origin": "https://gw.example"}
        assert (await running.http.get(agents, headers=right)).json()["agents"][0]["name"] == "test_agent"
        calls = f"{running.url}/phone/calls"
        assert (await running.http.post(calls, json={}, headers={"Origin": running.url})).status_code == 401
        assert (await running.http.post(calls, json={}, headers=right)).status_code == 200


@pytest.mark.asyncio(loop_scope="session")
async def test_the_page_keeps_to_itself(gateway: Running) -> None:
    for path in ("/phone", "/phone/main.js", "/phone/agents"):
        headers = (await gateway.http.get(gateway.url + path)).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
    page = (await gateway.http.get(f"{gateway.url}/phone")).text
    assert "style=" not in page
    assert "<script>" not in page


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("name", ["nothing.js", "..%2fpages.py", "%2e%2e%2fpages.py", "pages.py"])
async def test_there_are_no_other_files(gateway: Running, name: str) -> None:
    assert (await gateway.http.get(f"{gateway.url}/phone/{name}")).status_code == 404


@pytest.mark.asyncio(loop_scope="session")
async def test_what_has_not_changed_is_not_sent_again(gateway: Running) -> None:
    url = f"{gateway.url}/phone/main.js"
    etag = (await gateway.http.get(url)).headers["etag"]
    again = await gateway.http.get(url, headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")

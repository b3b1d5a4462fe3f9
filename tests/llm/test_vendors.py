"""Every language model against its simulated vendor, over a real socket: what is said, and every way to fail."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from voxbus.common.agent_files import load_agents, resolve
from voxbus.common.errors import ProviderError
from voxbus.llm.core_chat import Invocation, Message
from voxbus.llm.core_messages import GO_ON
from voxbus.llm.limits import Limits, limited
from voxbus.llm.providers import Providers
from voxbus.llm.providers.base import Delta, Finish, Provider, Request, Text, ToolCall, Usage
from voxbus.llm.settings import LlmSettings

pytest.importorskip("voxbus.devkit.vendors", reason="the devkit simulates the vendors")

from voxbus.devkit.vendors.desk import Desk
from voxbus.devkit.vendors.faults import Fault
from voxbus.devkit.vendors.mind import Mind
from voxbus.devkit.vendors.server import SIMULATED, Vendors

AGENTS = load_agents(Path(__file__).parents[2] / "agents")
REMINDER = resolve(AGENTS["appointment_reminder"], {})
BEGUN = (Message("system", REMINDER.prompt), Message("assistant", REMINDER.lines.greeting))
LIMITS = Limits(first_s=1.0, silence_s=1.0, reply_s=8.0)


@pytest.fixture
async def vendors() -> AsyncIterator[Vendors]:
    async with Vendors(Desk(mind=Mind(AGENTS.values()))) as made:
        yield made
        assert made.desk.protocol_errors == []


@pytest.fixture(params=SIMULATED["llm"])
async def provider(vendors: Vendors, request: pytest.FixtureRequest) -> AsyncIterator[Provider]:
    providers = make(vendors, request.param)
    yield providers[request.param]
    await providers.close()


def make(vendors: Vendors, name: str, **more: str) -> Providers:
    given = {key.lower(): value for key, value in vendors.environment.items()} | more
    return Providers(LlmSettings.model_validate({"llm_providers": name, "llm_temperature": 0.5, **given}))


async def take(provider: Provider, *said: Message) -> list[Delta]:
    request = Request(REMINDER, (*BEGUN, *said), ())
    return [delta async for delta in limited(provider.stream(request), LIMITS)]


def text_of(deltas: list[Delta]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, Text))


async def test_a_reply(provider: Provider) -> None:
    deltas = await take(provider, Message("user", "What should I bring?"))
    assert text_of(deltas).startswith("Your appointment with Doctor Lee is on Thursday")
    assert deltas[-2:] == [Finish("stop"), Usage(9, 5)]


async def test_a_tool(provider: Provider) -> None:
    deltas = await take(provider, Message("user", "No, thank you. Goodbye."))
    assert [delta for delta in deltas if isinstance(delta, ToolCall)] == [ToolCall("end_call", {})]
    assert Finish("tool_calls") in deltas
    transferred = await take(provider, Message("user", "talk to a human"))
    assert ToolCall("transfer_call", {"target": "front_desk"}) in transferred


async def test_a_tool_of_the_agents_own(provider: Provider, vendors: Vendors) -> None:
    asked = (*BEGUN, Message("user", "When is my appointment?"))
    request = Request(REMINDER, asked, (), tools=REMINDER.tools)
    deltas = [delta async for delta in limited(provider.stream(request), LIMITS)]
    assert [delta for delta in deltas if isinstance(delta, ToolCall)] == [
        ToolCall("get_next_appointment", {})
    ]
    called = Invocation("call_2_0_0", "get_next_appointment", {})
    answer = '{"day":"Wednesday","time":"noon","provider":"Doctor Adams"}'
    told = (Message("assistant", "", calls=(called,)), Message("tool", answer, call=called))
    request = Request(REMINDER, (*asked, *told), (), tools=REMINDER.tools)
    deltas = [delta async for delta in limited(provider.stream(request), LIMITS)]
    assert text_of(deltas).startswith("Your appointment with Doctor Adams is on Wednesday at noon.")


async def test_a_reply_that_another_worker_began_goes_on(provider: Provider) -> None:
    asked = Message("user", "What should I bring?")
    whole = text_of(await take(provider, asked))
    first = whole.partition(". ")[0] + "."
    rest = text_of(await take(provider, asked, Message("assistant", first), Message("system", GO_ON)))
    assert f"{first} {rest.strip()}" == whole.strip()


async def test_a_reply_that_nobody_wants_any_more_is_left(provider: Provider, vendors: Vendors) -> None:
    vendors.desk.token_delay_s = 0.05
    request = Request(REMINDER, (*BEGUN, Message("user", "What should I bring?")), ())
    async with aclosing(provider.stream(request)) as deltas:
        assert isinstance(await anext(deltas), Text)
    vendors.desk.token_delay_s = 0.0
    assert text_of(await take(provider, Message("user", "yes"))).startswith("Thank you")


@pytest.mark.parametrize(
    ("fault", "causes", "retry"),
    [
        (Fault("rate_limited"), ("rate_limited",), True),
        (Fault("overloaded"), ("overloaded", "rate_limited"), True),
        (Fault("server_error"), ("server_error",), True),
        (Fault("quota"), ("quota",), False),
        (Fault("unauthorized"), ("auth",), False),
        (Fault("stall"), ("first_token_timeout",), True),
        (Fault("stall", after=6), ("stalled",), True),
        (Fault("cut", after=6), ("connection",), True),
        (Fault("malformed", after=3), ("malformed",), True),
    ],
    ids=str,
)
async def test_failures_say_what_they_are_and_the_next_reply_comes(
    provider: Provider, vendors: Vendors, fault: Fault, causes: tuple[str, ...], retry: bool
) -> None:
    vendors.desk.faults.plan(provider.name, fault)
    asked = Message("user", "What should I bring?")
    with pytest.raises(ProviderError) as caught:
        await take(provider, asked)
    assert caught.value.cause in causes
    assert caught.value.retry is retry
    assert text_of(await take(provider, asked))


async def test_cloudflare_by_way_of_a_gateway_and_without_one(vendors: Vendors) -> None:
    for gateway in ("g1", ""):
        providers = make(vendors, "cloudflare", cloudflare_gateway=gateway)
        assert text_of(await take(providers["cloudflare"], Message("user", "yes")))
        await providers.close()
    assert [body["options"] for body in vendors.desk.requests] == [{"rejectIfBusy": True}] * 2


async def test_a_slow_one_is_waited_for(vendors: Vendors) -> None:
    vendors.desk.faults.plan("openai", Fault("slow", delay_s=0.01))
    providers = make(vendors, "openai")
    assert text_of(await take(providers["openai"], Message("user", "yes")))
    await providers.close()

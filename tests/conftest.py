"""Fixtures of every suite: a real NATS server, a bus that is set up on it, a scripted log of a call."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from voxbus.common import events as ev
from voxbus.common.agents import Agent, Lines, Voice
from voxbus.common.bus import Bus, BusConfig, ensure
from voxbus.common.errors import BusError
from voxbus.common.events import Event, Stored

if TYPE_CHECKING:
    from voxbus.devkit.nats_server import NatsServer

# The same examples in every run, so that a failure is the change's and not the day's; and no deadlines, because a busy
# machine is no fault. HYPOTHESIS_PROFILE=search looks for examples that nobody has seen yet.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None, max_examples=500)
settings.register_profile("few", derandomize=True, deadline=None, max_examples=5)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

# What it asserts tells of calls, and is no test itself.
pytest.register_assert_rewrite("tests.e2e.deaths")

_NO_SERVER = "the devkit brings the NATS server"

ROOT = Path(__file__).parent
#: All others of tests/e2e share one stack, and so one process.
_OWN_STACK = tuple(f"e2e/test_{name}.py" for name in ("campaign", "demo", "full_house", "matrix", "phone"))
#: Nothing is shared between the tests of these: each may run in another process.
_APART = ("e2e/test_demo.py", "e2e/test_full_house.py", "scheduler/test_dialling.py", "stt/test_vendors.py")
#: What takes long: begun last, it would be waited for alone. What computes comes between what waits for clocks.
_LONG = (
    "one stack",
    "e2e/test_demo.py",
    "scheduler/test_dialling.py",
    "stt/test_vendors.py",
    "e2e/test_campaign.py",
    "e2e/test_phone.py",
    "stt/test_acceptance.py",
    "tts/test_vendors.py",
    "devkit/test_up.py",
    "gateway/test_calls.py",
    "e2e/test_matrix.py",
    "e2e/test_full_house.py",
    "scheduler/test_campaign_deaths.py",
    "scheduler/test_process.py",
    "scheduler/test_api.py",
    "devkit/test_fuzz.py",
    "devkit/test_callees.py",
    "common/test_run.py",
)


def _work(nodeid: str) -> str:
    """What is done by one process: a file, as a rule."""
    file = nodeid.partition("::")[0].removeprefix(f"{ROOT.name}/")
    return "one stack" if file.startswith("e2e/") and file not in _OWN_STACK else file


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    rank = {name: place for place, name in enumerate(_LONG)}
    items.sort(key=lambda item: rank.get(_work(item.nodeid), len(_LONG)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Whole files to one process each, in the order of above, with the exceptions of above."""
    from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

    class Scheduling(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            work = _work(nodeid)
            return nodeid if work in _APART else work

    return Scheduling(config, log)


@pytest.fixture
def nats_server() -> Iterator[NatsServer]:
    """A server of this test alone, to be stopped and started by it."""
    nats = pytest.importorskip("voxbus.devkit.nats_server", reason=_NO_SERVER)
    with nats.nats_server() as server:
        yield server


@pytest.fixture
async def nats_url(nats_server: NatsServer) -> str:
    """A server of this test alone, streams, consumers and buckets set up."""
    setup = await Bus.connect(BusConfig(url=nats_server.url, name="setup"))
    await ensure(setup)
    await setup.close()
    return nats_server.url


@pytest.fixture
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    bus = await Bus.connect(BusConfig(url=nats_url, name="test"))
    yield bus
    await bus.close()


@pytest.fixture
def ask_with_patience(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Event]]:
    """``asked = ask_with_patience(bus, error)``: what is appended to the bus; the error is its answer, if there is one.

    Who asks without a pause is stopped: it would stop the loop, and the test with it.
    """

    def watch(bus: Bus, error: BusError | None = None) -> list[Event]:
        append, asked = bus.append, list[Event]()

        async def watched(event: Event, **condition: Any) -> int:
            asked.append(event)
            if len(asked) > 100:
                raise AssertionError("a hundred times without a pause")
            if error is not None:
                raise error
            return await append(event, **condition)

        monkeypatch.setattr(bus, "append", watched)
        return asked

    return watch


@pytest.fixture
def new_sid() -> Callable[[], str]:
    return lambda: "CA" + secrets.token_hex(16)


@pytest.fixture
def sid(new_sid: Callable[[], str]) -> str:
    return new_sid()


@pytest.fixture
def agent() -> Agent:
    return Agent(name="test_agent", prompt="You are a test.", lines=Lines(greeting="Hello there."))


class Script:
    """Writes the log of a call. ``at`` moves the stream's clock to that many seconds after the call's first event."""

    START_S = 1_700_000_000.0

    def __init__(self, sid: str, agent: Agent) -> None:
        self.sid = sid
        self.agent = agent
        self.log: list[Stored] = []
        self.now_s = self.START_S
        self.holder = 0

    def at(self, seconds: float) -> Script:
        self.now_s = self.START_S + seconds
        return self

    def add(self, *events: Event) -> Script:
        for event in events:
            self.log.append(Stored(len(self.log) + 1, self.now_s, event))
        return self

    def start(self, direction: ev.Direction = "inbound", *, from_number: str = "+15550100001") -> Script:
        self.add(
            ev.Started(
                call=self.sid,
                stream_sid="MZ1",
                session="session-1",
                direction=direction,
                from_number=from_number,
                to_number="+15550100002",
                agent=self.agent,
            )
        )
        self.add(ev.Attached(call=self.sid, worker="w", nonce="n"))
        self.holder = len(self.log)
        return self

    def says(self, turn: int, text: str, **fields: object) -> Script:
        known: dict[str, object] = {
            "start_media_ms": 1000,
            "end_media_ms": 2000,
            "ended_by": "silence",
            "endpoint_ms": 500.0,
            "recognition_ms": 20.0,
        }
        return self.add(
            ev.Utterance(call=self.sid, holder=self.holder, turn=turn, text=text, **(known | fields))  # type: ignore[arg-type]
        )

    def answers(
        self,
        turn: int,
        *texts: str,
        attempt: int = 0,
        fallback: str = "",
        first_token_ms: float = 100.0,
        **ended: object,
    ) -> Script:
        """``ended``: fields of the event that ends the reply."""
        for index, text in enumerate(texts):
            self.add(
                ev.Sentence(
                    call=self.sid,
                    turn=turn,
                    attempt=attempt,
                    index=index,
                    text=text,
                    voice=Voice(provider="espeak", name="en"),
                    fallback=bool(fallback),
                    cause=fallback,
                    first_token_ms=first_token_ms,
                    ready_ms=first_token_ms + 50.0 + index,
                )
            )
        known: dict[str, object] = {
            "reason": "complete",
            "provider": "openai",
            "model": "m",
            "input_tokens": 100,
            "output_tokens": 10,
        }
        return self.add(
            ev.ReplyEnded(
                call=self.sid,
                turn=turn,
                attempt=attempt,
                sentences=len(texts),
                **(known | ended),  # type: ignore[arg-type]
            )
        )

    def hears(self, turn: int, index: int = 0, **fields: object) -> Script:
        known: dict[str, object] = {
            "stream_sid": "MZ1",
            "complete": True,
            "played_ms": 900,
            "text": "",
            "known_by": "mark",
            "synthesis_ms": 60.0,
        }
        return self.add(ev.Heard(call=self.sid, turn=turn, sentence=index, **(known | fields)))  # type: ignore[arg-type]

    def ends(self, reason: ev.EndReason = "caller_hung_up") -> Script:
        return self.add(ev.Ended(call=self.sid, reason=reason))


@pytest.fixture(scope="session")
def new_script() -> Callable[[], Script]:
    agent = Agent(name="test_agent", prompt="You are a test.", lines=Lines(greeting="Hello there."))
    return lambda: Script("CA" + secrets.token_hex(16), agent)


@pytest.fixture
def script(new_script: Callable[[], Script]) -> Script:
    return new_script()

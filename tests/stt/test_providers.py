"""Which recognizers hear a call, and what happens where the first one cannot be reached."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from voxbus.common.agents import Agent, Lines
from voxbus.common.errors import AgentError, ProviderError, SettingsError
from voxbus.common.providers.breaker import Breakers
from voxbus.common.settings import load
from voxbus.stt.core_stream import Heard, Line
from voxbus.stt.core_words import may_become
from voxbus.stt.providers import make_all
from voxbus.stt.providers.chain import Chain, ChainHearing
from voxbus.stt.providers.transcribe import Request
from voxbus.stt.recognizer import Listener, Transcript, TurnEnds
from voxbus.stt.settings import SttSettings

AGENT = Agent(name="a", prompt="p", lines=Lines(greeting="Hello."))


class Fake:
    """Hears what it is called. ``fail()``: as if the connection were refused."""

    def __init__(self, name: str, *, ends_turns: bool = False, serves: bool = True) -> None:
        self.name = name
        self.ends_turns = ends_turns
        self.serves = serves
        self.heard: list[bytes] = []
        self.closed = 0
        self.fail: Callable[[], None] = lambda: None

    async def start(self) -> None: ...

    async def close(self) -> None:
        self.closed += 1

    def check(self, agent: Agent) -> None:
        if not self.serves:
            raise AgentError("no grammar")

    def attend(self, agent: Agent, ends: TurnEnds, listener: Listener) -> Fake:
        self.fail = lambda: listener.on_failed(ProviderError("rate_limited"))
        self.listener = listener
        return self

    async def ready(self) -> None: ...

    def open(self) -> Fake:
        self.heard.append(b"")
        return self

    def feed(self, audio: bytes) -> None:
        self.heard[-1] += audio

    def look(self) -> None: ...

    def cancel(self) -> None: ...

    async def finish(self, *, looked: bool) -> Transcript:
        return Transcript(self.name)


def listener() -> Listener:
    return Listener(lambda _: None, lambda _: None, lambda *_: None)


async def test_where_the_first_cannot_be_reached_the_next_hears_the_turn_from_its_beginning() -> None:
    one, two = Fake("one", ends_turns=True), Fake("two")
    switched: list[bool] = []
    told = Listener(lambda _: None, lambda _: None, lambda *_: None, on_provider=switched.append)
    hearing = Chain({"one": one, "two": two}, Breakers()).attend(AGENT, TurnEnds(0.7), told)
    recognition = hearing.open()
    recognition.feed(b"he")
    one.fail()
    recognition.feed(b"llo")
    assert two.heard == [b"hello"]
    assert (await recognition.finish(looked=False)).text == "two"
    assert switched == [True, False]
    await asyncio.sleep(0)
    assert one.closed == 1
    await hearing.close()


async def test_the_next_call_begins_with_the_one_that_works() -> None:
    one, two = Fake("one"), Fake("two")
    chain = Chain({"one": one, "two": two}, Breakers())
    first = chain.attend(AGENT, TurnEnds(0.7), listener())
    one.fail()
    second = chain.attend(AGENT, TurnEnds(0.7), listener())
    assert (await second.open().finish(looked=False)).text == "two"
    await first.close()
    await second.close()


async def test_the_last_one_goes_on_trying() -> None:
    one, two = Fake("one"), Fake("two")
    hearing = Chain({"one": one, "two": two}, Breakers()).attend(AGENT, TurnEnds(0.7), listener())
    one.fail()
    two.fail()
    recognition = hearing.open()
    assert (await recognition.finish(looked=False)).text == "two"
    await hearing.close()


class Asked(Fake):
    """Is asked by requests, which it answers when ``answered`` is set: with its name, or not at all."""

    def __init__(self, name: str, *, fails: bool = False) -> None:
        super().__init__(name)
        self.fails = fails
        self.answered = asyncio.Event()

    def open(self) -> Request:  # type: ignore[override]
        return Request(self._transcribe, self.listener)

    async def _transcribe(self, audio: bytes) -> str:
        await self.answered.wait()
        if self.fails:
            raise ProviderError("timeout")
        return f"{self.name} {len(audio)}"


def chained(*recognizers: Fake) -> ChainHearing:
    chain = Chain({recognizer.name: recognizer for recognizer in recognizers}, Breakers())
    return chain.attend(AGENT, TurnEnds(0.7), listener())


async def test_words_that_are_waited_for_while_the_caller_goes_on_are_not_lost() -> None:
    one, two = Asked("one", fails=True), Asked("two")
    two.answered.set()
    hearing = chained(one, two)
    first = hearing.open()
    first.feed(bytes(8000))
    finishing = asyncio.create_task(first.finish(looked=False))
    await asyncio.sleep(0)
    second = hearing.open()
    second.feed(bytes(1600))
    one.answered.set()
    assert (await finishing).text == "two 8000"
    assert (await second.finish(looked=False)).text == "two 1600"
    await hearing.close()


async def test_words_that_are_waited_for_come_from_the_next_when_the_first_is_left() -> None:
    one, two = Asked("one"), Asked("two")
    two.answered.set()
    hearing = chained(one, two)
    recognition = hearing.open()
    recognition.feed(bytes(8000))
    finishing = asyncio.create_task(recognition.finish(looked=False))
    await asyncio.sleep(0.01)
    one.fail()
    assert (await finishing).text == "two 8000"
    await hearing.close()


async def test_a_late_failure_of_one_that_was_left_moves_nobody() -> None:
    one, two, three = Fake("one"), Fake("two"), Fake("three")
    hearing = chained(one, two, three)
    one.fail()
    one.fail()
    assert (await hearing.open().finish(looked=False)).text == "two"
    await hearing.close()


async def test_one_that_is_left_in_disorder_is_only_complained_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Rude(Fake):
        async def close(self) -> None:
            raise RuntimeError("its own bug")

    unhandled: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
    one, two = Rude("one"), Fake("two")
    hearing = chained(one, two)
    one.fail()
    assert (await hearing.open().finish(looked=False)).text == "two"
    await hearing.close()
    assert unhandled == []
    assert "a recognizer was not closed" in caplog.text


def test_one_that_can_serve_the_agent_is_enough() -> None:
    Chain({"one": Fake("one", serves=False), "two": Fake("two")}, Breakers()).check(AGENT)
    with pytest.raises(AgentError):
        Chain({"one": Fake("one", serves=False), "two": Fake("two", serves=False)}, Breakers()).check(AGENT)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            "nobody",
            "STT_PROVIDERS: there is no provider 'nobody'; there are: cloudflare-flux, ",
        ),
        (",", "STT_PROVIDERS names no provider"),
        ("deepgram-flux", "DEEPGRAM_API_KEY is not set: the provider deepgram-flux needs it"),
    ],
)
def test_what_cannot_be_says_what_to_set(monkeypatch: pytest.MonkeyPatch, value: str, message: str) -> None:
    monkeypatch.delenv("DEEPGRAM_API_KEY", raising=False)
    monkeypatch.setenv("STT_PROVIDERS", value)
    with pytest.raises(SettingsError) as caught:
        make_all(load(SttSettings))
    assert str(caught.value).startswith(message)


def test_the_best_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STT_PROVIDERS", "deepgram-flux, pocketsphinx")
    monkeypatch.setenv("DEEPGRAM_API_KEY", "k")
    assert list(make_all(load(SttSettings))) == ["deepgram-flux", "pocketsphinx"]


# --- whose words they are -----------------------------------------------------------------------------------------


def test_words_belong_to_the_stretch_that_they_end_in() -> None:
    line = Line()
    first = line.begin()
    line.sent(8000)
    second = line.begin()
    line.sent(8000)
    assert line.take(Heard(0, "a", until_ms=900)) is first
    assert line.take(Heard(1, "b", until_ms=1900)) is second
    assert line.take(Heard(0, "aa", until_ms=1000, ended=True)) is first
    assert (first.text, first.understood, second.text, second.understood) == ("aa", True, "b", False)


def test_words_without_a_place_are_the_oldest_ones() -> None:
    line = Line()
    first, second = line.begin(), line.begin()
    assert line.take(Heard(0, "a", ended=True)) is first
    line.forget(first)
    assert line.take(Heard(1, "b", ended=True)) is second


def test_turns_of_one_stretch_are_joined() -> None:
    line = Line()
    stretch = line.begin()
    line.take(Heard(3, "one", ended=True))
    line.take(Heard(4, "two"))
    assert (stretch.text, stretch.understood) == ("one two", False)


def test_a_new_line_begins_with_what_was_not_understood() -> None:
    line = Line()
    first = line.begin()
    line.sent(8000)
    line.forget(first)
    second = line.begin()
    line.keep(second, b"x" * 80)
    line.take(Heard(0, "b", until_ms=1001))
    assert line.renew() == [second]
    assert (second.text, line.sent_ms, bytes(second.audio)) == ("", 0, b"x" * 80)


# --- words that are not all there yet -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("I", True),  # see
        ("I see", True),
        ("mm-hm.", True),
        ("You have", True),  # the line's echo of the agent, perhaps
        ("I want", False),
        ("stop", False),
    ],
)
def test_what_may_still_be_nothing(text: str, wanted: bool) -> None:
    backchannels = ("mm-hm", "i see", "right")
    assert may_become(text, backchannels, "You have an appointment.") is wanted

"""The way of a sentence through voices that fail, with a provider that does what the test says."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import cast

import pytest

from voxbus.common.agents import Voice
from voxbus.common.bus import Bus
from voxbus.common.errors import ProviderError
from voxbus.common.events import Sentence
from voxbus.tts.clips import Clips
from voxbus.tts.providers import Provider
from voxbus.tts.speaker import Speaker

Script = list[bytes | str]  # audio, or the cause of a failure


class ScriptedProvider:
    """Says what its script has for the voice; each entry is one attempt."""

    def __init__(self, name: str, voices: list[str], scripts: dict[str, list[Script]]) -> None:
        self.name = name
        self.identity = name
        self.voices = voices
        self.scripts = scripts
        self.asked: list[str] = []

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    def warm(self, voice: Voice) -> None: ...

    def not_ready(self) -> str:
        return ""

    def resolve(self, voice: Voice) -> Voice | None:
        name = voice.name or self.voices[0]
        return voice.model_copy(update={"provider": self.name, "name": name}) if name in self.voices else None

    def spares(self, voice: Voice) -> list[Voice]:
        return [voice.model_copy(update={"name": name}) for name in self.voices if name != voice.name]

    async def speak(
        self, text: str, voice: Voice, *, background: bool = False
    ) -> AsyncGenerator[bytes, None]:
        self.asked.append(voice.name)
        for step in self.scripts[voice.name].pop(0):
            if isinstance(step, str):
                raise ProviderError(step)
            yield step


class Bench:
    def __init__(self, *providers: ScriptedProvider) -> None:
        self.clips = Clips(cast(Bus, None))  # in memory only
        self.prepared: bytes | None = b"sorry"
        self.speaker = Speaker(
            {p.name: cast(Provider, p) for p in providers}, self.clips, lambda _: self._prepared()
        )

    async def _prepared(self) -> bytes | None:
        return self.prepared

    async def say(self, voice: Voice | None = None) -> list[tuple[bytes, str]]:
        said = Sentence(call="CA", turn=1, index=0, text="Hello.", voice=voice or Voice())
        return [(chunk.audio, chunk.source) async for chunk in self.speaker.speak(said)]

    async def say_notice(self) -> bytes:
        said = Sentence(call="CA", turn=1, index=0, text="Hello.", voice=Voice(), notice="end")
        return b"".join([chunk.audio async for chunk in self.speaker.speak(said)])


async def test_a_voice_that_works_says_it_and_the_second_time_it_costs_nothing() -> None:
    provider = ScriptedProvider("one", ["a"], {"a": [[b"he", b"llo"]]})
    bench = Bench(provider)
    assert await bench.say() == [(b"he", "voice"), (b"llo", "voice")]
    assert await bench.say() == [(b"hello", "clip")]
    assert provider.asked == ["a"]


async def test_after_a_crash_it_goes_on_where_it_stopped() -> None:
    bench = Bench(ScriptedProvider("one", ["a"], {"a": [[b"he", "crashed"], [b"h", b"ell", b"o"]]}))
    assert [audio for audio, _ in await bench.say()] == [b"he", b"ll", b"o"]
    assert await bench.say() == [(b"hello", "clip")]


async def test_after_a_second_crash_the_next_voice_begins_anew() -> None:
    scripts: dict[str, list[Script]] = {"a": [[b"he", "crashed"], [b"h", "crashed"]], "b": [[b"HELLO"]]}
    provider = ScriptedProvider("one", ["a", "b"], scripts)
    assert [audio for audio, _ in await Bench(provider).say()] == [b"he", b"HELLO"]
    assert provider.asked == ["a", "a", "b"]


async def test_a_provider_that_is_gone_is_followed_by_the_next_one() -> None:
    one = ScriptedProvider("one", ["a", "b"], {"a": [["unavailable"]]})
    two = ScriptedProvider("two", ["c"], {"c": [[b"hello"]]})
    assert await Bench(one, two).say() == [(b"hello", "voice")]
    assert one.asked == ["a"]


async def test_when_no_voice_is_left_the_prepared_line_is_played() -> None:
    bench = Bench(ScriptedProvider("one", ["a", "b"], {"a": [["no_audio"]] * 2, "b": [["no_audio"]] * 2}))
    assert await bench.say() == [(b"sorry", "fallback")]
    bench.prepared = None
    assert await bench.say() == []


async def test_no_other_words_stand_in_the_place_of_a_notice() -> None:
    bench = Bench(ScriptedProvider("one", ["a"], {"a": [[b"he", "no_audio"], [b"hello"]]}))
    with pytest.raises(ProviderError):
        await bench.say_notice()
    assert await bench.say_notice() == b"hello"


async def test_a_failed_sentence_is_not_kept() -> None:
    bench = Bench(ScriptedProvider("one", ["a"], {"a": [[b"he", "no_audio"], [b"hello"]]}))
    await bench.say()
    assert await bench.say() == [(b"hello", "voice")]


@pytest.mark.parametrize(
    ("voice", "asked"),
    [
        (Voice(name="b"), "b"),
        (Voice(provider="one", name="b"), "b"),
        (Voice(provider="one"), "a"),
        (Voice(name="nobody"), "a"),
        (Voice(provider="nobody", name="b"), "a"),
    ],
)
async def test_an_unknown_voice_is_replaced_by_the_default_one(voice: Voice, asked: str) -> None:
    provider = ScriptedProvider("one", ["a", "b"], {"a": [[b"hello"]], "b": [[b"hello"]]})
    await Bench(provider).say(voice)
    assert provider.asked == [asked]


async def test_rendering_ahead_starts_again_when_it_had_to_make_way() -> None:
    provider = ScriptedProvider("one", ["a"], {"a": [[b"he", "preempted"], [b"hello"]]})
    assert await Bench(provider).speaker.render("Hello.", Voice()) == (b"hello", True)


async def test_a_line_is_rendered_whole_by_whichever_voice_can() -> None:
    one = ScriptedProvider("one", ["a", "b"], {"a": [[b"he", "crashed"], [b"h", "unavailable"]]})
    two = ScriptedProvider("two", ["c"], {"c": [[b"HE", b"LLO"]]})
    assert await Bench(one, two).speaker.render("Hello.", Voice()) == (b"HELLO", False)
    assert one.asked == ["a", "a"]


async def test_rendering_ahead_does_not_wait_for_a_provider_that_rests() -> None:
    one = ScriptedProvider("one", ["a"], {"a": [["auth"]]})
    two = ScriptedProvider("two", ["c"], {"c": [[b"1"], [b"2"]]})
    bench = Bench(one, two)
    assert [await bench.speaker.render(text, Voice()) for text in "12"] == [(b"1", False), (b"2", False)]
    assert one.asked == ["a"]


async def test_a_voice_that_is_asked_alone_has_nobody_in_its_place() -> None:
    bench = Bench(ScriptedProvider("one", ["a", "b"], {"a": [["no_audio"], [b"hello"]]}))
    with pytest.raises(ProviderError):
        await bench.speaker.render("Hello.", Voice(), alone=True)
    assert await bench.speaker.render("Hello.", Voice(), alone=True) == (b"hello", True)


async def test_rendering_ahead_fails_with_the_last_voice() -> None:
    bench = Bench(ScriptedProvider("one", ["a", "b"], {"a": [["no_audio"]], "b": [["bad_request"]]}))
    with pytest.raises(ProviderError) as failed:
        await bench.speaker.render("Hello.", Voice())
    assert failed.value.cause == "bad_request"

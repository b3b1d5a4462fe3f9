"""``voxbus doctor --live``: one tiny real request to each provider that is configured, and how long it took.

It costs what such a request costs: a few tokens, one word, a third of a second of silence.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, Final

from voxbus.common.agents import Agent, Lines, Voice
from voxbus.common.errors import ProviderError, SettingsError
from voxbus.common.settings import ServiceSettings
from voxbus.devkit.doctor.findings import Finding

EMBEDDED: Final = {"pocketsphinx", "scripted", "espeak"}
_WITHIN_S: Final = 15.0
_SILENCE: Final = b"\xff" * 2400
_AGENT: Final = Agent(name="doctor", prompt="Answer with one word.", lines=Lines(greeting="Hello."))

#: What is asked, and what came back, in a few words.
Probe = Callable[[], Awaitable[str]]


async def live(loaded: Mapping[str, ServiceSettings]) -> AsyncIterator[Finding]:
    for service, probes in (("stt", _stt), ("llm", _llm), ("tts", _tts)):
        if service not in loaded or importlib.util.find_spec(f"voxbus.{service}") is None:
            continue
        try:
            made = probes(loaded[service])
        except SettingsError as error:
            yield Finding(f"{service} live", "broken", str(error), "set it in .env; see docs/providers.md")
            continue
        for name, probe in made.items():
            yield await _tried(f"{service} {name}", probe)


async def _tried(capability: str, probe: Probe) -> Finding:
    began_s = time.monotonic()
    try:
        async with asyncio.timeout(_WITHIN_S):
            text = await probe()
    except ProviderError as error:
        remedy = "it may pass" if error.retry else "the key, the account or the name of the model is wrong"
        return Finding(capability, "broken", f"fails: {error}", remedy)
    except TimeoutError:
        return Finding(
            capability, "broken", f"no answer within {_WITHIN_S:.0f} s", "is its server reachable?"
        )
    return Finding(capability, "ok", f"{text} after {(time.monotonic() - began_s) * 1000:.0f} ms")


def _stt(settings: Any) -> dict[str, Probe]:
    recognizers = importlib.import_module("voxbus.stt.providers").make_all(settings)
    recognizing = importlib.import_module("voxbus.stt.recognizer")

    def probe(recognizer: Any) -> Probe:
        async def hear() -> str:
            nothing = recognizing.Listener(lambda _: None, lambda _: None, lambda *_: None)
            hearing = recognizer.attend(_AGENT, recognizing.TurnEnds(settings.eot_threshold), nothing)
            try:
                await hearing.ready()
                recognition = hearing.open()
                recognition.feed(_SILENCE)
                await recognition.finish(looked=False)
            finally:
                await hearing.close()
                await recognizer.close()
            return "hears silence"

        return hear

    return {name: probe(one) for name, one in recognizers.items() if name not in EMBEDDED}


def _llm(settings: Any) -> dict[str, Probe]:
    providers = importlib.import_module("voxbus.llm.providers").Providers(settings)
    base = importlib.import_module("voxbus.llm.providers.base")
    message = importlib.import_module("voxbus.llm.core_chat").Message

    def probe(provider: Any) -> Probe:
        async def answer() -> str:
            request = base.Request(_AGENT, (message("system", _AGENT.prompt), message("user", "Hello?")), ())
            try:
                async with aclosing(provider.stream(request)) as deltas:
                    async for delta in deltas:
                        if isinstance(delta, base.Text | base.ToolCall):
                            return f"{provider.model} answers, first token"
            finally:
                await provider.close()
            raise ProviderError("empty", "it answers with nothing")

        return answer

    return {name: probe(providers[name]) for name in providers.chain if name not in EMBEDDED}


def _tts(settings: Any) -> dict[str, Probe]:
    providers = importlib.import_module("voxbus.tts.providers").make_providers(settings)

    def probe(provider: Any) -> Probe:
        async def speak() -> str:
            try:
                await provider.start()
                voice = provider.resolve(Voice())
                async with aclosing(provider.speak("Yes.", voice)) as audio:
                    async for piece in audio:
                        if piece:
                            return f"{voice.name} speaks, first audio"
            finally:
                await provider.close()
            raise ProviderError("no_audio", "it says nothing")

        return speak

    return {name: probe(one) for name, one in providers.items() if name not in EMBEDDED}

"""What speaks: one small contract, a registry by name.

A provider gives audio as the caller hears it (mu-law at 8 kHz, ``voxbus.tts.core_shape`` makes it of samples), so that
whatever is heavy about it can happen where the provider works, which need not be the event loop.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Final, Protocol

from voxbus.common.providers.names import chosen, needed

if TYPE_CHECKING:
    from voxbus.common.agents import Voice
    from voxbus.tts.providers.sockets import Vendor
    from voxbus.tts.settings import TtsSettings


class Provider(Protocol):
    """One a process, shared by all sentences.

    Errors are ProviderErrors. Their causes: ``crashed`` and ``stalled`` (chance: the same may succeed), those of
    ``core_policy.WHOLE_PROVIDER`` (no voice of this provider works now), ``no_audio`` (this voice cannot say this
    text), ``preempted`` (background work made way).
    """

    name: str

    async def start(self) -> None:
        """Returns once it speaks without delay. Raises SettingsError for a voice that does not exist."""

    @property
    def identity(self) -> str:
        """Changes whenever the same voice name would sound different: version, default voice."""

    def resolve(self, voice: Voice) -> Voice | None:
        """``voice`` under the name the provider itself uses (an empty name: its default); None when it has none."""

    def spares(self, voice: Voice) -> list[Voice]:
        """Voices that may stand in for a resolved one, best first."""

    def warm(self, voice: Voice) -> None:
        """A resolved voice will be needed soon: a connection may be opened. Returns at once."""

    def speak(self, text: str, voice: Voice, *, background: bool = False) -> AsyncGenerator[bytes, None]:
        """The audio of ``text``, as it is made, with a pause at its end. Close the generator to cancel.

        ``voice`` is a resolved one. ``background``: gives way to all other work, with the error ``preempted``.
        """

    def not_ready(self) -> str:
        """Why it cannot speak just now, in one line; empty = it can."""

    async def close(self) -> None: ...


def _espeak(settings: TtsSettings) -> Provider:
    from voxbus.tts.providers.espeak.provider import EspeakProvider

    return EspeakProvider(settings.voice_of("espeak") or "en-us", settings.tts_processes)


def _deepgram_aura(settings: TtsSettings) -> Provider:
    from voxbus.tts.providers.deepgram_aura import deepgram_aura

    key = needed("deepgram-aura", "DEEPGRAM_API_KEY", settings.secret("deepgram_api_key"))
    return _socket(
        settings, deepgram_aura(settings.deepgram_base_url, key, settings.voice_of("deepgram-aura"))
    )


def _cloudflare_aura(settings: TtsSettings) -> Provider:
    from voxbus.tts.providers.deepgram_aura import cloudflare_aura

    name = "cloudflare-aura"
    account = needed(name, "CLOUDFLARE_ACCOUNT_ID", settings.cloudflare_account_id)
    token = needed(name, "CLOUDFLARE_API_TOKEN", settings.secret("cloudflare_api_token"))
    gateway = needed(name, "CLOUDFLARE_GATEWAY", settings.cloudflare_gateway)
    url = f"{settings.cloudflare_gateway_url.rstrip('/')}/{account}/{gateway}"
    authorization = f"Bearer {token}" if settings.cloudflare_gateway_bearer else token
    return _socket(
        settings, cloudflare_aura(url, authorization, settings.model_of(name), settings.voice_of(name))
    )


def _together(settings: TtsSettings) -> Provider:
    from voxbus.tts.providers.together import together

    key = needed("together", "TOGETHER_API_KEY", settings.secret("together_api_key"))
    model, voice = settings.model_of("together"), settings.voice_of("together")
    return _socket(settings, together(settings.together_base_url, key, model, voice))


def _elevenlabs(settings: TtsSettings) -> Provider:
    from voxbus.tts.providers.elevenlabs import elevenlabs

    key = needed("elevenlabs", "ELEVENLABS_API_KEY", settings.secret("elevenlabs_api_key"))
    model, voice = settings.model_of("elevenlabs"), settings.voice_of("elevenlabs")
    return _socket(settings, elevenlabs(settings.elevenlabs_base_url, key, model, voice))


def _cartesia(settings: TtsSettings) -> Provider:
    from voxbus.tts.providers.cartesia import cartesia

    key = needed("cartesia", "CARTESIA_API_KEY", settings.secret("cartesia_api_key"))
    model, voice = settings.model_of("cartesia"), settings.voice_of("cartesia")
    return _socket(settings, cartesia(settings.cartesia_base_url, key, model, voice))


def _openai(settings: TtsSettings) -> Provider:
    from voxbus.tts.providers.openai import OpenAiSpeech

    key = settings.openai_key("openai")
    model, voice = settings.model_of("openai"), settings.voice_of("openai")
    return OpenAiSpeech(settings.openai_base_url, key, model, voice, settings.first_audio_s)


def _socket(settings: TtsSettings, vendor: Vendor) -> Provider:
    from voxbus.tts.providers.sockets import SocketProvider

    return SocketProvider(vendor, settings.first_audio_s)


#: A provider's module, and what it needs, is imported only when it was chosen.
PROVIDERS: Final[dict[str, Callable[[TtsSettings], Provider]]] = {
    "cartesia": _cartesia,
    "cloudflare-aura": _cloudflare_aura,
    "deepgram-aura": _deepgram_aura,
    "elevenlabs": _elevenlabs,
    "espeak": _espeak,
    "openai": _openai,
    "together": _together,
}


def make_providers(settings: TtsSettings) -> dict[str, Provider]:
    """The providers of ``TTS_PROVIDERS`` by name, in its order. Raises SettingsError for one that does not exist."""
    names = chosen("TTS_PROVIDERS", settings.tts_providers, PROVIDERS)
    return {name: PROVIDERS[name](settings) for name in names}

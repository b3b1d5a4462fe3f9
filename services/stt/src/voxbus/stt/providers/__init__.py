"""The recognizers there are, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from voxbus.common.providers.names import chosen, needed

if TYPE_CHECKING:  # recognition processes come through here, and need none of it
    from voxbus.stt.recognizer import Recognizer
    from voxbus.stt.settings import SttSettings


def _pocketsphinx(settings: SttSettings, _model: str) -> Recognizer:
    from voxbus.stt.providers.pocketsphinx.provider import PocketSphinx

    return PocketSphinx(settings.stt_processes)


def _deepgram_flux(settings: SttSettings, model: str) -> Recognizer:
    from voxbus.stt.providers.deepgram_flux import DeepgramFlux

    key = needed("deepgram-flux", "DEEPGRAM_API_KEY", settings.secret("deepgram_api_key"))
    return DeepgramFlux(settings.deepgram_base_url, key, model)


def _deepgram_nova(settings: SttSettings, model: str) -> Recognizer:
    from voxbus.stt.providers.deepgram_nova import DeepgramNova

    key = needed("deepgram-nova", "DEEPGRAM_API_KEY", settings.secret("deepgram_api_key"))
    return DeepgramNova(settings.deepgram_base_url, key, model)


def _cloudflare_flux(settings: SttSettings, model: str) -> Recognizer:
    from voxbus.stt.providers.cloudflare_flux import CloudflareFlux

    account, token = _cloudflare("cloudflare-flux", settings)
    gateway = needed("cloudflare-flux", "CLOUDFLARE_GATEWAY", settings.cloudflare_gateway)
    bearer = settings.cloudflare_gateway_bearer
    return CloudflareFlux(settings.cloudflare_gateway_url, account, gateway, token, model, bearer=bearer)


def _together(settings: SttSettings, model: str) -> Recognizer:
    from voxbus.stt.providers.together_realtime import TogetherRealtime

    key = needed("together", "TOGETHER_API_KEY", settings.secret("together_api_key"))
    return TogetherRealtime(settings.together_base_url, key, model)


def _openai_transcribe(settings: SttSettings, model: str) -> Recognizer:
    from voxbus.stt.providers.transcribe import OpenAiTranscribe, Transcriber

    ask = OpenAiTranscribe(model or "gpt-4o-mini-transcribe")
    return Transcriber(settings.openai_base_url, settings.openai_key("openai-transcribe"), ask)


def _groq_transcribe(settings: SttSettings, model: str) -> Recognizer:
    from voxbus.stt.providers.transcribe import OpenAiTranscribe, Transcriber

    key = needed("groq-transcribe", "GROQ_API_KEY", settings.secret("groq_api_key"))
    return Transcriber(settings.groq_base_url, key, OpenAiTranscribe(model or "whisper-large-v3-turbo"))


def _cloudflare_whisper(settings: SttSettings, model: str) -> Recognizer:
    from voxbus.stt.providers.transcribe import CloudflareWhisper, Transcriber

    account, token = _cloudflare("cloudflare-whisper", settings)
    url = f"{settings.cloudflare_base_url.rstrip('/')}/accounts/{account}/ai"
    return Transcriber(url, token, CloudflareWhisper(model or "@cf/openai/whisper-large-v3-turbo"))


def _cloudflare(name: str, settings: SttSettings) -> tuple[str, str]:
    account = needed(name, "CLOUDFLARE_ACCOUNT_ID", settings.cloudflare_account_id)
    return account, needed(name, "CLOUDFLARE_API_TOKEN", settings.secret("cloudflare_api_token"))


#: A provider's module, and what it needs, is imported only when it was chosen.
PROVIDERS: Final[dict[str, Callable[[SttSettings, str], Recognizer]]] = {
    "deepgram-flux": _deepgram_flux,
    "deepgram-nova": _deepgram_nova,
    "cloudflare-flux": _cloudflare_flux,
    "cloudflare-whisper": _cloudflare_whisper,
    "groq-transcribe": _groq_transcribe,
    "openai-transcribe": _openai_transcribe,
    "pocketsphinx": _pocketsphinx,
    "together": _together,
}


def make_all(settings: SttSettings) -> dict[str, Recognizer]:
    """Those of ``STT_PROVIDERS``, in its order. Raises SettingsError that names what there is, or what is missing."""
    names = chosen("STT_PROVIDERS", settings.stt_providers, PROVIDERS)
    return {name: PROVIDERS[name](settings, settings.stt_model if name == names[0] else "") for name in names}

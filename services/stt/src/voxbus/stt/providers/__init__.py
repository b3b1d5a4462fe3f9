"""The recognizers there are, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from voxbus.common.providers.names import chosen, needed
from voxbus.stt.recognizer import Recognizer
from voxbus.stt.settings import SttSettings


def _pocketsphinx(settings: SttSettings, _model: str) -> Recognizer:
    from voxbus.stt.providers.pocketsphinx.provider import PocketSphinx

    return PocketSphinx(settings.stt_processes)


def _deepgram_flux(settings: SttSettings, model: str) -> Recognizer:
    from voxbus.stt.providers.deepgram_flux import DeepgramFlux

    key = needed("deepgram-flux", "DEEPGRAM_API_KEY", settings.secret("deepgram_api_key"))
    return DeepgramFlux(settings.deepgram_base_url, key, model)


#: A provider's module, and what it needs, is imported only when it was chosen.
REGISTRY: Final[dict[str, Callable[[SttSettings, str], Recognizer]]] = {
    "deepgram-flux": _deepgram_flux,
    "pocketsphinx": _pocketsphinx,
}


def make_all(settings: SttSettings) -> dict[str, Recognizer]:
    """Those of ``STT_PROVIDER``, in its order. Raises SettingsError that names what there is, or what is missing."""
    names = chosen("STT_PROVIDER", settings.stt_provider, REGISTRY)
    return {name: REGISTRY[name](settings, settings.stt_model if name == names[0] else "") for name in names}

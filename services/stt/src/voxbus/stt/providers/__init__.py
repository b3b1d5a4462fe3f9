"""The recognizers there are, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from voxbus.common.errors import SettingsError
from voxbus.stt.providers.pocketsphinx.provider import PocketSphinx
from voxbus.stt.recognizer import Recognizer
from voxbus.stt.settings import SttSettings

REGISTRY: Final[dict[str, Callable[[SttSettings], Recognizer]]] = {
    "pocketsphinx": lambda settings: PocketSphinx(settings.stt_processes),
}


def make(name: str, settings: SttSettings) -> Recognizer:
    """Raises SettingsError that names the recognizers there are."""
    if name not in REGISTRY:
        raise SettingsError(
            f"STT_PROVIDER: no recognizer is called {name!r}; there are: {', '.join(REGISTRY)}"
        )
    return REGISTRY[name](settings)

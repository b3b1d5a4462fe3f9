"""``python -m voxbus.tts``: a TTS worker."""

from __future__ import annotations

from voxbus.common.bus import Bus
from voxbus.common.run import run
from voxbus.tts.providers import make_providers
from voxbus.tts.service import TtsService
from voxbus.tts.settings import TtsSettings


def build(settings: TtsSettings, bus: Bus) -> TtsService:
    return TtsService(settings, bus, make_providers(settings))


if __name__ == "__main__":
    run("tts", TtsSettings, build)

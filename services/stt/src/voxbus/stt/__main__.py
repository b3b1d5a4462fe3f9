"""The STT worker: ``python -m voxbus.stt``."""

from __future__ import annotations

from voxbus.common.bus import Bus
from voxbus.common.run import run
from voxbus.stt.providers import make_all
from voxbus.stt.service import SttService
from voxbus.stt.settings import SttSettings


def build(settings: SttSettings, bus: Bus) -> SttService:
    return SttService(settings, bus, make_all(settings))


if __name__ == "__main__":
    run("stt", SttSettings, build)

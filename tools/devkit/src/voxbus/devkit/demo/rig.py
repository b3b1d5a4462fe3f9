"""What both calls of the demo need: everything that runs, and a carrier in front of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from voxbus.common.bus import Bus
from voxbus.devkit.carrier import Exchange, LineQuality, Route
from voxbus.devkit.demo.console import LiveTranscript, Style
from voxbus.devkit.demo.listen import Speakers
from voxbus.devkit.demo.office import Office
from voxbus.devkit.demo.performance import Performance
from voxbus.devkit.stack import Stack

#: What the carrier calls. Its route leads to the gateway's own port, as a tunnel or a load balancer would.
PUBLIC_URL = "https://demo.voxbus.test"

#: A quiet room. No telephone is silent to the last bit, and a detector of speech that never hears a room is slower.
NOISE_DBFS = -60.0


@dataclass(frozen=True)
class Rig:
    """``directory``: for the folders of the calls. ``seed``: who calls, and who is called."""

    stack: Stack
    bus: Bus
    exchange: Exchange
    office: Office
    style: Style
    seed: int
    directory: Path
    speakers: Speakers | None

    @property
    def line(self) -> LineQuality:
        return LineQuality(noise_dbfs=NOISE_DBFS, seed=self.seed)

    @property
    def route(self) -> Route:
        return Route(PUBLIC_URL, self.stack.gateway_urls)

    def folder(self, call_sid: str) -> Path:
        path = self.directory / call_sid
        path.mkdir(parents=True)
        return path

    def performance(self) -> Performance:
        return Performance(self.bus, LiveTranscript(self.style), self.say, self.speakers)

    def say(self, line: str) -> None:
        print(line, flush=True)

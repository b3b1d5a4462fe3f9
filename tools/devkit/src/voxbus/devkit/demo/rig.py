"""What both calls of the demo need: everything that runs, and a carrier in front of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from voxbus.common.bus import Bus
from voxbus.devkit.carrier import Exchange
from voxbus.devkit.crm import Crm
from voxbus.devkit.demo.console import LiveTranscript, Style
from voxbus.devkit.demo.listen import Speakers
from voxbus.devkit.demo.office import Office
from voxbus.devkit.demo.performance import Performance
from voxbus.devkit.stack import Stack
from voxbus.devkit.vendors.server import Vendors


@dataclass(frozen=True)
class Rig:
    """``directory``: for the folders of the calls. ``seed``: who calls, and who is called. ``together``: calls overlap,
    and each line of a transcript says of which it is."""

    stack: Stack
    bus: Bus
    exchange: Exchange
    office: Office
    style: Style
    seed: int
    directory: Path
    speakers: Speakers | None
    vendors: Vendors
    crm: Crm
    together: bool = False

    @property
    def public_url(self) -> str:
        """What the carrier calls."""
        return self.exchange.route.public_url

    def folder(self, call_sid: str) -> Path:
        path = self.directory / call_sid
        path.mkdir(parents=True)
        return path

    def performance(self, direction: str) -> Performance:
        live = LiveTranscript(self.style, direction if self.together else "")
        return Performance(self.bus, live, self.say, self.speakers)

    def say(self, line: str) -> None:
        print(line, flush=True)

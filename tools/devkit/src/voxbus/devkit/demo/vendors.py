"""Who recognizes, answers and speaks in the demo: what is embedded, or simulated vendors in this process."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

from voxbus.common.agent_files import load_agents
from voxbus.devkit.speech import Speech
from voxbus.devkit.vendors.desk import Desk
from voxbus.devkit.vendors.ear import Phrasebook
from voxbus.devkit.vendors.mind import Mind
from voxbus.devkit.vendors.server import SIMULATED, Vendors

_AGENTS = Path("agents")
#: 50 tokens a second, so that there is a middle of a reply to be killed in.
TOKEN_DELAY_S = 0.02


@dataclass(frozen=True)
class Providers:
    """Names, as the services' settings have them. ``simulated``: the vendors among them are in this process."""

    stt: str = "pocketsphinx"
    llm: str = "scripted"
    tts: str = "espeak"
    simulated: bool = False

    @property
    def environment(self) -> dict[str, str]:
        """Whatever our own environment says."""
        return {
            "STT_PROVIDERS": self.stt,
            "LLM_PROVIDERS": self.llm,
            "TTS_PROVIDERS": self.tts,
            "SCRIPTED_TOKEN_DELAY_MS": str(TOKEN_DELAY_S * 1000),
            **dict.fromkeys(("STT_MODEL", "LLM_MODEL", "TTS_VOICE"), ""),
        }

    @property
    def title(self) -> str:
        names = ", ".join((self.stt, self.llm, self.tts))
        return (
            f"no keys, no network, simulated vendors ({names})" if self.simulated else "no keys, no network"
        )

    def unknown(self) -> str:
        """Which of them cannot be had, and what can; empty = all can."""
        embedded = Providers()
        for field in fields(self):
            if field.name == "simulated":
                continue
            asked, here = getattr(self, field.name), getattr(embedded, field.name)
            there_are = (here, *(SIMULATED[field.name] if self.simulated else ()))
            if asked not in there_are:
                hint = "" if self.simulated else " (others with --providers simulated)"
                return f"--{field.name}: there is no {asked!r}; there are: {', '.join(there_are)}{hint}"
        return ""


def vendors() -> Vendors:
    return Vendors(Desk(mind=Mind(load_agents(_AGENTS).values()), token_delay_s=TOKEN_DELAY_S))


def learn(book: Phrasebook, rehearsed: Iterable[object]) -> None:
    """``rehearsed``: what was prepared for the calls; all speech in it."""
    book.learn(value for lines in rehearsed for value in vars(lines).values() if isinstance(value, Speech))

"""Every recognizer with every model, every model with every voice, every voice with every recognizer: short calls
over the simulated vendors, all on one stack.

    recognizer i, model j -> voice (i + j): a Latin square, so that a row, and a column, has every voice in it
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio
import yaml

from voxbus.common.agent_files import load_agents
from voxbus.common.bus import Bus
from voxbus.common.events import ReplyEnded
from voxbus.devkit.caller import Caller
from voxbus.devkit.carrier import Carrier
from voxbus.devkit.local_carrier import LocalCarrier
from voxbus.devkit.speech import speak
from voxbus.devkit.stack import Stack
from voxbus.devkit.vendors.desk import Desk
from voxbus.devkit.vendors.mind import Mind
from voxbus.devkit.vendors.server import SIMULATED, Vendors

from .conftest import PUBLIC_URL, Calls, Held, Phone

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

#: Calls at a time: they wait more than they compute.
_TOGETHER: Final = 8
#: A recognizer that is given half a second for its last words may have none on a busy machine: then another call.
_TRIES: Final = 3
_LINE: Final = "yes please"
_ANSWER: Final = "You are confirmed."


@dataclass(frozen=True)
class Triple:
    stt: str
    llm: str
    tts: str

    @property
    def name(self) -> str:
        return "_".join((self.stt, self.llm, self.tts)).replace("-", "_")

    def agent(self) -> dict[str, object]:
        reply = {"say": _ANSWER}
        return {
            "name": self.name,
            "prompt": f"You are {self.name}.",
            "stt": self.stt,
            "llm": self.llm,
            "voice": {"provider": self.tts},
            "lines": {"greeting": "Hello, this is a test.", "fillers": [], "no_words": ["Pardon?"]},
            "grammar": f"#JSGF V1.0; grammar matrix; public <utterance> = {_LINE};",
            "dialogue": {"intents": [{"name": "yes", "phrases": [_LINE], "reply": reply}]},
        }


def triples() -> Iterator[Triple]:
    voices = SIMULATED["tts"]
    square = max(map(len, SIMULATED.values()))
    for i, stt in enumerate(SIMULATED["stt"]):
        for j, llm in enumerate(SIMULATED["llm"]):
            yield Triple(stt, llm, voices[(i + j) % square % len(voices)])


MATRIX: Final = tuple(triples())


async def test_every_pair_is_there() -> None:
    for one, other in combinations(("stt", "llm", "tts"), 2):
        held = {(getattr(triple, one), getattr(triple, other)) for triple in MATRIX}
        assert held == {(a, b) for a in SIMULATED[one] for b in SIMULATED[other]}


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("agents")
    for triple in MATRIX:
        (directory / f"{triple.name}.yaml").write_text(yaml.safe_dump(triple.agent()))
    return directory


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def vendors(agents: Path) -> AsyncIterator[Vendors]:
    desk = Desk(mind=Mind(load_agents(agents).values()))
    desk.book.learn([speak(_LINE)])
    async with Vendors(desk) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def phone_(
    agents: Path, vendors: Vendors, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Phone]:
    chosen = {f"{service.upper()}_PROVIDERS": ",".join(names) for service, names in SIMULATED.items()}
    models = dict.fromkeys(("STT_MODEL", "LLM_MODEL", "TTS_MODEL", "TTS_VOICE"), "")
    # Who answers is the matter here, not how soon: on a busy machine nobody is to stand in for another one.
    patient = {"FILLER_AFTER_MS": "7000", "LLM_FIRST_TOKEN_MS": "7000", "TTS_FIRST_AUDIO_MS": "7000"}
    ours = {"AGENTS_DIR": str(agents), "PERSONA": MATRIX[0].name} | patient
    async with LocalCarrier(PUBLIC_URL) as local, Carrier() as carrier:
        stack = Stack(
            counts={"reporter": 0, "scheduler": 0},
            env=local.environment | vendors.environment | chosen | models | ours,
            directory=tmp_path_factory.mktemp("stack"),
        )
        async with stack:
            local.serve(stack)
            bus = await Bus.connect(stack.bus_config("matrix"))
            yield Phone(stack, bus, carrier, local.exchange, stack.directory)
            await bus.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def calls(phone_: Phone) -> Calls[Held]:
    room = asyncio.Semaphore(_TOGETHER)

    async def script(caller: Caller) -> None:
        await caller.listen()
        await caller.say(speak(_LINE))
        await caller.listen()

    async def hold(triple: Triple) -> Held:
        async with room:
            for _ in range(_TRIES - 1):
                held = await phone_.call(script, triple.name)
                if (turn := held.state.turns.get(2)) is not None and turn.utterance and turn.utterance.text:
                    return held
            return await phone_.call(script, triple.name)

    held = await asyncio.gather(*map(hold, MATRIX), return_exceptions=True)
    return Calls({triple.name: one for triple, one in zip(MATRIX, held, strict=True)})


@pytest.mark.parametrize("triple", MATRIX, ids=lambda triple: triple.name)
async def test_it_understands_answers_and_speaks(calls: Calls[Held], triple: Triple) -> None:
    held = calls[triple.name]
    turn = held.state.turns[2]
    assert turn.utterance is not None
    assert turn.utterance.text.lower().strip(" .") == _LINE
    assert held.heard(2) == _ANSWER
    assert held.events(ReplyEnded)[-1].provider == triple.llm


async def test_nobody_stood_in_for_another_one(calls: Calls[Held], phone_: Phone, vendors: Vendors) -> None:
    """And nobody was spoken to in a way that the protocol does not know."""
    lines = [line for log in phone_.stack.directory.glob("*.log") for line in log.read_text().splitlines()]
    told = [json.loads(line) for line in lines if line.startswith("{")]
    words = ("a voice failed", "provider failed", "no recognizer", "another recognizer", "recognition failed")
    assert [line for line in told if line["message"].startswith(words)] == []
    assert vendors.desk.protocol_errors == []

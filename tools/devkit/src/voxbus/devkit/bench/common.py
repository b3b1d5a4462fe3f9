"""What every service pays: audio messages, events, mu-law, framing, resampling, the fold."""

from __future__ import annotations

import numpy as np

from voxbus.common.agents import Agent, Lines, Voice
from voxbus.common.audio import Framer, Limiter, Pcm, Resampler, mulaw_decode, mulaw_encode
from voxbus.common.codec import AudioIn, AudioOut, decode, encode, pack, unpack_audio_in, unpack_audio_out
from voxbus.common.events import Event, Sentence, Started, Stored, Utterance
from voxbus.common.fold import fold
from voxbus.devkit.bench.timing import Case

_SID = "CA" + "0" * 32
_FRAMES_A_SECOND = 50
#: Of both sides together, the agent speaks about half of the time.
_AGENT_SHARE = 0.5

_FRAME = bytes(range(160))
_SECOND = (np.random.default_rng(1).normal(size=8000) * 3000).astype(np.int16)


def cases() -> list[Case]:
    return [*_messages(), *_audio(), *_events()]


def _messages() -> list[Case]:
    caller = AudioIn(123, 2460, 2, 1, _FRAME)
    agent = AudioOut(2, 0, 1, 1763680000123, 6400, False, 41.5, _FRAME * 20)
    caller_bytes, agent_bytes = pack(caller), pack(agent)
    agent_a_second = _FRAMES_A_SECOND * _AGENT_SHARE / 20
    return [
        Case("pack a caller frame (20 ms)", lambda: pack(caller), _FRAMES_A_SECOND),
        Case("unpack a caller frame", lambda: unpack_audio_in(caller_bytes), _FRAMES_A_SECOND),
        Case("pack agent audio (400 ms)", lambda: pack(agent), agent_a_second),
        Case("unpack agent audio (400 ms)", lambda: unpack_audio_out(agent_bytes), agent_a_second),
    ]


def _audio() -> list[Case]:
    frame = mulaw_decode(_FRAME)
    odd = [(_FRAME * 3)[:333]] * 3
    resampler, quiet, loud = Resampler(22050, 8000), Limiter(8000, 0.0), Limiter(8000, 12.0)
    wide = np.repeat(_SECOND, 3)[:22050]
    return [
        Case("mu-law decode a frame", lambda: mulaw_decode(_FRAME), _FRAMES_A_SECOND),
        Case("mu-law encode a frame", lambda: mulaw_encode(frame), _FRAMES_A_SECOND * _AGENT_SHARE),
        Case("mu-law encode 1 s", lambda: mulaw_encode(_SECOND), _AGENT_SHARE),
        Case("frame 999 bytes in 3 pieces", lambda: _frame(odd), _FRAMES_A_SECOND * _AGENT_SHARE / 6),
        Case("resample 1 s from 22,050 Hz", lambda: _through(resampler, wide), _AGENT_SHARE),
        Case("amplify 1 s, nothing to limit", lambda: _through(quiet, _SECOND), _AGENT_SHARE),
        Case("amplify and limit 1 s", lambda: _through(loud, _SECOND), _AGENT_SHARE),
    ]


def _frame(pieces: list[bytes]) -> int:
    framer = Framer()
    return sum(len(framer.feed(piece)) for piece in pieces)


def _through(stage: Resampler | Limiter, samples: Pcm) -> int:
    return len(stage.feed(samples)) + len(stage.flush())


def _events() -> list[Case]:
    utterance = Utterance(
        call=_SID, holder=7, turn=2, text="I would like to move my appointment to Tuesday", start_media_ms=1000,
        end_media_ms=3200, ended_by="silence",
    )  # fmt: skip
    data = encode(utterance)
    log = list(_log(utterance, turns=20))
    return [
        Case("encode an utterance", lambda: encode(utterance)),
        Case("decode and validate an utterance", lambda: decode("utterance", data)),
        Case(f"fold a log of {len(log)} events", lambda: fold(log)),
    ]


def _log(utterance: Utterance, turns: int) -> list[Stored]:
    agent = Agent(name="bench", prompt="You are a benchmark.", lines=Lines(greeting="Hello."))
    events: list[Event] = [
        Started(call=_SID, stream_sid="MZ0", session="s", direction="inbound", agent=agent),
    ]
    for turn in range(2, turns + 2):
        events.append(Utterance(**{**vars(utterance), "turn": turn, "holder": 0}))
        events += [
            Sentence(call=_SID, turn=turn, index=index, text="Of course.", voice=Voice())
            for index in range(3)
        ]
    return [Stored(number, 0.0, event) for number, event in enumerate(events, 1)]

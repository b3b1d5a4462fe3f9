"""The parts of a call that never was: events at positions of the recording, and the sound that goes with them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from voxbus.common.agents import Agent, Lines, Voice
from voxbus.common.audio import Pcm
from voxbus.common.events import (
    Dtmf,
    EndedBy,
    Event,
    Heard,
    Paused,
    ReplyEnded,
    Sentence,
    Stored,
    Utterance,
    UtteranceConfirmed,
)
from voxbus.devkit.caller import Purpose, Said
from voxbus.devkit.demo.recording import Recording

SID = "CA" + "0123456789abcdef" * 2
STREAM = "MZ0"
HZ = 8000
ZERO_S = 1_800_000_000.0
AGENT = Agent(
    name="appointment_reminder",
    prompt="Remind.",
    lines=Lines(greeting="Hello, this is the clinic. You have an appointment on Tuesday at ten."),
)


def voice(ms: float, pitch_hz: float, seed: int) -> Pcm:
    """Something with syllables, at about -20 dBFS."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(ms * HZ / 1000)) / HZ
    wobble = 1 + 0.04 * np.sin(2 * np.pi * 0.9 * t + seed)
    phase = 2 * np.pi * np.cumsum(pitch_hz * wobble) / HZ
    tone = sum(np.sin(k * phase + k) / k for k in range(1, 9))
    syllables = 0.25 + 0.75 * np.abs(np.sin(np.pi * 2.3 * t + rng.uniform(0, 3)))
    phrase = 0.75 + 0.25 * np.sin(2 * np.pi * 0.35 * t + seed)
    sound = tone * syllables * phrase + 0.08 * rng.standard_normal(len(t))
    edge = min(len(t) // 2, HZ // 50)
    ramp = np.ones(len(t))
    ramp[:edge] = np.linspace(0.2, 1, edge)
    ramp[-edge:] = np.linspace(1, 0.2, edge)
    sound = sound * ramp
    scaled: Pcm = (sound / np.sqrt(np.mean(sound**2)) * 3100).clip(-20000, 20000).astype(np.int16)
    return scaled


@dataclass
class CallMaker:
    """Events at positions of the recording (ms), and the sound that goes with them."""

    log: list[Stored] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    sounds: list[tuple[str, float, float]] = field(default_factory=list)
    holder: int = 0

    def event(self, at_ms: float, event: Event) -> int:
        self.log.append(Stored(len(self.log) + 1, ZERO_S + at_ms / 1000, event))
        return len(self.log)

    def caller(self, start_ms: float, end_ms: float, text: str, purpose: Purpose = "speech") -> None:
        self.said.append(Said(text, purpose, start_ms, end_ms))
        self.sounds.append(("caller", start_ms, end_ms))

    def utterance(
        self,
        turn: int,
        start_ms: int,
        end_ms: int,
        text: str,
        *,
        ended_by: EndedBy = "silence",
        guessed: bool = False,
    ) -> None:
        keys = ended_by == "dtmf"
        if guessed:
            self.event(
                end_ms + 520,
                UtteranceConfirmed(
                    call=SID, holder=self.holder, turn=turn, attempt=0, endpoint_ms=508.0, recognition_ms=14.0
                ),
            )
        self.event(
            end_ms + (5 if keys else 300 if guessed else 520),
            Utterance(
                call=SID,
                holder=self.holder,
                turn=turn,
                text=text,
                start_media_ms=start_ms,
                end_media_ms=end_ms,
                ended_by=ended_by,
                endpoint_ms=3.0 if keys else 508.0,
                recognition_ms=0.0 if keys else 14.0,
                confidence=0.93,
                final=not guessed,
            ),
        )

    def reply(self, turn: int, start_ms: float, pieces: list[tuple[str, int]], *, gap_ms: int = 180) -> float:
        """Sentences that are heard whole, one after another; returns when the last one ended."""
        at = start_ms
        for index, (text, length) in enumerate(pieces):
            self.sentence(turn, index, text, start_ms - 60)
            self.sounds.append(("agent", at, at + length))
            self.heard(turn, index, text, at, at + length, start_ms)
            at += length + gap_ms
        self.event(start_ms - 20, ReplyEnded(call=SID, turn=turn, sentences=len(pieces), reason="complete"))
        return at - gap_ms

    def sentence(self, turn: int, index: int, text: str, at_ms: float) -> None:
        self.event(
            at_ms,
            Sentence(
                call=SID,
                turn=turn,
                index=index,
                text=text,
                voice=Voice(),
                first_token_ms=18.0,
                ready_ms=61.0 + index,
            ),
        )

    def heard(
        self,
        turn: int,
        index: int,
        text: str,
        start_ms: float,
        end_ms: float,
        first_ms: float,
        *,
        whole: bool = True,
    ) -> None:
        self.event(
            end_ms,
            Heard(
                call=SID,
                stream_sid=STREAM,
                turn=turn,
                sentence=index,
                complete=whole,
                played_ms=int(end_ms - start_ms),
                text=text,
                known_by="mark" if whole else "clock",
                synthesis_ms=37.0,
                response_ms=0.0 if index else self._response(first_ms),
            ),
        )

    def _response(self, first_ms: float) -> float:
        ends = [s.end_ms for s in self.said if s.purpose != "backchannel"]
        ends += [s.event.media_ms for s in self.log if isinstance(s.event, Dtmf)]
        return first_ms - 10 - max((end for end in ends if end < first_ms), default=0)

    def recording(self, length_ms: int) -> Recording:
        sides = {"caller": np.zeros(length_ms * HZ // 1000, np.int16)}
        sides["agent"] = sides["caller"].copy()
        for seed, (side, start, end) in enumerate(self.sounds):
            sound = voice(end - start, 205 if side == "caller" else 118, seed)
            first = int(start * HZ / 1000)
            sides[side][first : first + len(sound)] = sound
        return Recording(HZ, sides["caller"], sides["agent"])


def paused(turn: int, sentence: int, played_ms: int, media_ms: int) -> Paused:
    return Paused(
        call=SID,
        stream_sid=STREAM,
        turn=turn,
        sentence=sentence,
        played_ms=played_ms,
        media_ms=media_ms,
        reaction_ms=3.0,
    )


def backchannel(holder: int, turn: int, start_ms: int, end_ms: int) -> Utterance:
    return Utterance(
        call=SID,
        holder=holder,
        turn=turn,
        text="mm-hm",
        start_media_ms=start_ms,
        end_media_ms=end_ms,
        ended_by="silence",
        backchannel=True,
    )

"""What the gateway pays for a call: Twilio's JSON in, the playout, JSON out."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable

from voxbus.common import events as ev
from voxbus.common.agents import Voice
from voxbus.common.audio import FRAME_BYTES, FRAME_MS
from voxbus.common.codec import AudioIn, AudioOut, pack
from voxbus.devkit.bench.timing import Case
from voxbus.gateway.core_caller import CallerAudio
from voxbus.gateway.core_media import Media, Writer, parse
from voxbus.gateway.core_playout import Mark, Player, Publish
from voxbus.gateway.recording.core_tape import Tape
from voxbus.gateway.recording.core_wav import interleave
from voxbus.gateway.recording.recorder import CHUNK

_SID, _STREAM = "CA" + "0" * 32, "MZ" + "0" * 32
_FRAME = bytes(range(160))
_FRAMES_A_SECOND = 1000 / FRAME_MS
_REPLY_FRAMES = 200
#: A conversation has a reply of 4 s every 8 s.
_REPLIES_A_SECOND = 1 / 8


def cases() -> list[Case]:
    media = {"track": "inbound", "chunk": "51", "timestamp": "1020", "payload": b64encode(_FRAME).decode()}
    text = json.dumps(
        {"event": "media", "sequenceNumber": "52", "streamSid": _STREAM, "media": media}
    ).encode()
    caller, writer = CallerAudio(0.0), Writer(_STREAM)
    five, second = _FRAME * 5, [_FRAME] * 100
    return [
        Case("read a media message", lambda: parse(text), _FRAMES_A_SECOND),
        Case("caller frame: JSON to bus message", lambda: _forward(caller, text), _FRAMES_A_SECOND),
        Case("record a frame of each side", _tape(), _FRAMES_A_SECOND),
        Case("interleave 1 s of a recording", lambda: interleave(second), 1.0),
        Case("write a media message (100 ms)", lambda: writer.media(five), _FRAMES_A_SECOND / 10),
        Case("play out a reply of 4 s", _play_out, _REPLIES_A_SECOND),
    ]


def _tape() -> Callable[[], int]:
    """What a recorded call adds to each frame of its caller; half of the time the agent speaks."""
    tape = Tape(0.0)
    tape.runs = True
    media_ms = 0

    def record() -> int:
        nonlocal media_ms
        if media_ms % 2000 == 0:
            tape.sent(_FRAME * 50, float(media_ms))
        tape.caller(media_ms, _FRAME, float(media_ms))
        media_ms += FRAME_MS
        return len(tape.take()) if tape.waiting >= CHUNK else 1

    return record


def _forward(caller: CallerAudio, text: bytes) -> int:
    message = parse(text)
    assert isinstance(message, Media)
    size = 0
    for sequence, media_ms, audio in caller.feed(message.media.payload, -1, 0.0):
        size += len(pack(AudioIn(sequence, media_ms, 0, 0, audio)))
    return size


def _play_out() -> list[ev.Event]:
    """A whole reply: the utterance, its sentence, audio as it comes, 20 ms ticks, the mark that comes back."""
    player = Player(_SID, _STREAM, float)
    utterance = ev.Utterance(
        call=_SID, holder=1, turn=2, text="yes", start_media_ms=0, end_media_ms=0, ended_by="silence"
    )
    player.on_event(utterance, 500.0)
    player.on_event(ev.Sentence(call=_SID, turn=2, index=0, text="Of course.", voice=Voice()), 520.0)
    player.on_event(ev.ReplyEnded(call=_SID, turn=2, sentences=1, reason="complete"), 521.0)
    for first in range(0, _REPLY_FRAMES, 20):
        last = first + 20 == _REPLY_FRAMES
        player.on_audio(AudioOut(2, 0, 0, 1, first * FRAME_BYTES, last, 20.0, _FRAME * 20), 540.0)
    marks: list[str] = []
    for tick in range(_REPLY_FRAMES + 10):
        player.tick(540.0 + tick * FRAME_MS)
        marks += [effect.name for effect in player.effects if isinstance(effect, Mark)]
        player.effects.clear()
    for name in marks:
        player.on_mark(name, 540.0 + (_REPLY_FRAMES + 10) * FRAME_MS)
    heard = [effect.event for effect in player.effects if isinstance(effect, Publish)]
    assert [type(event) for event in heard] == [ev.Heard], "this is no longer what a reply does"
    return heard

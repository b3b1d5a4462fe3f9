"""What is right, for mistakes to be made in."""

from __future__ import annotations

from base64 import b64encode
from typing import Any, Final

from voxbus.common import events as ev
from voxbus.common.agents import Agent, Lines, Voice
from voxbus.common.codec import AudioIn, AudioOut, AudioWanted, pack, pack_replay
from voxbus.common.events import Event

SID: Final = "CA" + "0" * 32
STREAM_SID: Final = "MZ" + "0" * 32

_FRAME = bytes(range(160))
_PAYLOAD = b64encode(_FRAME).decode()

AUDIO: Final[list[bytes]] = [
    pack(AudioIn(1, 20, 0, 0, _FRAME)),
    pack(AudioOut(1, 0, 0, 1, 0, True, 1.0, _FRAME)),
    pack(AudioWanted(1, 0, 0, 1)),
    *pack_replay([pack(AudioIn(1, 20, 0, 0, _FRAME))] * 3),
]

TWIML: Final[list[str]] = [
    '<Response><Connect action="/a" method="POST"><Stream url="wss://h/s" name="n" statusCallback="https://h/x">'
    '<Parameter name="token" value="t"/></Stream></Connect><Redirect method="POST">https://h/next?a=1&amp;b=2'
    "</Redirect></Response>",
    '<Response><Say voice="alice" language="en-US">Hello.</Say><Pause length="2"/><Hangup/></Response>',
    '<Response><Dial timeout="20" callerId="+15550100"><Number>+15550101</Number></Dial></Response>',
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">'
    '<!ENTITY e "&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;"><!ENTITY f "&e;&e;&e;&e;&e;&e;&e;&e;&e;&e;">]>'
    "<Response><Say>&f;&f;&f;&f;&f;&f;&f;&f;&f;&f;</Say></Response>",
]

YAML_WORDS: Final[list[str]] = [
    "!!int ", "!!float ", "!!bool ", "!!timestamp ", "!!set ", "!!omap ", "!!binary ", "!!python/object:os.system ",
    "&a ", "*a", "<<: ", "? ", "[", "{", "]", "}", ": ", "- ", "\n", "\n  ", "~", "*", "+", "<a>", "|", ">",
    "9" * 5000, "[" * 2000, "(" * 2000,
]  # fmt: skip
XML_WORDS: Final[list[str]] = [
    "<", ">", "/>", "&", "&#0;", "&#x110000;", "&f;", "<Say>", "</Say>", "<Number>", "²", "\ud800", "\0", "[::1",
    "wss://", "://", "<![CDATA[", "<!--", "<?xml encoding='x'?>", "9" * 400, "<Say>" * 2000,
]  # fmt: skip


def media(stream_sid: str, timestamp: int = 0) -> dict[str, Any]:
    audio = {"track": "inbound", "chunk": "1", "timestamp": str(timestamp), "payload": _PAYLOAD}
    return {"event": "media", "sequenceNumber": "2", "streamSid": stream_sid, "media": audio}


def start(sid: str, stream_sid: str, **parameters: str) -> dict[str, Any]:
    return {
        "event": "start",
        "sequenceNumber": "1",
        "streamSid": stream_sid,
        "start": {
            "accountSid": "AC0",
            "streamSid": stream_sid,
            "callSid": sid,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": parameters,
        },
    }


def messages(sid: str, stream_sid: str) -> list[dict[str, Any]]:
    """One of each that Twilio sends."""
    of = {"streamSid": stream_sid}
    return [
        {"event": "connected", "protocol": "Call", "version": "1.0.0"},
        start(sid, stream_sid, session="s"),
        media(stream_sid),
        of | {"event": "dtmf", "dtmf": {"track": "inbound_track", "digit": "1"}},
        of | {"event": "mark", "mark": {"name": "1.0.0"}},
        of | {"event": "stop", "stop": {"accountSid": "AC0", "callSid": sid}},
    ]


MESSAGES: Final = messages(SID, STREAM_SID)


def events() -> list[Event]:
    """Some of each service, the deep ones among them."""
    agent = Agent(name="sample", prompt="You are a sample.", lines=Lines(greeting="Hello."))
    return [
        ev.Started(call=SID, stream_sid=STREAM_SID, session="s", direction="inbound", agent=agent),
        ev.Resumed(call=SID, stream_sid=STREAM_SID),
        ev.Attached(call=SID, worker="w", nonce="n"),
        ev.Utterance(
            call=SID, holder=3, turn=2, text="yes", start_media_ms=0, end_media_ms=9, ended_by="silence"
        ),
        ev.Sentence(call=SID, turn=2, index=0, text="Of course.", voice=Voice()),
        ev.ReplyEnded(call=SID, turn=2, sentences=1, reason="complete"),
        ev.Status(call=SID, sequence=1, status="ringing"),
        ev.Ended(call=SID, reason="carrier", detail="completed"),
    ]

"""Everything that reads a whole document in one go: the codec, TwiML, agent files, messages of the media stream."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgpack
import yaml
from hypothesis import strategies as st

from voxbus.common import codec
from voxbus.common.agent_files import parse_agent
from voxbus.common.context import decode_context
from voxbus.common.errors import AgentError, CodecError
from voxbus.common.events import KINDS
from voxbus.devkit.carrier import core_twiml
from voxbus.devkit.fuzz import making
from voxbus.devkit.fuzz.samples import AUDIO, MESSAGES, TWIML, XML_WORDS, YAML_WORDS, events
from voxbus.devkit.fuzz.target import Target, peak_mb
from voxbus.gateway import core_media, urls
from voxbus.gateway.errors import MediaError
from voxbus.gateway.signatures import Signatures

#: What one document of some hundred bytes may cost at most, and all of them together.
MOST_MB: Final = 200.0

_TRUSTED = urls.networks("127.0.0.1,10.0.0.0/8,::1")


def targets(agents: Path) -> list[Target]:
    """``agents``: a folder with some that are right."""
    files = [path.read_text() for path in sorted(agents.glob("*.yaml"))]
    packed = {event.kind: codec.encode(event) for event in events()}
    fields = [(kind, msgpack.unpackb(data)) for kind, data in packed.items()]
    kinds = st.sampled_from(sorted(KINDS))
    return [
        _target("event bytes", st.tuples(kinds, making.bytes_near(list(packed.values()))), _read_event),
        _target(
            "event fields",
            st.sampled_from(fields).flatmap(lambda one: st.tuples(st.just(one[0]), making.nearly([one[1]]))),
            _read_fields,
        ),
        _target("audio messages", making.bytes_near(AUDIO), _read_audio),
        _target(
            "call contexts", making.bytes_near([b'{"session":"s","variables":{"a":"b"}}']), _read_context
        ),
        _target("TwiML", making.text_near(TWIML, XML_WORDS), _read_twiml),
        _target("agent files", making.text_near(files, YAML_WORDS), _read_agent),
        _target("agent fields", making.nearly([yaml.safe_load(text) for text in files]), _read_definition),
        _target("media messages", st.one_of(making.nearly(MESSAGES), making.values()), _read_message),
        _target(
            "media bytes", making.bytes_near([json.dumps(one).encode() for one in MESSAGES]), _read_media
        ),
        _target(
            "headers",
            st.lists(making.text_near(["10.0.0.1, [::1]:80", "gw.example:443"], ["[", "]", ":", ","])),
            _read_headers,
        ),
    ]


def _target(name: str, strategy: st.SearchStrategy[Any], check: Callable[[Any], None]) -> Target:
    def bounded(value: Any) -> None:
        before = peak_mb()
        check(value)
        grown = peak_mb() - before
        assert grown < MOST_MB, f"one document cost {grown:.0f} MB"

    return Target(name, strategy, bounded)


def _read_event(given: tuple[str, bytes]) -> None:
    kind, data = given
    try:
        event = codec.decode(kind, data)
    except CodecError:
        return
    assert codec.decode(kind, codec.encode(event)) == event or event != event  # NaN is not itself


def _read_fields(given: tuple[str, Any]) -> None:
    kind, fields = given
    with contextlib.suppress(ValueError, TypeError, OverflowError):  # what msgpack has no bytes for
        _read_event((kind, msgpack.packb(fields)))


def _read_audio(data: bytes) -> None:
    for read in (
        codec.unpack_audio_in,
        codec.unpack_audio_out,
        codec.unpack_audio_wanted,
        codec.unpack_replay,
    ):
        with contextlib.suppress(ValueError, TypeError, msgpack.UnpackException):  # as those who call it do
            read(data)


def _read_context(data: bytes) -> None:
    with contextlib.suppress(CodecError):
        decode_context(data)


def _read_twiml(document: str) -> None:
    with contextlib.suppress(core_twiml.TwimlError):
        core_twiml.parse(document)


def _read_agent(text: str) -> None:
    with contextlib.suppress(AgentError):
        parse_agent(text, "fuzz.yaml")


def _read_definition(value: Any) -> None:
    with contextlib.suppress(yaml.YAMLError):
        _read_agent(yaml.safe_dump(value))


def _read_message(value: Any) -> None:
    with contextlib.suppress(TypeError, ValueError):  # what JSON has no text for
        _read_media(json.dumps(value).encode(errors="surrogatepass"))


def _read_media(data: bytes) -> None:
    with contextlib.suppress(MediaError):
        core_media.parse(data)


def _read_headers(texts: list[str]) -> None:
    names = ("host", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto")
    headers = dict(zip(names, texts, strict=False))
    for peer in ("127.0.0.1", "192.0.2.1", ""):
        urls.client_of(headers, peer, _TRUSTED)
        origin = urls.origin_from_headers(headers, peer, _TRUSTED)
        if origin is not None:
            urls.handshake_urls(origin, "/twilio/stream/x")
    for text in texts:
        Signatures("token").of_request("https://gw.example/", [("a", text), ("a", "b")], text)

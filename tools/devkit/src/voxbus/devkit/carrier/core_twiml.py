"""TwiML, as far as a call with a media stream needs it: text in, verbs out.

Stricter than the carrier where the carrier only warns, because a test should hear of it: an unknown verb or attribute
is an error here. Sources: https://www.twilio.com/docs/voice/twiml (verbs and attributes) and its pages ``stream`` and
``connect``; error codes: https://www.twilio.com/docs/api/errors.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Literal
from urllib.parse import urlsplit

#: Name and value of a ``<Parameter>`` together stay under this many characters (``stream`` page).
PARAMETER_LIMIT = 500
#: Of a number of seconds.
_DIGITS = 6

Method = Literal["GET", "POST"]


class TwimlError(Exception):
    """The document cannot be executed. ``code`` is the carrier's: 12100 not XML, 12200 not TwiML, 31922 the scheme of
    a stream's URL, 31923 the URL itself."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(f"{code}: {why}")
        self.code = code


@dataclass(frozen=True)
class Stream:
    url: str
    name: str = ""
    status_callback: str = ""
    status_callback_method: Method = "POST"
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Connect:
    stream: Stream
    action: str = ""
    method: Method = "POST"


@dataclass(frozen=True)
class Redirect:
    url: str
    method: Method = "POST"


@dataclass(frozen=True)
class Hangup:
    pass


@dataclass(frozen=True)
class Dial:
    number: str
    action: str = ""
    method: Method = "POST"
    timeout_s: int = 30
    caller_id: str = ""


@dataclass(frozen=True)
class Pause:
    length_s: float = 1.0


@dataclass(frozen=True)
class Say:
    text: str
    voice: str = ""
    language: str = ""


Verb = Connect | Redirect | Hangup | Dial | Pause | Say


def parse(document: str) -> tuple[Verb, ...]:
    """The verbs of a ``<Response>`` in order. Raises TwimlError."""
    try:
        root = ElementTree.fromstring(document)  # noqa: S314 - what one's own application answers
    except (ElementTree.ParseError, UnicodeEncodeError) as error:
        raise TwimlError(12100, f"not XML: {error}") from error
    if root.tag != "Response":
        raise TwimlError(12200, f"expected <Response>, found <{root.tag}>")
    _only(root)
    return tuple(_verb(element) for element in root)


def _verb(element: ElementTree.Element) -> Verb:
    match element.tag:
        case "Connect":
            return _connect(element)
        case "Redirect":
            _only(element, "method")
            return Redirect(_text(element), _method(element, "method"))
        case "Hangup":
            _only(element)
            return Hangup()
        case "Dial":
            return _dial(element)
        case "Pause":
            _only(element, "length")
            return Pause(_number(element, "length", 1))
        case "Say":
            _only(element, "voice", "language", "loop")
            return Say(_text(element), element.get("voice", ""), element.get("language", ""))
        case other:
            raise TwimlError(12200, f"<{other}> is not a verb that this carrier knows")


def _connect(element: ElementTree.Element) -> Connect:
    _only(element, "action", "method")
    if [child.tag for child in element] != ["Stream"]:
        raise TwimlError(12200, "<Connect> needs exactly one <Stream>")
    return Connect(_stream(element[0]), element.get("action", ""), _method(element, "method"))


def _stream(element: ElementTree.Element) -> Stream:
    _only(element, "url", "name", "track", "statusCallback", "statusCallbackMethod")
    if element.get("track", "inbound_track") != "inbound_track":
        raise TwimlError(12200, "a <Stream> in <Connect> has the inbound track only")
    parameters: dict[str, str] = {}
    for child in element:
        if child.tag != "Parameter":
            raise TwimlError(12200, f"<{child.tag}> in <Stream>")
        _only(child, "name", "value")
        name, value = child.get("name", ""), child.get("value", "")
        if not name:
            raise TwimlError(12200, "a <Parameter> without a name")
        if len(name) + len(value) >= PARAMETER_LIMIT:
            raise TwimlError(
                12200, f"<Parameter> {name}: name and value have {PARAMETER_LIMIT} characters or more"
            )
        parameters[name] = value
    return Stream(
        url=_stream_url(element.get("url", "")),
        name=element.get("name", ""),
        status_callback=element.get("statusCallback", ""),
        status_callback_method=_method(element, "statusCallbackMethod"),
        parameters=parameters,
    )


def _stream_url(url: str) -> str:
    """Only ``wss``, and no query string. ``ws`` to this very machine is let through: the carrier could not reach it."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise TwimlError(31923, f"a stream's URL is none: {error}") from error
    if parts.scheme != "wss" and not (parts.scheme == "ws" and _is_loopback(parts.hostname or "")):
        raise TwimlError(31922, f"a stream's URL must be wss, not {parts.scheme or 'relative'}")
    if not parts.hostname or parts.query or parts.fragment:
        raise TwimlError(31923, "a stream's URL needs a host, and takes no query string")
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _dial(element: ElementTree.Element) -> Dial:
    _only(element, "action", "method", "timeout", "callerId")
    number = (element.text or "").strip()
    if len(element):
        if [child.tag for child in element] != ["Number"] or number:
            raise TwimlError(12200, "<Dial> takes a number, or one <Number>")
        number = _text(element[0])
    if not number:
        raise TwimlError(12200, "<Dial> without a number")
    return Dial(
        number=number,
        action=element.get("action", ""),
        method=_method(element, "method"),
        timeout_s=int(_number(element, "timeout", 30)),
        caller_id=element.get("callerId", ""),
    )


def _only(element: ElementTree.Element, *known: str) -> None:
    unknown = sorted(set(element.keys()) - set(known))
    if unknown:
        raise TwimlError(12200, f"<{element.tag}> has no attribute {', '.join(unknown)}")


def _text(element: ElementTree.Element) -> str:
    text = (element.text or "").strip()
    if not text or len(element):
        raise TwimlError(12200, f"<{element.tag}> needs text, and nothing but text")
    return text


def _method(element: ElementTree.Element, attribute: str) -> Method:
    match element.get(attribute, "POST").upper():
        case "GET":
            return "GET"
        case "POST":
            return "POST"
        case other:
            raise TwimlError(12200, f"<{element.tag}> {attribute}={other}: only GET and POST")


def _number(element: ElementTree.Element, attribute: str, default: float) -> float:
    value = element.get(attribute)
    if value is None:
        return default
    if not value.isdecimal() or len(value) > _DIGITS:
        raise TwimlError(
            12200, f"<{element.tag}> {attribute} is not a whole number of up to {_DIGITS} digits"
        )
    return float(value)

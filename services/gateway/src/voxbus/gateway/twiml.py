"""The answers to Twilio's webhooks."""

from __future__ import annotations

import re
from collections.abc import Mapping

from twilio.twiml.voice_response import VoiceResponse

_LANGUAGE = re.compile(r"[a-z]{2,3}-[A-Z]{2}")


def stream(url: str, parameters: Mapping[str, str], status_url: str, next_url: str, pause_s: int = 0) -> str:
    """Connects the call to the socket ``url``; when that closes, Twilio asks ``next_url``.

    ``parameters`` come back in ``start``; name and value together must be under 500 characters. A query in ``url``
    is not supported by Twilio.
    """
    response = VoiceResponse()
    if pause_s:
        response.pause(length=pause_s)
    media = response.connect().stream(url=url, status_callback=status_url, status_callback_method="POST")
    for name, value in parameters.items():
        media.parameter(name=name, value=value)
    response.redirect(next_url, method="POST")
    return str(response)


def hang_up() -> str:
    response = VoiceResponse()
    response.hangup()
    return str(response)


def apologize(line: str, language: str) -> str:
    """The carrier's voice says ``line``: in ``language`` when that looks like one of Twilio's (``en-US``)."""
    response = VoiceResponse()
    response.say(line, language=language if _LANGUAGE.fullmatch(language) else None)
    response.hangup()
    return str(response)


def dial(number: str) -> str:
    response = VoiceResponse()
    response.dial(number)
    return str(response)

"""How voices of eSpeak NG are found by name."""

from __future__ import annotations

import pytest

from voxbus.tts.providers.espeak.names import Catalogue
from voxbus.tts.providers.espeak.wire import VoiceInfo

CATALOGUE = Catalogue(
    [
        VoiceInfo("gmw/de", "German", ("de",)),
        VoiceInfo("gmw/en", "English (Great Britain)", ("en-gb", "en")),
        VoiceInfo("gmw/en-US", "English (America)", ("en-us", "en")),
        VoiceInfo("gmw/en-GB-x-rp", "English (Received Pronunciation)", ("en-gb-x-rp", "en-gb", "en")),
    ],
    ["f3", "Annie"],
)


@pytest.mark.parametrize(
    ("name", "identifier"),
    [
        ("en-us", "gmw/en-US"),
        ("EN-US", "gmw/en-US"),
        ("en-gb", "gmw/en"),
        ("en", "gmw/en"),
        ("gmw/en-US", "gmw/en-US"),
        ("english (america)", "gmw/en-US"),
        (" en-us+F3 ", "gmw/en-US+f3"),
        ("de+annie", "gmw/de+Annie"),
        ("fr", None),
        ("en-us+f9", None),
        ("", None),
        ("+f3", None),
    ],
)
def test_names(name: str, identifier: str | None) -> None:
    assert CATALOGUE.find(name) == identifier


@pytest.mark.parametrize(
    ("identifier", "spares"),
    [
        ("gmw/en-US+f3", ["gmw/en-US", "gmw/en"]),
        ("gmw/en-US", ["gmw/en"]),
        ("gmw/en", ["gmw/en-US"]),
        ("gmw/de", ["gmw/en"]),
    ],
)
def test_spares(identifier: str, spares: list[str]) -> None:
    assert CATALOGUE.spares(identifier) == spares


def test_what_there_is_fits_into_a_message() -> None:
    assert CATALOGUE.known() == "de, en-gb, en-gb-x-rp, en-us; each also as NAME+VARIANT with Annie, f3"

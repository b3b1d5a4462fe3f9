"""The key of a rendered line in the bucket ``clips``.

A clip is mu-law at 8 kHz without a header, as it goes onto the line. TTS workers render it, gateways play it.
"""

from __future__ import annotations

import hashlib
import json

from voxbus.common.agents import Voice


def clip_key(voice: Voice, text: str) -> str:
    """A valid bucket key; the same for the same voice and text on every machine.

    It says nothing about the text: keys show up in server logs and monitoring. Line breaks and repeated blanks count
    as one blank, because that is how they sound.
    """
    said = json.dumps([voice.provider, voice.name, voice.rate, voice.pitch, " ".join(text.split())])
    return "line." + hashlib.blake2b(said.encode(), digest_size=20).hexdigest()

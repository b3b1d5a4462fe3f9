"""``index.html``: one file with the recording, the waveform, the transcript and the latencies of a call. Pure.

It opens from the file system and asks no network: script, style and data are in it, and its content security policy
allows nothing else. Nothing of the call can become markup: data travels as JSON that cannot close its own element, and
the script writes text nodes only.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from importlib.resources import files

from voxbus.common.look import base_css
from voxbus.devkit.demo.recording import Recording, envelope
from voxbus.devkit.demo.summary import Summary

#: Width of a point of the waveform. At 40 s and a full-width screen one bar on it is about three of these.
BIN_MS = 10

_SCRIPTS = ("data.js", "player.js", "timeline.js", "story.js", "report.js")


def render(summary: Summary, recording: Recording, wav: bytes) -> str:
    """``wav`` is the file as it was written: what the page plays is what the carrier recorded."""
    style = base_css() + _part("style.css")
    script = "\n".join(_part(name) for name in _SCRIPTS)
    data = {
        "summary": summary.as_json(),
        "wave": {
            "bin_ms": BIN_MS,
            "caller": _base64(envelope(recording.caller, recording.hz, BIN_MS)),
            "agent": _base64(envelope(recording.agent, recording.hz, BIN_MS)),
        },
    }
    parts = {
        "style": style,
        "style_hash": _hash(style),
        "script": script,
        "script_hash": _hash(script),
        "data": embeddable(json.dumps(data, ensure_ascii=False, separators=(",", ":"))),
        "wav": _base64(wav),
    }
    # In one pass: what a part contains is not looked at again.
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], _part("template.html"))


def embeddable(text: str) -> str:
    """JSON that means the same and holds no ``<``, so that no ``</script>`` and no ``<!--`` can be in it."""
    return text.replace("<", "\\u003c")


def _part(name: str) -> str:
    return files(__package__).joinpath("assets", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{_base64(hashlib.sha256(text.encode()).digest())}'"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")

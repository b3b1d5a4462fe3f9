"""The account at Deepgram, which both of its recognizers use."""

from __future__ import annotations

from voxbus.stt.providers.dialect import StreamRecognizer


class DeepgramRecognizer(StreamRecognizer):
    """At Deepgram. ``default_model``: when none is named."""

    default_model: str

    def __init__(self, base_url: str, api_key: str, model: str) -> None:
        self._base_url = base_url
        self._headers = {"Authorization": f"Token {api_key}"}
        self._model = model or self.default_model

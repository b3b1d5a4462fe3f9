"""Grammar and audio to words, or to nothing where the audio is not in the grammar."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import pocketsphinx
from numpy.typing import NDArray

from voxbus.common import jsgf
from voxbus.stt.providers.pocketsphinx import graph, model
from voxbus.stt.providers.pocketsphinx.plausible import Segment, is_plausible, loud_frames

#: Price of the way out of the grammar, and of each phone there: measured in tests/stt/test_acceptance.py.
_GARBAGE: Final = 1.0
_PHONE: Final = 1e-11

#: A line that is silent to the last bit makes the logarithm of an energy something that no model has seen.
_DITHER: Final = 10.0


class SphinxDecoder:
    """``folder`` takes the derived model. Raises ProviderError or RuntimeError when it cannot be loaded."""

    def __init__(self, folder: Path) -> None:
        wheel = Path(pocketsphinx.get_model_path("en-us/en-us"))
        self._decoder = pocketsphinx.Decoder(
            lm=None,
            hmm=str(model.derive(wheel, folder / "line")),
            dict=pocketsphinx.get_model_path("en-us/cmudict-en-us.dict"),
            samprate=model.HZ,
            bestpath=False,
            loglevel="FATAL",
        )
        for position, phone in enumerate(graph.PHONES):
            self._decoder.add_word(f"{graph.MARK}{phone}", phone, position == len(graph.PHONES) - 1)
        self._grammars: dict[str, jsgf.Grammar] = {}

    def learn(self, key: str, grammar: str) -> None:
        """Raises AgentError for a grammar that is none."""
        if key in self._grammars:
            return
        parsed = jsgf.parse(grammar)
        arcs = graph.build(parsed, garbage=_GARBAGE, phone=_PHONE)
        self._decoder.add_fsg(key, self._decoder.create_fsg(key, 0, 1, arcs))
        self._grammars[key] = parsed

    def recognize(self, key: str, audio: NDArray[np.int16]) -> tuple[str, float]:
        """(words, confidence) for int16 audio at 8 kHz; no words when it is not in the grammar ``key``."""
        decoder = self._decoder
        decoder.activate_search(key)
        # The same noise each time: the same audio has the same words, in whichever process.
        dithered = audio + np.random.default_rng(1).normal(size=len(audio)) * _DITHER
        samples = np.clip(np.round(dithered), -32768, 32767).astype(np.int16)
        decoder.start_utt()
        decoder.process_raw(samples.tobytes(), full_utt=True)
        decoder.end_utt()
        found = decoder.hyp()
        if found is None or graph.MARK in found.hypstr:
            return "", 0.0
        text: str = found.hypstr
        grammar = self._grammars[key]
        if grammar.match(grammar.rules[grammar.public], tuple(text.split())) is None:
            return "", 0.0  # it breaks off in the middle of a phrase
        segments = [self._segment(s.word, s.start_frame, s.end_frame + 1) for s in decoder.seg()]
        return (text, 1.0) if is_plausible(segments, loud_frames(audio)) else ("", 0.0)

    def _segment(self, word: str, start: int, end: int) -> Segment:
        if word.startswith(("<", "[", "(")):  # a filler, or no word at all
            return Segment(start, end, 0)
        pronunciation = self._decoder.lookup_word(word.partition("(")[0])
        return Segment(start, end, len(pronunciation.split()))

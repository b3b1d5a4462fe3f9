"""A second look at what was heard: how its phones lie in the audio, and which phones one hears without a grammar."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import pocketsphinx

from voxbus.stt.providers.pocketsphinx import graph, model

#: No way through the phrase is given up, however badly it fits: how badly is the question.
_BEAM: Final = 0.0
_GAUSSIANS: Final = 8

#: Acoustic scores come as probabilities of which the library has taken the 1024th root, to count in small integers.
_ROOT: Final = 1024

_PHRASE, _ANYTHING = "phrase", "anything"


class Phone(NamedTuple):
    """``name`` empty: silence or noise. Frames of 10 ms, end exclusive; ``score`` is a log likelihood, relative."""

    name: str
    start: int
    end: int
    score: float


class PhoneSearch:
    """``line``: the folder of the line's model; ``folder`` takes its dictionaries.

    Each phone is a word there, and a filler at that: of words the library distinguishes what stands before and after,
    in a thousand models; a filler has one model, which takes half of the time.
    """

    def __init__(self, line: Path, folder: Path) -> None:
        words, fillers = folder / "no-words.dict", folder / "phones.dict"
        words.write_text("a AH\n")  # it must not be empty
        silences = "".join(f"{name} SIL\n" for name in ("<s>", "</s>", graph.SILENCE))
        fillers.write_text(silences + "".join(f"{phone} {phone}\n" for phone in graph.PHONES))
        self._decoder = pocketsphinx.Decoder(
            lm=None,
            hmm=str(line),
            dict=str(words),
            fdict=str(fillers),
            fsgusefiller=False,  # not between any two sounds by itself: the graphs say where
            samprate=model.HZ,
            topn=_GAUSSIANS,
            beam=_BEAM,
            pbeam=_BEAM,
            wbeam=_BEAM,
            bestpath=False,
            loglevel="FATAL",
        )
        self._learn(_ANYTHING, 1, graph.anything())

    def phrase(self, samples: bytes, phones: Sequence[str]) -> list[Phone]:
        """Where each of ``phones`` lies in int16 audio at 8 kHz; empty when they do not fit into it at all."""
        # The search of this name that was there before is freed, so it must not be the active one.
        self._decoder.activate_search(_ANYTHING)
        self._learn(_PHRASE, len(phones), graph.string(phones))
        found = self._search(_PHRASE, samples)
        return found if [phone.name for phone in found if phone.name] == list(phones) else []

    def anything(self, samples: bytes) -> list[Phone]:
        """The phones that one would hear in it who knows no phrases."""
        return self._search(_ANYTHING, samples)

    def _learn(self, name: str, end: int, arcs: list[graph.Arc]) -> None:
        self._decoder.add_fsg(name, self._decoder.create_fsg(name, 0, end, arcs))

    def _search(self, name: str, samples: bytes) -> list[Phone]:
        decoder = self._decoder
        decoder.activate_search(name)
        decoder.start_utt()
        decoder.process_raw(samples, full_utt=True)
        decoder.end_utt()
        return [
            Phone(
                segment.word if segment.word in graph.PHONES else "",
                segment.start_frame,
                segment.end_frame + 1,
                _ROOT * math.log(segment.ascore),
            )
            for segment in decoder.seg() or ()
            if segment.word != "(NULL)"  # an arc without a word, which lasts no time
        ]

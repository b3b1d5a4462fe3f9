"""Recognizes phrases that it was told, by their sound: the right words for whatever reached the vendor, and no others.

A scripted caller says the same samples each time, so the phrase is found by correlation; a phrase that is half said is
half recognized, and one that did not arrive is not recognized at all. A turn ends a third of a second after a phrase
was said whole, and after 0.8 s of silence otherwise. Time is that of the audio: who sends none hears of no end.

    audio   ____####____####____________
    events      start  words  words    end

Who asks for guesses hears of a phrase that is whole already after half of that time, and if the speech goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voxbus.common.audio import HZ, Pcm
from voxbus.devkit.speech import Speech

_FRAME: Final = HZ // 50
_SPEECH_RMS: Final = 32768 * 10 ** (-45 / 20)
_ONSET_FRAMES: Final = 3
#: So often a hypothesis: 0.25 s, as Flux has it.
_LOOK_FRAMES: Final = 12
_WHOLE_MS: Final = 320
_CUT_MS: Final = 800
_GUESS_MS: Final = 160
#: Speech begins so long before it is noticed.
_BEFORE: Final = HZ // 8
_ALIKE: Final = 0.5
_WHOLE_SHARE: Final = 0.85
#: What a phrase nobody told is taken for, when nothing else was said about it.
_UNKNOWN: Final = ""


@dataclass(frozen=True)
class Event:
    """``at_ms``: the end of the audio that it is about, from the beginning of the stream."""

    kind: str  # start, words, guess, resumed, end
    text: str
    at_ms: int
    start_ms: int


@dataclass(frozen=True)
class Phrase:
    text: str
    audio: NDArray[np.float32]


@dataclass
class Phrasebook:
    """``told``: what unknown speech is taken for, one stretch after the other; the last again and again."""

    phrases: list[Phrase] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def learn(self, speeches: Iterable[Speech]) -> None:
        for speech in speeches:
            self.phrases.append(Phrase(speech.text, speech.audio.astype(np.float32)))

    def words(self, heard: NDArray[np.float32]) -> tuple[str, bool]:
        """What of which phrase ``heard`` begins with, and whether all of it was said."""
        best, best_share, best_text = _ALIKE, 0.0, _UNKNOWN
        for phrase in self.phrases:
            alike, share = _compare(heard, phrase.audio)
            if alike > best:
                best, best_share, best_text = alike, share, phrase.text
        if best_share >= _WHOLE_SHARE:
            return best_text, True
        words = best_text.split()
        return " ".join(words[: int(len(words) * best_share)]), False

    def unknown(self) -> str:
        return self.told.pop(0) if len(self.told) > 1 else next(iter(self.told), _UNKNOWN)


def _compare(heard: NDArray[np.float32], phrase: NDArray[np.float32]) -> tuple[float, float]:
    """How much they sound alike where they overlap best, 0..1, and how much of the phrase was heard then."""
    size = 1 << (len(heard) + len(phrase)).bit_length()
    spectrum = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(phrase, size))
    products = np.fft.irfft(spectrum, size)
    # The phrase begins at most so long after what was heard does; a beginning that was lost is none.
    lag = int(np.argmax(products[: 2 * _BEFORE + _FRAME]))
    said = heard[lag : lag + len(phrase)]
    energy = float(np.sqrt(np.sum(said**2) * np.sum(phrase[: len(said)] ** 2)))
    return (float(products[lag]) / energy if energy else 0.0), len(said) / len(phrase)


def words_in(book: Phrasebook, samples: Pcm) -> str:
    """All that is said in ``samples``, 8 kHz."""
    ear = Ear(book)
    events = [*ear.feed(samples), *ear.force()]
    return " ".join(event.text for event in events if event.kind == "end")


class Ear:
    """One stream of one caller."""

    def __init__(self, book: Phrasebook, *, guesses: bool = False) -> None:
        self._book = book
        self._guesses = guesses
        self._guessed = False
        self._rest = np.zeros(0, np.int16)
        self._before = np.zeros(0, np.int16)
        self._frames = 0
        self._loud = 0
        self._turn: list[Pcm] = []
        self._start = 0
        self._quiet = 0
        self._text = ""
        self._whole = False
        self._spoken = 0  # frames of the turn up to its last loud one
        self._began = False  # a part of the turn that is not over

    def feed(self, samples: Pcm) -> Iterator[Event]:
        joined = np.concatenate((self._rest, samples))
        whole = len(joined) // _FRAME * _FRAME
        self._rest = joined[whole:]
        for at in range(0, whole, _FRAME):
            yield from self._frame(joined[at : at + _FRAME])

    def force(self) -> Iterator[Event]:
        """The turn ends now, if there is one."""
        if self._turn:
            yield from self._end()

    def _frame(self, frame: Pcm) -> Iterator[Event]:
        self._frames += 1
        loud = float(np.sqrt(np.mean(frame.astype(np.float32) ** 2))) >= _SPEECH_RMS
        if not self._turn:
            self._before = np.concatenate((self._before, frame))[-_BEFORE:]
            self._loud = self._loud + 1 if loud else 0
            if self._loud >= _ONSET_FRAMES:
                self._turn, self._loud, self._quiet = [self._before], 0, 0
                self._start = self._frames - len(self._before) // _FRAME
                self._text, self._whole, self._spoken = "", False, len(self._turn)
                self._began = self._guessed = False
            return
        self._turn.append(frame)
        if loud:
            self._quiet, self._spoken = 0, len(self._turn)
            if self._guessed:
                self._guessed = False
                yield self._event("resumed", self._text)
        else:
            self._quiet += 1
        if len(self._turn) % _LOOK_FRAMES == 0 and not self._quiet:
            yield from self._look()
        if self._guesses and self._quiet * 20 == _GUESS_MS:
            yield from self._look()
            if self._whole:
                self._guessed = True
                yield self._event("guess", self._text)
        if self._quiet * 20 == _WHOLE_MS:
            yield from self._look()
            if self._whole:
                yield from self._end()
                return
        if self._quiet * 20 >= _CUT_MS:
            yield from self._end()

    def _look(self) -> Iterator[Event]:
        heard = np.concatenate(self._turn[: self._spoken]).astype(np.float32)
        text, self._whole = self._book.words(heard)
        if text and not self._began:
            self._began = True
            yield self._event("start", text)
        if text:
            self._text = text
            yield self._event("words", text)

    def _end(self) -> Iterator[Event]:
        yield from self._look()
        text = self._text or self._book.unknown()
        if text and not self._began:
            yield self._event("start", text)
        self._turn, self._before = [], np.zeros(0, np.int16)
        if text:
            yield self._event("end", text)

    def _event(self, kind: str, text: str) -> Event:
        return Event(kind, text, self._frames * 20, self._start * 20)

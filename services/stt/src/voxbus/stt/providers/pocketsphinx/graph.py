"""What is searched, as graphs of states: the phrases of a grammar; one string of phones; any phones.

    phrases    start ---[the grammar]--- end
    string     start ---K---AE---T--- end         and beside it, leading nowhere: start --- any phones, again and again
    anything   start ---[any phones, again and again]--- end

The library scores each moment relative to the best sound among those that the search holds possible. That the string is
searched beside all phones makes its scores comparable with those of ``anything``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from voxbus.common import jsgf
from voxbus.common.errors import AgentError

#: The phones of the CMU dictionary, in groups that sound alike on a telephone.
ALIKE: Final = (
    ("AA", "AH", "AO", "AW", "AY", "OW", "OY"),
    ("AE", "EH", "EY"),
    ("IH", "IY", "Y"),
    ("ER", "L", "R", "UH", "UW", "W"),
    ("B", "D", "DH", "G", "V"),
    ("K", "P", "T"),
    ("CH", "JH", "SH", "ZH"),
    ("F", "HH", "S", "TH", "Z"),
    ("M", "N", "NG"),
)
PHONES: Final = tuple(phone for group in ALIKE for phone in group)

SILENCE: Final = "<sil>"

#: Each takes some 9 kB in each process. Grammars that people write have hundreds; rules of rules of rules, millions.
MAX_ARCS: Final = 10_000

#: All phones are equally likely, and silence is one of them.
_ANY: Final = 1 / (len(PHONES) + 1)

#: (from, to, probability) or (from, to, probability, word)
Arc = tuple[int, int, float] | tuple[int, int, float, str]


class _Builder:
    def __init__(self, grammar: jsgf.Grammar) -> None:
        self._grammar = grammar
        self.arcs: list[Arc] = []
        self._states = 2

    def _state(self) -> int:
        self._states += 1
        return self._states - 1

    def add(self, node: jsgf.Node, start: int, end: int) -> None:
        if len(self.arcs) >= MAX_ARCS:
            raise AgentError(f"the grammar has more than {MAX_ARCS} words, each use of a rule counted anew")
        match node:
            case jsgf.Word():
                self.arcs.append((start, end, 1.0, node.text))
            case jsgf.Ref():
                self.add(self._grammar.rules[node.rule], start, end)
            case jsgf.Alt():
                for option in node.options:
                    self.add(option, start, end)
            case _:
                self._add_sequence(node.parts, start, end)

    def _add_sequence(self, parts: tuple[jsgf.Node, ...], start: int, end: int) -> None:
        if not parts:
            self.arcs.append((start, end, 1.0))
        for position, part in enumerate(parts):
            after = end if position == len(parts) - 1 else self._state()
            self.add(part, start, after)
            start = after


def phrases(grammar: jsgf.Grammar) -> list[Arc]:
    """From state 0 to state 1. Raises AgentError when there are too many."""
    builder = _Builder(grammar)
    builder.add(grammar.rules[grammar.public], 0, 1)
    return builder.arcs


def string(phones: Sequence[str]) -> list[Arc]:
    """From state 0 to state ``len(phones)``; each phone is a word."""
    arcs: list[Arc] = [(at, at + 1, 1.0, phone) for at, phone in enumerate(phones)]
    pauses: list[Arc] = [(at, at, _ANY, SILENCE) for at in range(len(phones) + 1)]
    beside = len(phones) + 1
    return [*arcs, *pauses, (0, beside, 1.0), *_loop(beside)]


def anything() -> list[Arc]:
    """From state 0 to state 1; each phone is a word."""
    return [(0, 2, 1.0), (2, 1, 1.0), *_loop(2)]


def _loop(state: int) -> list[Arc]:
    return [(state, state, _ANY, sound) for sound in (*PHONES, SILENCE)]

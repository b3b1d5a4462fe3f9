"""The grammar as the state graph that is searched, with a way out for everything else.

Beside the phrases of the grammar there is a second way from start to end: any sequence of phones. What is not in the
grammar fits it better than any phrase, and the search comes out there: that is how a phrase is rejected.

             +--- the phrases of the grammar ---+
    start ---+                                  +--- end
             +--- any phones, again and again --+
"""

from __future__ import annotations

from typing import Final

from voxbus.common import jsgf

#: The phones of the CMU dictionary.
PHONES: Final = (
    *(
        "AA",
        "AE",
        "AH",
        "AO",
        "AW",
        "AY",
        "B",
        "CH",
        "D",
        "DH",
        "EH",
        "ER",
        "EY",
        "F",
        "G",
        "HH",
        "IH",
        "IY",
        "JH",
        "K",
    ),
    *("L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH", "UH", "UW", "V", "W", "Y", "Z", "ZH"),
)
#: A phone as a word of its own; no word of a grammar begins so.
MARK: Final = "++"

#: (from, to, probability) or (from, to, probability, word)
Arc = tuple[int, int, float] | tuple[int, int, float, str]


class _Builder:
    def __init__(self, grammar: jsgf.Grammar) -> None:
        self._grammar = grammar
        self.arcs: list[Arc] = []
        self.states = 2

    def state(self) -> int:
        self.states += 1
        return self.states - 1

    def add(self, node: jsgf.Node, start: int, end: int) -> None:
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
            after = end if position == len(parts) - 1 else self.state()
            self.add(part, start, after)
            start = after


def build(grammar: jsgf.Grammar, *, garbage: float, phone: float) -> list[Arc]:
    """Arcs from state 0 to state 1. ``garbage``: the price of the way out; ``phone``: of each phone on it."""
    builder = _Builder(grammar)
    builder.add(grammar.rules[grammar.public], 0, 1)
    loop = builder.state()
    arcs = builder.arcs
    arcs += [(0, loop, garbage), (loop, 1, 1.0)]
    arcs += [(loop, loop, phone, f"{MARK}{name}") for name in PHONES]
    return arcs

"""Grammars in JSGF, the format that PocketSphinx reads: parsed, checked, matched against words, listed.

Covered: rules, ``|``, sequences, ``( )``, ``[ ]``, weights (``/0.5/``, ignored), tags (``{..}``, ignored), comments.
Not covered, and refused by name: repetition (``*``, ``+``), recursion and imports; a compact grammar needs none, and
without them its phrases are finite. Source: https://www.w3.org/TR/jsgf/
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product

from voxbus.common.errors import AgentError

#: Brackets within brackets, and rules within rules. A grammar that a person wrote has three or four.
MAX_DEPTH = 50

_TOKEN = re.compile(
    r"(?P<skip>\s+|//[^\n]*|/\*.*?\*/|/[\d.]+/|\{[^}]*\})|(?P<rule><[\w.-]+>)|(?P<mark>[|()\[\];=*+])|(?P<word>[\w'.-]+)",
    re.DOTALL,
)
_HEADER = re.compile(r"^\ufeff?#JSGF[^;]*;\s*(?://[^\n]*\n\s*)*grammar\s+[\w.-]+\s*;", re.DOTALL)


@dataclass(frozen=True)
class Word:
    text: str


@dataclass(frozen=True)
class Ref:
    rule: str


@dataclass(frozen=True)
class Seq:
    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Alt:
    options: tuple[Node, ...]


Node = Word | Ref | Seq | Alt
NOTHING = Seq(())
Slots = Mapping[str, str]


@dataclass(frozen=True)
class Grammar:
    """``rules`` by name, ``public`` the one that a recognizer listens for."""

    public: str = ""
    rules: Mapping[str, Node] = field(default_factory=dict)

    def match(self, node: Node, words: tuple[str, ...], keep: frozenset[str] = frozenset()) -> Slots | None:
        """The words of the rules in ``keep`` when ``words`` are, as a whole, a phrase of ``node``; else None."""
        for end, slots in self._ends(node, words, 0, keep):
            if end == len(words):
                return dict(slots)
        return None

    def within(self, node: Node, words: tuple[str, ...]) -> bool:
        """Whether some of ``words``, in a row, are a phrase of ``node``."""
        return any(
            end > at for at in range(len(words)) for end, _ in self._ends(node, words, at, frozenset())
        )

    def phrases(self, node: Node) -> Iterator[str]:
        """Every phrase of ``node``; there may be very many of them."""
        match node:
            case Word(text):
                yield text
            case Ref(rule):
                yield from self.phrases(self.rules[rule])
            case Alt(options):
                for option in options:
                    yield from self.phrases(option)
            case Seq(parts):
                for words in product(*(tuple(self.phrases(part)) for part in parts)):
                    yield " ".join(filter(None, words))

    def sample(self, node: Node, rng: random.Random) -> str:
        """One phrase of ``node``, by chance."""
        match node:
            case Word(text):
                return text
            case Ref(rule):
                return self.sample(self.rules[rule], rng)
            case Alt(options):
                return self.sample(rng.choice(options), rng)
            case Seq(parts):
                return " ".join(filter(None, (self.sample(part, rng) for part in parts)))

    def words(self) -> frozenset[str]:
        """The vocabulary: what the recognizer's dictionary must hold."""
        return frozenset(word for node in self.rules.values() for word in _words(node))

    def _ends(
        self, node: Node, words: tuple[str, ...], at: int, keep: frozenset[str]
    ) -> Iterator[tuple[int, tuple[tuple[str, str], ...]]]:
        match node:
            case Word(text):
                if at < len(words) and words[at] == text:
                    yield at + 1, ()
            case Ref(rule):
                for end, slots in self._ends(self.rules[rule], words, at, keep):
                    yield end, (*slots, (rule, " ".join(words[at:end]))) if rule in keep else slots
            case Alt(options):
                for option in options:
                    yield from self._ends(option, words, at, keep)
            case Seq(parts):
                if not parts:
                    yield at, ()
                    return
                for middle, first in self._ends(parts[0], words, at, keep):
                    for end, rest in self._ends(Seq(parts[1:]), words, middle, keep):
                        yield end, first + rest


def parse(text: str) -> Grammar:
    """Raises AgentError that names the line, or the rule."""
    header = _HEADER.match(text)
    if header is None:
        raise AgentError("a JSGF grammar begins with '#JSGF V1.0;' and 'grammar <a name>;'")
    reader = _Reader(text, header.end())
    rules: dict[str, Node] = {}
    public = ""
    while reader.peek:
        is_public = reader.take_if("public")
        name = reader.rule_name()
        reader.expect("=")
        if name in rules:
            raise reader.error(f"rule <{name}> is defined twice")
        rules[name] = reader.alternatives()
        reader.expect(";")
        public = public or (name if is_public else "")
    if not public:
        raise AgentError("no rule is public: write 'public <utterance> = ...;'")
    grammar = Grammar(public, rules)
    checked: dict[str, int] = {}
    for name in rules:
        _check_rule(grammar, name, (), checked)
    return grammar


def parse_expansion(text: str, grammar: Grammar) -> Node:
    """A right-hand side alone, over the rules of ``grammar``. Raises AgentError."""
    reader = _Reader(text, 0)
    node = reader.alternatives()
    if reader.peek:
        raise reader.error(f"unexpected {reader.peek!r}")
    for name in _refs(node):
        if name not in grammar.rules:
            raise AgentError(f"rule <{name}> is not in the grammar")
    return node


def _check_rule(grammar: Grammar, name: str, path: tuple[str, ...], checked: dict[str, int]) -> int:
    """How deep the rule is. ``checked``: how deep those are that were looked at before."""
    if name in path:
        raise AgentError(f"rule <{name}> refers to itself ({' -> '.join((*path, name))})")
    if name not in checked:
        depth = 0
        for ref in sorted(set(_refs(grammar.rules[name]))):
            if ref not in grammar.rules:
                raise AgentError(f"rule <{ref}>, used in <{name}>, is not defined")
            if len(path) > MAX_DEPTH:
                raise AgentError(f"rule <{path[0]}> is deeper than {MAX_DEPTH} rules")
            depth = max(depth, 1 + _check_rule(grammar, ref, (*path, name), checked))
        if depth > MAX_DEPTH:
            raise AgentError(f"rule <{name}> is deeper than {MAX_DEPTH} rules")
        checked[name] = depth
    return checked[name]


def _refs(node: Node) -> Iterator[str]:
    match node:
        case Ref(rule):
            yield rule
        case Seq(children) | Alt(children):
            for child in children:
                yield from _refs(child)
        case Word():
            pass


def _words(node: Node) -> Iterator[str]:
    match node:
        case Word(text):
            yield text
        case Seq(children) | Alt(children):
            for child in children:
                yield from _words(child)
        case Ref():
            pass


class _Reader:
    """Recursive descent over the tokens; ``peek`` is the next one, empty at the end."""

    def __init__(self, text: str, start: int) -> None:
        self._text = text
        self._at = start
        self._depth = 0
        self.peek = ""
        self._kind = ""
        self._advance()

    def error(self, message: str) -> AgentError:
        return AgentError(f"line {self._text.count(chr(10), 0, self._at) + 1}: {message}")

    def take_if(self, token: str) -> bool:
        if self.peek != token:
            return False
        self._advance()
        return True

    def expect(self, token: str) -> None:
        if not self.take_if(token):
            raise self.error(f"expected {token!r}, found {self.peek or 'the end'!r}")

    def rule_name(self) -> str:
        if self._kind != "rule":
            raise self.error(f"expected a rule such as <yes>, found {self.peek or 'the end'!r}")
        name = self.peek[1:-1]
        self._advance()
        return name

    def alternatives(self) -> Node:
        if self._depth >= MAX_DEPTH:
            raise self.error(f"brackets are deeper than {MAX_DEPTH}")
        self._depth += 1
        options = [self._sequence()]
        while self.take_if("|"):
            options.append(self._sequence())
        self._depth -= 1
        return options[0] if len(options) == 1 else Alt(tuple(options))

    def _sequence(self) -> Node:
        parts: list[Node] = []
        while self._kind in ("word", "rule") or self.peek in ("(", "["):
            parts.append(self._part())
        if not parts:
            raise self.error(f"expected words, found {self.peek or 'the end'!r}")
        return parts[0] if len(parts) == 1 else Seq(tuple(parts))

    def _part(self) -> Node:
        if self._kind == "rule":
            return Ref(self.rule_name())
        if self.take_if("("):
            inner = self.alternatives()
            self.expect(")")
        elif self.take_if("["):
            inner = Alt((self.alternatives(), NOTHING))
            self.expect("]")
        else:
            inner = Word(self.peek.lower())
            self._advance()
        if self.peek in ("*", "+"):
            raise self.error(f"repetition ({self.peek}) is not supported: write the phrases out")
        return inner

    def _advance(self) -> None:
        while True:
            if self._at >= len(self._text):
                self.peek = self._kind = ""
                return
            token = _TOKEN.match(self._text, self._at)
            if token is None:
                raise self.error(f"unexpected character {self._text[self._at]!r}")
            self._at = token.end()
            if token.lastgroup != "skip":
                self.peek, self._kind = token.group(), token.lastgroup or ""
                return

"""Whether a grammar can be searched at all: asked before a process is, for one would fail with it in mid-call."""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path
from typing import Final

import pocketsphinx

from voxbus.common import jsgf
from voxbus.common.errors import AgentError
from voxbus.stt.providers.pocketsphinx import graph

#: So many of the unknown words are named.
_NAMED: Final = 10


@cache
def words() -> frozenset[str]:
    """Those of the wheel's CMU dictionary, all in lower case: 135,000, read once, in some 80 ms."""
    lines = Path(pocketsphinx.get_model_path("en-us/cmudict-en-us.dict")).read_text().splitlines()
    return frozenset(line.partition(" ")[0] for line in lines)


@lru_cache(maxsize=256)
def problem(grammar: str) -> str:
    """What is wrong with it, and what to do; empty = nothing. Agents are few, and each call asks."""
    try:
        parsed = jsgf.parse(grammar)
        graph.phrases(parsed)
    except AgentError as error:
        return str(error)
    unknown = sorted(parsed.words() - words())
    if not unknown:
        return ""
    named = ", ".join(repr(word) for word in unknown[:_NAMED])
    others = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
    return (
        f"pocketsphinx knows no pronunciation of {named}{others}: write numbers out ('twenty four'), "
        "and words as its English dictionary spells them"
    )

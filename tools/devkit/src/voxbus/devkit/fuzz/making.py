"""What strangers write: nonsense, and sense with one thing wrong in it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Final

from hypothesis import strategies as st

_ODD: Final[tuple[Any, ...]] = (
    None, True, -1, 0, 2**31, 2**63, -(2**63), 2**64, 10**400, 1e308, float("inf"), float("nan"), "", "0", "-1", "1e9",
    "\0", "\ud800", "💥" * 20, "A" * 70_000, "CA" + "0" * 32, "*", ">", "a.b.>", "../../etc/passwd", "'; drop table x",
    "{customer}", "{" * 200, [], {}, [[]] * 50, {"": {"": {"": 1}}},
)  # fmt: skip


def scalars() -> st.SearchStrategy[Any]:
    return st.one_of(
        st.sampled_from(_ODD), st.text(max_size=40), st.integers(), st.floats(), st.binary(max_size=40)
    )


def values() -> st.SearchStrategy[Any]:
    """Anything that JSON, YAML or msgpack has."""
    return st.recursive(
        scalars(),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=10), inner, max_size=4)
        ),
        max_leaves=12,
    )


def nearly(seeds: Sequence[Any]) -> st.SearchStrategy[Any]:
    """One of ``seeds`` with up to three changes somewhere inside."""
    change = st.tuples(st.integers(0, 10_000), st.sampled_from(("set", "drop", "add")), values())
    return st.builds(_changed, st.sampled_from(list(seeds)), st.lists(change, min_size=1, max_size=3))


def bytes_near(seeds: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """One of ``seeds`` with pieces cut out, put in, or written over; or no sense at all."""
    change = st.tuples(st.integers(0, 100_000), st.integers(0, 40), st.binary(max_size=40))
    return st.one_of(
        st.builds(_spliced, st.sampled_from(list(seeds)), st.lists(change, min_size=1, max_size=4)),
        st.binary(max_size=400),
    )


def text_near(seeds: Sequence[str], words: Sequence[str] = ()) -> st.SearchStrategy[str]:
    """The same with text. ``words``: what means something to the reader, and is often put in."""
    piece = st.text(max_size=30)
    if words:
        piece = st.one_of(piece, st.sampled_from(list(words)))
    change = st.tuples(st.integers(0, 100_000), st.integers(0, 60), piece)
    return st.one_of(
        st.builds(_spliced, st.sampled_from(list(seeds)), st.lists(change, min_size=1, max_size=4)),
        st.text(max_size=400),
    )


def _changed(seed: Any, changes: list[tuple[int, str, Any]]) -> Any:
    root = {"": copy.deepcopy(seed)}
    for at, how, odd in changes:
        value = copy.deepcopy(odd)  # what is put in may be changed next, and must not be what another has
        places = list(_places(root))
        holder, key = places[at % len(places)]
        if how == "drop" and holder is not root:
            del holder[key]
        elif how == "add" and isinstance(holder[key], dict):
            holder[key][f"more{at % 3}"] = value
        else:
            holder[key] = value
    return root[""]


def _places(holder: Any) -> Any:
    keys = list(holder) if isinstance(holder, dict) else range(len(holder))
    for key in keys:
        yield holder, key
        if isinstance(holder[key], dict | list):
            yield from _places(holder[key])


def _spliced(seed: Any, changes: list[tuple[int, int, Any]]) -> Any:
    for at, length, piece in changes:
        begin = at % (len(seed) + 1)
        seed = seed[:begin] + piece + seed[begin + length :]
    return seed

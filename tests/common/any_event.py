"""Any event at all: strategies made from the classes themselves, so that a new field or kind is covered at once."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from hypothesis import strategies as st
from pydantic import BaseModel

from voxbus.common.events import KINDS

Strategy = st.SearchStrategy[Any]

#: What msgpack has room for.
_LEAST, _MOST = -(2**63), 2**63 - 1
#: Halves of surrogate pairs are no text.
_CHARACTERS = st.characters(codec="utf-8")
_TEXTS = st.text(_CHARACTERS, max_size=12)

SIDS = st.text("0123456789abcdefABCDEF", min_size=32, max_size=32).map("CA".__add__)

#: JSON Schemas, for example.
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(_LEAST, _MOST) | _TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_TEXTS, inner, max_size=2),
    max_leaves=4,
)


def events(kind: str, **known: Strategy) -> Strategy:
    """Events of ``kind``. ``known``: strategies for some of the fields; the others are anything of their type."""
    hints = get_type_hints(KINDS[kind])
    made = {"call": SIDS} | known
    made |= {field.name: _of(hints[field.name]) for field in fields(KINDS[kind]) if field.name not in made}
    return st.builds(KINDS[kind], **made)


@cache
def _of(type_: Any, limits: tuple[Any, ...] = ()) -> Strategy:
    """Values of a type that events have. ``limits``: pydantic's, of the field."""
    inside = get_args(type_)
    match get_origin(type_):
        case None:
            return _of_plain(type_, {name: value for limit in limits for name, value in _limit(limit)})
        case origin if origin is Literal:
            return st.sampled_from(inside)
        case origin if origin in (Union, types.UnionType):
            return st.one_of([_of(one, limits) for one in inside])
        case origin if origin is tuple:
            return st.lists(_of(inside[0]), max_size=2).map(tuple)
        case origin if origin is Mapping:
            return st.dictionaries(_of(inside[0]), _of(inside[1]), max_size=2)
    raise TypeError(f"no strategy for {type_}: add one here")


def _of_plain(type_: Any, limits: dict[str, Any]) -> Strategy:
    if type_ is types.NoneType:
        return st.none()
    if type_ is Any:
        return _JSON
    if type_ is bool:
        return st.booleans()
    if type_ is str and "pattern" in limits:
        return st.from_regex(limits["pattern"].rstrip("$"), fullmatch=True)
    if type_ is str:
        return st.text(
            _CHARACTERS, min_size=limits.get("min_length", 0), max_size=limits.get("max_length", 12)
        )
    if type_ is int:
        return st.integers(limits.get("ge", _LEAST), limits.get("le", _MOST))
    if type_ is float:
        return st.floats(
            limits.get("gt", limits.get("ge")),
            limits.get("lt", limits.get("le")),
            exclude_min="gt" in limits,
            exclude_max="lt" in limits,
            allow_nan=False,  # it is not itself
        )
    if isinstance(type_, type) and issubclass(type_, BaseModel):
        parts = {name: (part.annotation, tuple(part.metadata)) for name, part in type_.model_fields.items()}
        return st.builds(type_, **{name: _of(cast(Any, kind), more) for name, (kind, more) in parts.items()})
    raise TypeError(f"no strategy for {type_}: add one here")


def _limit(limit: Any) -> list[tuple[str, Any]]:
    """``Ge(ge=80)`` as (("ge", 80),)."""
    names = vars(limit) if hasattr(limit, "__dict__") else limit.__slots__
    return [(name, getattr(limit, name)) for name in names]

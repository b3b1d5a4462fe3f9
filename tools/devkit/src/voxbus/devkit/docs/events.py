"""docs/events.md: every event, from its class."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin, get_type_hints

from voxbus.common.events import KINDS, Event
from voxbus.common.publishers import PUBLISHERS
from voxbus.common.subjects import JOB_FILTERS, parse_event
from voxbus.devkit.docs.glossary import GLOSSARY

_INTRO = """\
# Events

<!-- Made by `make docs` from voxbus.common.events. Do not edit. -->

All state of a call is a fold over these. An event is stored once under `call.{sid}.event.{kind}.{key}` and then comes
out for live readers as `log.{sid}.{kind}.{key}`. Its bytes are msgpack of the fields and of `v`, the version; unknown
fields are ignored, a missing or wrong one is an error that names it. Each event carries `call`, the Twilio CallSid, and
`trace`, a W3C traceparent or empty, besides the fields listed with it.

Fields named `*_media_ms` or `media_ms` are positions on the caller's media clock, all other `*_ms` are durations on the
publisher's monotonic clock. When something happened is the stream's timestamp.
"""

_BASE = {field.name for field in dataclasses.fields(Event)}


def page() -> str:
    return _INTRO + "".join(_section(cls) for cls in KINDS.values())


def unexplained() -> list[str]:
    """``kind.field`` of what neither the class nor the glossary explains. A test wants it empty."""
    return [
        f"{kind}.{field.name}"
        for kind, cls in KINDS.items()
        for field in _fields(cls)
        if field.name not in GLOSSARY and field.name not in _explained_names(cls)
    ]


def _fields(cls: type[Event]) -> list[dataclasses.Field[Any]]:
    return [field for field in dataclasses.fields(cls) if field.name not in _BASE]


def _explained_names(cls: type[Event]) -> set[str]:
    """Names that the docstring of the class speaks about."""
    return set(re.findall(r"``(\w+)``", _doc(cls))) | set(re.findall(r"``\w+``/``(\w+)``", _doc(cls)))


def _doc(cls: type[Event]) -> str:
    # A dataclass without a docstring gets its signature as one.
    doc = inspect.getdoc(cls) or ""
    return "" if doc.startswith(f"{cls.__name__}(") else doc


def _section(cls: type[Event]) -> str:
    by = " or ".join(PUBLISHERS[cls.kind])
    jobs = [service for service, filters in JOB_FILTERS.items() if cls.kind in map(_kind_of, filters)]
    facts = [f"published by {by}"]
    if jobs:
        facts.append(f"a job for {' and '.join(jobs)}")
    facts += [f"version {cls.version}", f"key {_keys(cls)}"]
    lines = [f"\n## `{cls.kind}`\n\n{'; '.join(facts)[0].upper()}{'; '.join(facts)[1:]}.\n"]
    if doc := _doc(cls):
        lines.append(f"\n{re.sub('``', '`', doc)}\n")
    hints = get_type_hints(cls)
    rows = [
        f"| `{field.name}` | {_type(hints[field.name])} | {_default(field)} | {_meaning(cls, field.name)} |\n"
        for field in _fields(cls)
    ]
    if rows:
        lines += ["\n| field | type | default | meaning |\n|---|---|---|---|\n", *rows]
    return "".join(lines)


def _meaning(cls: type[Event], name: str) -> str:
    return "see above" if name in _explained_names(cls) else GLOSSARY[name]


def _kind_of(job_filter: str) -> str:
    return parse_event(job_filter)[1]


def _keys(cls: type[Event]) -> str:
    """The patterns of ``key()``: asked of an event whose fields hold their own names."""
    plain: dict[str, Any] = {field.name: f"{{{field.name}}}" for field in dataclasses.fields(cls)}
    optional = [
        field.name for field in dataclasses.fields(cls) if field.default is False or field.default == ""
    ]
    plain |= dict.fromkeys(optional, "")
    pattern = _key(cls, plain)
    patterns = [f"`{pattern}`"]
    for name in optional:
        other = _key(cls, plain | {name: f"{{{name}}}"})
        if other != pattern:
            patterns.append(f"with `{name}` `{other}`")
    return ", ".join(patterns)


def _key(cls: type[Event], values: Mapping[str, Any]) -> str:
    event = object.__new__(cls)
    for name, value in values.items():
        object.__setattr__(event, name, value)
    return event.key()


def _type(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(hint))
    if get_origin(hint) is Mapping:
        return "map of text to text"
    names = {str: "text", int: "integer", float: "number", bool: "yes or no"}
    return names.get(hint) or f"[{hint.__name__}](../libs/common/src/voxbus/common/agents.py)"


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default_factory is not dataclasses.MISSING:
        return "empty"
    if field.default is dataclasses.MISSING:
        return "required"
    return "empty" if field.default == "" else f"`{field.default}`"

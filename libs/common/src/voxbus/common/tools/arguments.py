"""A tool's arguments against their JSON Schema. What is wrong is told without the values: they may be somebody's data.

``jsonschema`` is loaded by the first agent that has a tool: it takes a tenth of a second.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

#: Of the arguments as JSON. Models that write more have lost the thread.
MAX_CHARACTERS: Final = 8000
#: Faults that are told at a time.
_TOLD: Final = 5


def closed(schema: Mapping[str, Any]) -> dict[str, Any]:
    """``schema`` as it is shown to a model and held: arguments that it does not name are refused."""
    return {"additionalProperties": False, **schema}


def schema_problem(schema: Mapping[str, Any]) -> str:
    """What is wrong with a schema of arguments, and what to do; empty = nothing."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    if schema.get("type") != "object" or not isinstance(schema.get("properties", {}), Mapping):
        return "is no schema of an object; begin with type: object, and list the arguments under properties"
    try:
        Draft202012Validator.check_schema(dict(schema))
        for name, value in _keywords(schema):
            if name in ("$ref", "$dynamicRef"):
                _check_reference(schema, str(value))
    except SchemaError as error:
        return f"is no JSON Schema, at {_path(error.absolute_path)}: {error.message}"
    except LookupError as error:
        return f"has a $ref that leads nowhere here ({error}); put what it means under $defs: #/$defs/name"
    return ""


def _check_reference(schema: Mapping[str, Any], ref: str) -> None:
    """Raises LookupError. What is elsewhere is never fetched."""
    from referencing import Registry
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    resource = DRAFT202012.create_resource(schema)
    try:
        Registry().with_resource("", resource).resolver().lookup(ref)
    except Unresolvable:
        raise LookupError(ref) from None


def faults(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> list[str]:
    """What is wrong with ``arguments``, in words for a model; empty = nothing."""
    written = json.dumps(arguments)
    if len(written) > MAX_CHARACTERS:
        return [f"the arguments are longer than {MAX_CHARACTERS} characters"]
    found = _validator(json.dumps(closed(schema), sort_keys=True)).iter_errors(arguments)
    return [_words(error) for error in sorted(found, key=lambda error: list(map(str, error.path)))][:_TOLD]


@lru_cache(maxsize=256)
def _validator(schema: str) -> Draft202012Validator:
    from jsonschema import Draft202012Validator
    from referencing import Registry

    # An empty registry: what is not in the schema itself is not fetched from anywhere.
    return Draft202012Validator(json.loads(schema), registry=Registry())


def _words(error: ValidationError) -> str:
    where = _path(error.absolute_path)
    wanted: Any = error.validator_value
    instance: Any = error.instance
    schema: Any = error.schema
    match error.validator:
        case "required":
            return f"{where}: {', '.join(name for name in wanted if name not in instance)} is missing"
        case "additionalProperties":
            known = ", ".join(schema.get("properties", {})) or "none"
            return f"{where}: there is an argument that is not declared; there are: {known}"
        case "type":
            return f"{where}: should be of type {wanted if isinstance(wanted, str) else ' or '.join(wanted)}"
        case "enum":
            return f"{where}: should be one of {json.dumps(wanted)}"
        case _:
            return f"{where}: does not keep {error.validator} {json.dumps(wanted)}"


def _path(path: Iterable[object]) -> str:
    return ".".join(map(str, path)) or "arguments"


def _keywords(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if not isinstance(inner, Mapping | list):
                yield name, inner
            yield from _keywords(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _keywords(inner)

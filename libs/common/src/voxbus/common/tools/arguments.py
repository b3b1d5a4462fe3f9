"""A tool's arguments against their JSON Schema. What is wrong is told without the values: they may be somebody's data.

``jsonschema`` is loaded by the first agent that has a tool: it takes a tenth of a second.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from voxbus.common.errors import AgentError

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

#: Of the arguments as JSON. Models that write more have lost the thread.
MAX_CHARACTERS: Final = 8000
#: Faults that are told at a time.
_TOLD: Final = 5
#: What the libraries let out for a schema that follows their metaschema and still cannot be used: a ``$ref`` to itself
#: or to what is no schema, a regular expression that is none, a value that is not JSON.
_LET_OUT: Final = (ValueError, TypeError, LookupError, AttributeError, RecursionError, re.error)
#: One of each type: a schema may lead to what cannot be used by some of them only.
_SAMPLES: Final = (None, True, 1, "", [None], {"": None})


def closed(schema: Mapping[str, Any]) -> dict[str, Any]:
    """``schema`` as it is shown to a model and held: arguments that it does not name are refused."""
    return {"additionalProperties": False, **schema}


def schema_problem(schema: Mapping[str, Any]) -> str:
    """What is wrong with a schema of arguments, and what to do; empty = nothing."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError
    from referencing.exceptions import Unresolvable

    if schema.get("type") != "object" or not isinstance(schema.get("properties", {}), Mapping):
        return "is no schema of an object; begin with type: object, and list the arguments under properties"
    try:
        Draft202012Validator.check_schema(dict(schema))
        refs = {str(value) for name, value in _keywords(schema) if name in ("$ref", "$dynamicRef")}
        for ref in sorted(refs):
            if not _leads_somewhere(schema, ref):
                return (
                    f"has a $ref that leads nowhere here ({ref}); put what it means under $defs: #/$defs/name"
                )
        _try_out(schema, refs)
    except SchemaError as error:
        return f"is no JSON Schema, at {_path(error.absolute_path)}: {error.message}"
    except (Unresolvable, *_LET_OUT) as error:
        return (
            f"cannot be used ({type(error).__name__}): a $ref may not lead to itself, or to what is no schema; "
            "values are those of JSON"
        )
    return ""


def _leads_somewhere(schema: Mapping[str, Any], ref: str) -> bool:
    """What is elsewhere is never fetched."""
    from referencing import Registry
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    resource = DRAFT202012.create_resource(schema)
    try:
        Registry().with_resource("", resource).resolver().lookup(ref)
    except (Unresolvable, *_LET_OUT):  # #/required/day, #/additionalProperties/x
        return False
    return True


def _try_out(schema: Mapping[str, Any], refs: Iterable[str]) -> None:
    """Raises what a call would: every reference is followed, however deep it is in the schema."""
    validator = _validator(_written(schema))
    for sample in _SAMPLES:
        for given in (sample, dict.fromkeys(schema.get("properties", {}), sample)):
            _sorted(validator.iter_errors(given))
        for ref in refs:
            _sorted(validator.evolve(schema={"$ref": ref}).iter_errors(sample))


def faults(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> list[str]:
    """What is wrong with ``arguments``, in words for a model; empty = nothing.

    Raises AgentError for a schema that cannot be used: a definition that travelled was not checked here.
    """
    from jsonschema.exceptions import UnknownType
    from referencing.exceptions import Unresolvable

    if len(json.dumps(arguments)) > MAX_CHARACTERS:
        return [f"the arguments are longer than {MAX_CHARACTERS} characters"]
    try:
        return [_words(error) for error in _sorted(_validator(_written(schema)).iter_errors(arguments))][
            :_TOLD
        ]
    except (Unresolvable, UnknownType, *_LET_OUT) as error:
        raise AgentError(f"the schema of the arguments cannot be used ({type(error).__name__})") from None


def _sorted(found: Iterable[ValidationError]) -> list[ValidationError]:
    return sorted(found, key=lambda error: list(map(str, error.path)))


def _written(schema: Mapping[str, Any]) -> str:
    return json.dumps(closed(schema), sort_keys=True)


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

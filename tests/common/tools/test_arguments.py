"""What is wrong with arguments is told in words that hold none of them."""

from __future__ import annotations

from typing import Any

import pytest

from voxbus.common.errors import AgentError
from voxbus.common.tools.arguments import MAX_CHARACTERS, closed, faults

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "day": {"type": "string", "enum": ["monday", "friday"]},
        "guests": {"type": "integer", "minimum": 1},
        "name": {"$ref": "#/$defs/name"},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["day"],
    "$defs": {"name": {"type": "string", "maxLength": 5}},
}


def test_what_fits() -> None:
    assert faults(SCHEMA, {"day": "friday", "guests": 2, "name": "Ann", "tags": ["a"]}) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, ["arguments: day is missing"]),
        ({"day": "sekret"}, ['day: should be one of ["monday", "friday"]']),
        ({"day": "friday", "guests": "two"}, ["guests: should be of type integer"]),
        ({"day": "friday", "guests": 0}, ["guests: does not keep minimum 1"]),
        ({"day": "friday", "guests": True}, ["guests: should be of type integer"]),
        ({"day": "friday", "name": "sekret"}, ["name: does not keep maxLength 5"]),
        ({"day": "friday", "tags": ["a", 7]}, ["tags.1: should be of type string"]),
        (
            {"day": "friday", "sekret": 1},
            ["arguments: there is an argument that is not declared; there are: day, guests, name, tags"],
        ),
        ({"day": "friday", "name": "x" * MAX_CHARACTERS}, ["the arguments are longer than 8000 characters"]),
    ],
)
def test_what_does_not(arguments: dict[str, Any], said: list[str]) -> None:
    assert faults(SCHEMA, arguments) == said
    assert "sekret" not in str(said)


def test_what_is_not_declared_is_refused_unless_the_schema_says_otherwise() -> None:
    assert closed(SCHEMA)["additionalProperties"] is False
    assert faults(SCHEMA | {"additionalProperties": True}, {"day": "friday", "more": 1}) == []


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/properties/x"},
        {"$ref": "#/type"},
        {"$ref": "#/type/x"},
        {"$ref": "http://[bad"},
        {"pattern": 5},
        {"type": "strange"},
    ],
)
def test_a_schema_that_cannot_be_used_is_one_error(schema: dict[str, Any]) -> None:
    """A definition that travelled was not checked here."""
    with pytest.raises(AgentError):
        faults({"type": "object", "properties": {"x": schema}}, {"x": "y"})

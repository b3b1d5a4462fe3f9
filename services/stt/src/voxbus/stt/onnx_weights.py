"""The weights in an ONNX file, by name: as much of its format as that takes, and nothing that could run it.

ONNX is protobuf: a message is a row of (field number, wire type, value), a value is a number or bytes, and bytes may be
a message again. Field numbers: onnx/onnx.proto; wire types: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

Weights = dict[str, NDArray[np.float32]]

_MODEL_GRAPH: Final = 7
_GRAPH_NODE: Final = 1
_NODE_OUTPUT: Final = 2
_NODE_ATTRIBUTE: Final = 5
_ATTRIBUTE_TENSOR: Final = 5
_ATTRIBUTE_GRAPH: Final = 6
_TENSOR_DIMS: Final = 1
_TENSOR_TYPE: Final = 2
_TENSOR_RAW: Final = 9
_FLOAT32: Final = 1


def read(path: Path) -> Weights:
    """Every float32 constant of the graph and of the graphs in it, read-only. Raises ValueError for no such file."""
    weights: Weights = {}
    for graph in _all(memoryview(path.read_bytes()), _MODEL_GRAPH):
        _read_graph(graph, weights)
    return weights


def _read_graph(graph: memoryview, weights: Weights) -> None:
    for node in _all(graph, _GRAPH_NODE):
        outputs = [bytes(name).decode() for name in _all(node, _NODE_OUTPUT)]
        for attribute in _all(node, _NODE_ATTRIBUTE):
            for inner in _all(attribute, _ATTRIBUTE_GRAPH):  # the branches of an If
                _read_graph(inner, weights)
            for tensor in _all(attribute, _ATTRIBUTE_TENSOR):
                fields = tuple(_fields(tensor))
                if outputs and (_TENSOR_TYPE, _FLOAT32) in fields:
                    weights[outputs[0]] = _array(fields)


def _array(fields: tuple[tuple[int, int | memoryview], ...]) -> NDArray[np.float32]:
    shape = [value for field, value in fields if field == _TENSOR_DIMS and isinstance(value, int)]
    raw = next((value for field, value in fields if field == _TENSOR_RAW), b"")
    if isinstance(raw, int):
        raise ValueError("an ONNX tensor without its bytes")
    return np.frombuffer(raw, "<f4").reshape(shape)


def _all(message: memoryview, wanted: int) -> Iterator[memoryview]:
    for field, value in _fields(message):
        if field == wanted and isinstance(value, memoryview):
            yield value


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        match key & 7:
            case 0:  # a number
                value, at = _varint(message, at)
                yield key >> 3, value
                continue
            case 1:  # 64 bits
                size = 8
            case 2:  # bytes, their count first
                size, at = _varint(message, at)
            case 5:  # 32 bits
                size = 4
            case _:
                raise ValueError("not an ONNX file")
        yield key >> 3, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    number = shift = 0
    while at < len(message):
        byte = message[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at
    raise ValueError("not an ONNX file, or cut off")

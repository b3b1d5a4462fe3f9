"""JSON of strangers, which may be what no UTF-8 is made of."""

from __future__ import annotations

import pytest

from voxbus.common.errors import ProviderError
from voxbus.common.json_text import loads
from voxbus.common.providers.frames import frame


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a":[1,null,"x"]}', {"a": [1, None, "x"]}),
        (r'{"a":"Ann \ud83d"}', {"a": "Ann ?"}),
        (rb'{"a \ude00":["\ud83d\ude00"]}', {"a ?": ["\U0001f600"]}),
        ("[" * 90 + "]" * 90, None),
    ],
)
def test_what_is_read_can_be_written(text: str | bytes, found: object) -> None:
    read = loads(text)
    str(read).encode()
    assert found is None or read == found


@pytest.mark.parametrize(
    "text", ["", "{oops", "[" * 200 + "]" * 200, "[" * 60_000, '{"a":' * 60_000, b"\xff"]
)
def test_what_cannot_be_read(text: str | bytes) -> None:
    with pytest.raises(ValueError):
        loads(text)
    with pytest.raises(ProviderError, match="not JSON"):
        frame(text)


def test_a_frame_can_be_written() -> None:
    assert frame(r'{"text":"so \ud83d"}') == {"text": "so ?"}

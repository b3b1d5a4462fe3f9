"""Reading a stream: any cut of its bytes gives the same events."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxbus.common.errors import ProviderError
from voxbus.common.providers.failures import error_in
from voxbus.llm.core_chunks import ReplyReader, SseParser


def cut_up(data: bytes, cuts: list[int]) -> list[str]:
    parser = SseParser()
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    events = [event for start, end in pairwise(places) for event in parser.feed(data[start:end])]
    return events + parser.flush()


@given(
    st.lists(
        st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), min_size=1), max_size=5
    ),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.lists(st.integers(0, 200), max_size=20),
)
def test_events_survive_any_cut(payloads: list[str], end: str, cuts: list[int]) -> None:
    data = "".join(f": comment{end}data: {payload}{end}{end}" for payload in payloads).encode()
    assert cut_up(data, cuts) == payloads


def test_lines_end_where_the_specification_says() -> None:
    assert cut_up("data: a\u2028b\u0085c\n\n".encode(), []) == ["a\u2028b\u0085c"]


def test_several_data_lines_are_one_event_and_the_last_needs_no_end() -> None:
    assert cut_up(b"data: a\ndata: b\n\nevent: x\nid: 1\ndata:c", []) == ["a\nb", "c"]


def test_an_endless_event_is_refused() -> None:
    parser = SseParser()
    parser.feed(b"data: " + b"x" * 1_000_000)
    with pytest.raises(ProviderError, match="megabyte"):
        parser.feed(b"x" * 100_000)


def test_tool_calls_are_gathered_by_index() -> None:
    reader = ReplyReader()

    def feed(*calls: object) -> None:
        assert reader.read(json.dumps({"choices": [{"delta": {"tool_calls": calls}}]})) == ""

    feed({"index": 1, "function": {"name": "b", "arguments": ""}})
    feed({"index": 0, "function": {"name": "a", "arguments": '{"x"'}})
    feed({"index": 0, "function": {"arguments": ": 1}"}}, {"index": 1, "function": {"arguments": ""}})
    assert [(call.name, call.arguments) for call in reader.tool_calls()] == [("a", {"x": 1}), ("b", {})]


def piece(arguments: str | None = None, name: str | None = None, **more: object) -> dict[str, object]:
    function = {"name": name, "arguments": arguments}
    return {**more, "function": {key: value for key, value in function.items() if value is not None}}


@pytest.mark.parametrize(
    "chunks",
    [
        # whole, one in a chunk
        [[piece('{"x": 1}', "a", id="c1")], [piece('{"x": 2}', "b", id="c2")]],
        # the same index for all
        [[piece('{"x": 1}', "a", id="c1", index=0)], [piece('{"x": 2}', "b", id="c2", index=0)]],
        # in pieces: the id with the first, or with each
        [
            [piece('{"x"', "a", id="c1")],
            [piece(": 1}")],
            [piece("", "b", id="c2")],
            [piece('{"x": 2}')],
        ],
        [
            [piece('{"x"', "a", id="c1")],
            [piece('{"x"', "b", id="c2")],
            [piece(": 1}", id="c1"), piece(": 2}", id="c2")],
        ],
        [
            [piece('{"x"', "a", id="c1", index=0)],
            [piece('{"x"', "b", id="c2", index=0)],
            [piece(": 2}", index=0), piece(": 1}", id="c1", index=0)],
        ],
        # an id of its own for each piece, which tells nothing
        [
            [piece('{"x"', "a", id="c1", index=0)],
            [piece(": 1}", id="c8", index=0)],
            [piece('{"x": 2}', "b", id="c9", index=1)],
        ],
        # both at once, without index
        [[piece('{"x": 1}', "a", id="c1"), piece('{"x": 2}', "b", id="c2")]],
        [[piece('{"x": 1}', "a"), piece('{"x": 2}', "b")]],
    ],
)
def test_tool_calls_are_told_apart_by_their_ids(chunks: list[list[object]]) -> None:
    reader = ReplyReader()
    for calls in chunks:
        reader.read(json.dumps({"choices": [{"delta": {"tool_calls": calls}}]}))
    made = [(call.name, call.arguments) for call in reader.tool_calls()]
    assert made == [("a", {"x": 1}), ("b", {"x": 2})]


FIELDS = st.sampled_from(
    [
        "choices",
        "delta",
        "content",
        "tool_calls",
        "function",
        "usage",
        "error",
        "index",
        "arguments",
        "id",
        "name",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(FIELDS, inner),
)


@given(JSON)
def test_nothing_but_provider_errors(chunk: object) -> None:
    reader = ReplyReader()
    try:
        assert isinstance(reader.read(json.dumps(chunk)), str)
        reader.tool_calls()
    except ProviderError:
        pass


@pytest.mark.parametrize(
    ("body", "status", "cause"),
    [
        ({"success": False, "errors": [{"code": 3040, "message": "x"}]}, 429, "rate_limited"),
        ({"success": False, "errors": [{"code": 3036, "message": "x"}]}, 429, "quota"),
        ({"error": {"code": "project_spend_limit_exceeded"}}, 429, "quota"),
        ({"error": "a string"}, 500, "server_error"),
        ({"error": {"type": "rate_limit_error"}}, 0, "rate_limited"),
        ({"error": {"message": "?"}}, 0, "server_error"),
        (None, 402, "quota"),
        (["list"], 403, "auth"),
        (None, 408, "timeout"),
        (None, 418, "bad_request"),
    ],
)
def test_causes(body: object, status: int, cause: str) -> None:
    assert error_in(body, status=status).cause == cause

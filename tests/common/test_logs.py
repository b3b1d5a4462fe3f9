from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from datetime import datetime

import pytest

from voxbus.common import logs


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield io.StringIO()
    root.handlers[:], root.level = before, level


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object_with_text_and_fields(stream: io.StringIO) -> None:
    logs.configure("stt", "w1", stream=stream)
    logs.get_logger("voxbus.stt.service").info("turn ended", call_sid="CA1", turn=3, ms=12.34567, ok=True)
    (line,) = lines(stream)
    assert datetime.fromisoformat(str(line.pop("time"))).tzinfo is not None
    assert line == {
        "level": "info", "service": "stt", "worker": "w1", "logger": "voxbus.stt.service",
        "message": "turn ended", "call_sid": "CA1", "turn": 3, "ms": 12.346, "ok": True,
    }  # fmt: skip


def test_bound_fields_come_along_and_can_be_overruled(stream: io.StringIO) -> None:
    logs.configure("stt", stream=stream)
    log = logs.get_logger("x").bind(call_sid="CA1", turn=1)
    log.warning("late", turn=2)
    assert [(line["call_sid"], line["turn"]) for line in lines(stream)] == [("CA1", 2)]


def test_a_field_cannot_fake_the_level(stream: io.StringIO) -> None:
    logs.configure("stt", stream=stream)
    logs.get_logger("x").info("text", level="error", service="other")
    assert [(line["level"], line["service"]) for line in lines(stream)] == [("info", "stt")]


def test_line_breaks_stay_inside_the_object(stream: io.StringIO) -> None:
    logs.configure("stt", stream=stream)
    logs.get_logger("x").info("text", reason='one\ntwo "three"', error=ValueError("bad\nthing"))
    (line,) = lines(stream)
    assert line["reason"] == 'one\ntwo "three"'
    assert line["error"] == "ValueError: bad\nthing"


def test_tracebacks_are_a_field(stream: io.StringIO) -> None:
    logs.configure("stt", stream=stream)
    try:
        raise RuntimeError("boom")
    except RuntimeError:
        logs.get_logger("x").exception("job failed", turn=1)
    (line,) = lines(stream)
    assert line["level"] == "error"
    assert "RuntimeError: boom" in str(line["traceback"])


def test_records_of_libraries_take_the_same_form(stream: io.StringIO) -> None:
    uvicorn = logging.getLogger("uvicorn.error")
    uvicorn.addHandler(logging.StreamHandler(io.StringIO()))
    logs.configure("gateway", stream=stream)
    uvicorn.info("Started server process [%d]", 7)
    logging.getLogger("httpx").info("HTTP Request: GET https://example.org/+15550100")
    assert [line["message"] for line in lines(stream)] == ["Started server process [7]"]


def test_below_the_level_nothing_is_written(stream: io.StringIO) -> None:
    logs.configure("stt", level="warning", stream=stream)
    logs.get_logger("x").info("quiet")
    assert stream.getvalue() == ""


def test_the_form_for_eyes_is_one_line(stream: io.StringIO) -> None:
    logs.configure("stt", form="text", stream=stream)
    logs.get_logger("x").info("ready", metrics_port=9100)
    assert stream.getvalue().rstrip("\n").endswith("INFO    stt      ready metrics_port=9100")


def test_configuring_twice_does_not_write_twice(stream: io.StringIO) -> None:
    logs.configure("stt", stream=stream)
    logs.configure("stt", stream=stream)
    logs.get_logger("x").info("once")
    assert len(lines(stream)) == 1

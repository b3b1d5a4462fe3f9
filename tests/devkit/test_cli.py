"""The ``voxbus`` command as it is typed."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest

from voxbus.common.trust.files import key_file
from voxbus.devkit.cli import COMMANDS, main
from voxbus.devkit.commands import call
from voxbus.devkit.commands.up_screen import readable
from voxbus.devkit.operator_login import bus_config


def voxbus(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "voxbus.devkit.cli", *arguments]
    environment = {**os.environ, **(env or {})}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    shown = capsys.readouterr().out
    for name, _, summary in COMMANDS:
        assert f"    {name}" in shown
        assert summary in shown


def test_a_call_sid_that_is_none_is_refused_in_one_line() -> None:
    done = voxbus("tap", "CA.*")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "not a CallSid" in done.stderr


def test_a_tap_without_a_server_says_so(unused_tcp_port: int) -> None:
    done = voxbus("tap", "--all", env={"NATS_URL": f"nats://127.0.0.1:{unused_tcp_port}"})
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "no NATS server answers" in done.stderr


def test_the_steps_of_a_call_keep_their_order() -> None:
    parser = argparse.ArgumentParser()
    call.add_arguments(parser)
    line = [
        "--say",
        "yes",
        "--mm-hm",
        "--press",
        "1#",
        "--say",
        "no",
        "--wait",
        "300",
        "--until-hangup",
        "5",
    ]
    assert parser.parse_args(line).steps == [
        ("say", "yes"),
        ("mm_hm", ""),
        ("press", "1#"),
        ("say", "no"),
        ("wait", "300"),
        ("until_hangup", "5"),
    ]
    assert parser.parse_args([]).steps is None


def test_a_call_to_nobody(unused_tcp_port: int) -> None:
    done = voxbus("call", f"http://127.0.0.1:{unused_tcp_port}", "--say", "hello")
    assert done.returncode == 1
    assert "11200" in done.stdout


def test_log_lines_are_made_readable() -> None:
    line = '{"time":"2026-01-02T10:11:12.345+00:00","level":"info","service":"llm","message":"ready","ms":5}'
    assert readable(line) == "10:11:12.345 info    ready ms=5"
    assert readable("plain text") == "plain text"
    assert readable('{"a": 1}') == '{"a": 1}'
    assert readable("[1]") == "[1]"


def test_commands_log_in_as_the_operator_of_what_runs_here(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("NATS_URL", "NATS_USER", "NATS_NKEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    assert not bus_config().has_login
    key = key_file(tmp_path / "var" / "up" / "keys", "operator")
    key.parent.mkdir(parents=True)
    key.touch()
    own = bus_config()
    assert own.nkey_file is not None
    assert own.nkey_file.samefile(key)
    monkeypatch.setenv("NATS_URL", "nats://elsewhere:4222")
    assert not bus_config().has_login

"""``voxbus carrier``, as a container runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx

from voxbus.devkit.phonebook import PHONEBOOK

ACCOUNT = "AC" + "1" * 32
COMMAND = [sys.executable, "-m", "voxbus.devkit.cli", "carrier", "--port", "0"]


def environment(**more: str) -> dict[str, str]:
    unset = dict.fromkeys(("PUBLIC_URL", "TWILIO_AUTH_TOKEN", "SECRETS_DIR"), "")
    return {**os.environ, **unset, "TWILIO_ACCOUNT_SID": ACCOUNT, **more}


def test_it_takes_orders_with_a_token_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "twilio_auth_token").write_text("made by somebody")
    process = subprocess.Popen(
        COMMAND, env=environment(SECRETS_DIR=str(tmp_path)), stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        url = next(word for word in process.stdout.readline().split() if word.startswith("http")).strip(";")
        account = f"{url}/2010-04-01/Accounts/{ACCOUNT}.json"
        with httpx.Client(trust_env=False, timeout=30) as http:
            assert http.get(account, auth=(ACCOUNT, "made by somebody")).json()["status"] == "active"
            assert http.get(account, auth=(ACCOUNT, "guessed")).status_code == 401
        shown = [process.stdout.readline() for _ in PHONEBOOK]
        assert all(listed.number in line for listed, line in zip(PHONEBOOK, shown, strict=True))
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()


def test_without_a_token_it_says_so() -> None:
    done = subprocess.run(COMMAND, env=environment(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "TWILIO_AUTH_TOKEN is not set" in done.stderr

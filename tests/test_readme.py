"""What README.md says is so: its commands, files, variables and routes exist."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from voxbus.devkit import cli
from voxbus.devkit.commands.up_screen import order_line
from voxbus.devkit.phonebook import PHONEBOOK

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
ENV_EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")

#: In code blocks and in `code`: whatever begins with make, with variables set before it or not.
COMMANDS = sorted(
    {
        found.strip()
        for found in re.findall(r"(?:^|`)((?:[A-Z_]+=\S+ )?make [^`#\n]+?)(?=`|\s*#|$)", README, re.M)
    }
)


def parsed(command: str) -> tuple[str, list[str]]:
    """The verb of a make command, and what it hands on to ``voxbus``."""
    words = [word for word in shlex.split(command) if not re.match(r"(?!ARGS)[A-Z_]+=", word)]
    handed = next((word.removeprefix("ARGS=") for word in words if word.startswith("ARGS=")), "")
    return words[1], shlex.split(handed)


def test_the_readme_has_commands() -> None:
    verbs = {parsed(command)[0] for command in COMMANDS}
    assert {"demo", "test", "up", "doctor", "tap"} <= verbs


@pytest.mark.parametrize("command", COMMANDS)
def test_make_knows_the_command(command: str) -> None:
    verb, _ = parsed(command)
    # A dry run: make resolves the target and everything it depends on, and runs nothing.
    done = subprocess.run(["make", "--dry-run", verb], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", [c for c in COMMANDS if parsed(c)[1]])
def test_voxbus_knows_the_options(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    verb, handed = parsed(command)
    # With --help after them, options are read, and refused when unknown, and nothing runs.
    with pytest.raises(SystemExit) as ended:
        cli.main([verb, *handed, "--help"])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    for option in handed:
        if option.startswith("--"):
            assert option in printed


def test_every_variable_is_one() -> None:
    known = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    known += "".join(f"`{name}`" for name in re.findall(r"^#([A-Z_]+)=", ENV_EXAMPLE, re.M))
    named = set(re.findall(r"`([A-Z][A-Z_]+[A-Z])`|^\s*([A-Z][A-Z_]+)=|`([A-Z_]+)=", README, re.M))
    names = {name for group in named for name in group if name} - {"CALLS", "ARGS"}
    assert {"PUBLIC_URL", "TWILIO_AUTH_TOKEN"} <= names
    assert sorted(name for name in names if f"`{name}`" not in known) == []


def test_every_route_is_one() -> None:
    gateway = ROOT / "services" / "gateway" / "src"
    source = "\n".join(path.read_text(encoding="utf-8") for path in gateway.rglob("*.py"))
    routes = set(re.findall(r"/twilio/[a-z-]+", README))
    assert routes
    assert sorted(route for route in routes if f'"{route}"' not in source) == []


def test_the_port_of_the_tunnel_is_the_gateways() -> None:
    ports = set(re.findall(r"localhost:(\d+)|ngrok http (\d+)", README))
    known = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    default = re.search(r"\| `GATEWAY_PORT` \| `(\d+)`", known)
    assert default is not None
    assert {port for pair in ports for port in pair if port} == {default[1]}


def test_every_agent_is_there() -> None:
    personas = re.findall(r"PERSONA=(\w+)", README)
    assert personas
    assert [name for name in personas if not (ROOT / "agents" / f"{name}.yaml").exists()] == []


def test_the_line_that_places_a_call_is_the_one_that_up_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCHEDULER_SECRET", raising=False)
    known = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    port = re.search(r"\| `SCHEDULER_PORT` \| `(\d+)`", known)
    assert port is not None
    line = order_line(f"http://127.0.0.1:{port[1]}", Path("var/up/secrets.env"), PHONEBOOK[0].number)
    assert line in README.splitlines()


def test_every_simulated_telephone_is_there() -> None:
    assert set(re.findall(r"\+1\d{10}", README)) == {listed.number for listed in PHONEBOOK}


def test_every_service_that_is_scaled_or_asked_is_one() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    named = re.findall(
        r"--scale (\w+)=|docker compose (?:exec|run --rm) (\w+)|--no-deps --build (\w+)", README
    )
    names = {name for group in named for name in group if name}
    assert {"stt", "gateway", "llm", "carrier", "scheduler", "voxbus"} <= names <= services.keys()


def test_every_file_of_settings_is_there() -> None:
    files = re.findall(r"--env-file (\S+)|`(deploy/\w+)", README)
    files = [name for pair in files for name in pair if name]
    assert files
    assert [name for name in files if not (ROOT / name).exists()] == []

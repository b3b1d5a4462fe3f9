"""docker-compose.yml passes on what each service reads, and nothing else; nothing in it is more open than need be."""

from __future__ import annotations

import importlib
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from voxbus.common.settings import ServiceSettings
from voxbus.common.trust.rights import LOGINS
from voxbus.devkit.docs import dotenv

ROOT = Path(__file__).parent.parent
SOURCE = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(SOURCE)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
#: Done once: before the services start, and beside them.
STEPS = {"init", "setup", "ollama-model", "speech-models"}
#: Where people type.
COMMAND = "voxbus"
OURS = sorted(path.parent.name for path in (ROOT / "services").glob("*/pyproject.toml"))

#: The same in every container.
PLACED = {
    "NATS_URL": "nats://nats:4222",
    "NATS_NKEY_FILE": "/run/voxbus/nkey",
    "SECRETS_DIR": "/run/voxbus",
}


def settings_of(service: str) -> type[ServiceSettings]:
    module = importlib.import_module(f"voxbus.{service}.settings")
    (found,) = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, ServiceSettings) and value is not ServiceSettings
    ]
    return found


def test_every_service_is_there() -> None:
    assert set(OURS) <= SERVICES.keys()


@pytest.mark.parametrize("service", OURS)
def test_a_service_gets_all_variables_that_it_reads_and_no_others(service: str) -> None:
    environment = set(SERVICES[service]["environment"])
    read = {name.upper() for name in settings_of(service).model_fields}
    assert environment == read - (dotenv.FIXED - PLACED.keys())


@pytest.mark.parametrize("service", OURS)
def test_an_unset_variable_stays_unset(service: str) -> None:
    for name, value in SERVICES[service]["environment"].items():
        assert value == PLACED.get(name, f"${{{name}:-{dotenv.WIRED.get(name, '')}}}")


def test_the_example_of_an_environment_has_every_variable_and_its_default() -> None:
    # The default of one that is in another's default is in the other's row.
    passed = dict(re.findall(r"\$\{([A-Z_]+):[-+]((?:[^${}]|\$\{[^}]*\})*)\}", SOURCE))
    passed |= dict(re.findall(r"\$\{([A-Z_]+):-([^${}]*)\}", SOURCE))
    example = dict(re.findall(r"^#([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.M))
    assert example.keys() - {"COMPOSE_PROFILES"} == passed.keys()
    own = {name: default for name, default, _ in dotenv.OWN} | dotenv.WIRED
    for name in (own.keys() & passed.keys()) - {"SIMULATED_CARRIER", "PROXY_PUBLISH", "TUNNEL_TOKEN"}:
        assert example[name] == own[name] == passed[name]


@pytest.mark.parametrize("path", sorted((ROOT / "deploy").glob("*.env")), ids=lambda path: path.stem)
def test_a_file_of_settings_sets_variables_that_there_are(path: Path) -> None:
    sets = dict(re.findall(r"^([A-Z_]+)=(.*)$", path.read_text(), re.M))
    assert sets.keys() <= set(re.findall(r"^#([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.M))
    assert set(sets["COMPOSE_PROFILES"].split(",")) <= profiles()


def test_local_models_are_asked_where_they_are() -> None:
    """By providers that there are; what is fetched is what is asked for."""
    sets = dict(re.findall(r"^([A-Z_]+)=(.*)$", (ROOT / "deploy" / "local-models.env").read_text(), re.M))
    for service, names in (("stt", "STT_PROVIDERS"), ("llm", "LLM_PROVIDERS"), ("tts", "TTS_PROVIDERS")):
        known = settings_of(service)
        known.model_validate(
            {key.lower(): value for key, value in sets.items() if key.lower() in known.model_fields}
        )
        providers = importlib.import_module(f"voxbus.{service}.providers").PROVIDERS
        assert set(sets[names].split(",")) <= providers.keys()
    ports = {"OLLAMA_BASE_URL": ("ollama", "11434"), "OPENAI_BASE_URL": ("speech", "8000")}
    for url, (host, port) in ports.items():
        assert sets[url] == f"http://{host}:{port}/v1"
        assert SERVICES[host]["profiles"] == ["local-models"]
    fetched = " ".join(SERVICES["ollama-model"]["command"] + SERVICES["speech-models"]["command"])
    assert set(re.findall(r"\$\{(\w+):-", fetched)) == {"LLM_MODEL", "STT_MODEL", "TTS_MODEL"} <= sets.keys()


def profiles() -> set[str]:
    return {profile for service in SERVICES.values() for profile in service.get("profiles", ())}


def test_the_example_names_the_profiles() -> None:
    (meaning,) = (meaning for name, _, meaning in dotenv.OWN if name == "COMPOSE_PROFILES")
    assert set(re.findall(r"`([a-z-]+)`", meaning)) == profiles() - {"command"}


def test_the_proxy_alone_is_published_and_only_to_this_machine() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]
    published = SERVICES["proxy"]["ports"]
    assert [re.sub(r"^\$\{\w+:-(.*)\}$", r"\1", port) for port in published] == [
        "127.0.0.1:${GATEWAY_PORT:-8080}:8080",
        "127.0.0.1:${SCHEDULER_PORT:-8090}:8090",
    ]


def members(network: str) -> set[str]:
    return {name for name, service in SERVICES.items() if network in service.get("networks", ())}


def test_nobody_but_the_proxy_asks_the_gateway() -> None:
    # Which is why it may trust whatever address asks. NATS asks nobody anything.
    around = set().union(*(members(network) for network in SERVICES["gateway"]["networks"]))
    assert around == {"gateway", "proxy", "nats"}
    assert members("office") == {"scheduler", "proxy"}


def test_what_keeps_or_carries_calls_has_no_way_out() -> None:
    internal = {name for name, network in COMPOSE["networks"].items() if network.get("internal")}
    assert internal == COMPOSE["networks"].keys() - {"edge"}
    assert members("edge").isdisjoint({"nats", "gateway", "setup", "init", "postgres"})
    assert SERVICES["init"]["network_mode"] == "none"


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_that_was_taken_over_is_worth_little(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"mem_limit", "pids_limit", "tmpfs", "logging"} <= service.keys()
    assert "privileged" not in service
    root = name == "init"  # which hands keys out, without a network
    assert (service.get("user") == "0") is root
    assert "build" in service or "user" in service  # our image has a user of its own
    assert set(service.get("cap_add", ())) <= ({"CHOWN", "DAC_OVERRIDE"} if root else {"NET_BIND_SERVICE"})


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - STEPS - {COMMAND}))
def test_what_runs_on_is_started_again_and_says_how_it_is(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    assert "build" in service or "healthcheck" in service  # our image has one
    assert "container_name" not in service  # it could not be scaled


@pytest.mark.parametrize("service", OURS)
def test_there_is_time_to_drain(service: str) -> None:
    drain_s = settings_of(service).model_fields["drain_seconds"].default
    assert int(SERVICES[service]["stop_grace_period"].removesuffix("s")) > drain_s


@pytest.mark.parametrize("service", [*OURS, "setup"])
def test_a_service_sees_its_own_login_and_no_other(service: str) -> None:
    volumes = SERVICES[service]["volumes"]
    assert [volume for volume in volumes if "trust" in volume] == [f"trust-{service}:/run/voxbus:ro"]


def test_every_login_is_kept() -> None:
    kept = {f"trust-{login}:/trust/{login}" for login in (*LOGINS, "nats")}
    mounted = set(SERVICES["init"]["volumes"])
    assert kept <= mounted
    assert {volume.partition(":")[0] for volume in mounted} <= set(COMPOSE["volumes"])


def test_every_shared_secret_is_a_setting_of_who_gets_it() -> None:
    command = " ".join(SERVICES["init"]["command"])
    shared = re.findall(r"--share=(\w+)=(?:\$\{\w+:\+)?([\w,:]+)", re.sub(r":\d+", "", command))
    assert {name for name, _ in shared} >= {"agent_shared_secret", "scheduler_secret", "internal_secret"}
    for name, folders in shared:
        for folder in set(folders.split(",")) & set(OURS):
            assert name in settings_of(folder).model_fields
        assert {f"trust-{folder}:/trust/{folder}" for folder in folders.split(",")} <= set(
            SERVICES["init"]["volumes"]
        )


@pytest.mark.parametrize("service", OURS)
def test_services_wait_for_the_setup(service: str) -> None:
    assert SERVICES[service]["depends_on"]["setup"] == {"condition": "service_completed_successfully"}


def test_the_command_reaches_the_database_of_the_scheduler() -> None:
    """What is kept of a number is erased where it is: in its file, or on its server with its password."""
    scheduler, command = SERVICES["scheduler"], SERVICES[COMMAND]
    for name in ("DATABASE_URL", "DATABASE_PASSWORD"):
        assert command["environment"][name] == scheduler["environment"][name]
    assert "database" in command["networks"]
    (kept,) = (volume for volume in scheduler["volumes"] if "trust" not in volume)
    assert kept in command["volumes"]
    assert "user" not in command  # the file is that of the user whom all our images have
    (folders,) = re.findall(r"--share=database_password=(\S+)", " ".join(SERVICES["init"]["command"]))
    assert {"scheduler", "operator"} <= set(folders.split(","))


def test_the_image_of_the_command_is_built_from_all_packages_that_it_needs() -> None:
    devkit = tomllib.loads((ROOT / "tools/devkit/pyproject.toml").read_text())
    needed = {name.removeprefix("voxbus-") for name in devkit["project"]["dependencies"] if "voxbus-" in name}
    (copied,) = re.findall(r"devkit\) set -- tools/devkit (.*) ;;", (ROOT / "Dockerfile").read_text())
    assert set(copied.split()) == {f"services/{name}" for name in needed - {"common"}}


def test_the_proxy_does_not_wait_long_for_half_a_head() -> None:
    """It would wait for a minute by itself; and each costs memory, of which there is room for thousands."""
    proxy = (ROOT / "deploy" / "Caddyfile").read_text()
    assert re.search(r"servers \{[^}]*timeouts \{\s+read_header 10s\s+idle 30s\s+\}", proxy)
    assert "read_timeout" not in proxy  # would cut what a page follows a call with
    assert SERVICES["proxy"]["mem_limit"] == "256m"
    assert SERVICES["proxy"]["environment"]["GOMEMLIMIT"] == "200MiB"

"""docker-compose.yml passes on what each service reads, and nothing else."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from voxbus.common.settings import ServiceSettings
from voxbus.common.trust.rights import LOGINS

ROOT = Path(__file__).parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
#: Done once, before the services start.
STEPS = {"init", "setup"}
OURS = sorted(
    name for name, service in COMPOSE["services"].items() if "build" in service and name not in STEPS
)

#: Set by the image, or the same in every container: not for .env.
FIXED = {
    "nats_user", "nats_password", "metrics_host", "metrics_port", "worker_id", "gateway_host", "gateway_port",
    "scheduler_host", "scheduler_port", "agents_dir",
}  # fmt: skip

#: What one container must know of another.
WIRED = {
    "NATS_URL": "nats://nats:4222",
    "NATS_NKEY_FILE": "/run/voxbus/nkey",
    "API_URL": "${API_URL:-http://scheduler:8090}",
    "TRUSTED_PROXIES": "${TRUSTED_PROXIES:-127.0.0.1,::1,172.16.0.0/12}",
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
    assert sorted(path.parent.name for path in (ROOT / "services").glob("*/pyproject.toml")) == OURS


@pytest.mark.parametrize("service", OURS)
def test_a_service_gets_all_variables_that_it_reads_and_no_others(service: str) -> None:
    environment = {name.lower() for name in COMPOSE["services"][service]["environment"]}
    assert environment == set(settings_of(service).model_fields) - FIXED


@pytest.mark.parametrize("service", OURS)
def test_an_unset_variable_stays_unset(service: str) -> None:
    for name, value in COMPOSE["services"][service]["environment"].items():
        assert value == WIRED.get(name, f"${{{name}:-}}")


def test_only_what_is_asked_from_outside_is_published_and_only_to_this_machine() -> None:
    published = {
        name: service["ports"] for name, service in COMPOSE["services"].items() if "ports" in service
    }
    assert list(published) == ["gateway", "scheduler"]
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    assert COMPOSE["networks"]["bus"]["internal"] is True


@pytest.mark.parametrize("service", [*OURS, "setup"])
def test_a_service_sees_its_own_login_and_no_other(service: str) -> None:
    volumes = COMPOSE["services"][service]["volumes"]
    assert [volume for volume in volumes if "trust" in volume] == [f"trust-{service}:/run/voxbus:ro"]


def test_every_login_is_kept() -> None:
    kept = {f"trust-{login}:/trust/{login}" for login in (*LOGINS, "nats")}
    assert set(COMPOSE["services"]["init"]["volumes"]) == kept
    assert {volume.partition(":")[0] for volume in kept} <= set(COMPOSE["volumes"])


@pytest.mark.parametrize("service", OURS)
def test_services_wait_for_the_setup(service: str) -> None:
    assert COMPOSE["services"][service]["depends_on"]["setup"] == {
        "condition": "service_completed_successfully"
    }

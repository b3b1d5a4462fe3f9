"""docs/configuration.md: every variable of every service, from the settings classes."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from dataclasses import dataclass
from typing import Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

import voxbus
from voxbus.common.settings import ServiceSettings

_INTRO = """\
# Configuration

<!-- Made by `make docs` from the settings classes. Do not edit. -->

Every service reads its environment once, at the start. A variable that is missing or wrong stops it with one line that
names the variable; an empty variable counts as one that is not set. `make demo` and `make up` also read `.env`, and so
does `docker compose up`, which has some more: [.env.example](../.env.example).
Secrets are never logged. Whatever has a default needs no setting: with none at all the embedded providers serve.

Each agent may override the turn rules and the providers for its own calls: see `turn`, `stt`, `llm`, `model`,
`voice` and `max_call_s` in its file.

| variable | default | meaning | read by |
|---|---|---|---|
"""


@dataclass(frozen=True)
class Setting:
    variable: str
    default: str
    meaning: str

    def row(self, services: list[str]) -> str:
        cells = (f"`{self.variable}`", self.default, self.meaning, ", ".join(services))
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def page() -> str:
    return _INTRO + "".join(setting.row(services) for setting, services in readers().items())


def readers() -> dict[Setting, list[str]]:
    """Each setting, with the services that read it."""
    found: dict[Setting, list[str]] = {setting: ["every service"] for setting in _settings(ServiceSettings)}
    for service, cls in settings_classes().items():
        for setting in _settings(cls):
            services = found.setdefault(setting, [])
            if services != ["every service"]:
                services.append(service)
    return found


def settings_classes() -> dict[str, type[ServiceSettings]]:
    """The settings class of each installed part, by its name; the one that its ``settings`` module defines."""
    found = {}
    for part in sorted(module.name for module in pkgutil.iter_modules(voxbus.__path__)):
        name = f"voxbus.{part}.settings"
        if importlib.util.find_spec(name) is None:
            continue
        for value in vars(importlib.import_module(name)).values():
            if isinstance(value, type) and issubclass(value, ServiceSettings) and value.__module__ == name:
                found[part] = value
    found.pop("common", None)
    return found


def _settings(cls: type[ServiceSettings]) -> list[Setting]:
    return [_setting(name, field) for name, field in cls.model_fields.items()]


def _setting(name: str, field: FieldInfo) -> Setting:
    variable = field.validation_alias if isinstance(field.validation_alias, str) else name
    limits = _limits(field)
    meaning = " ".join((field.description or "").split())
    return Setting(variable.upper(), _default(field), f"{meaning} {limits}".strip())


def _default(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    if isinstance(extra, dict) and "default_text" in extra:
        return str(extra["default_text"])
    match field.get_default(call_default_factory=True, validated_data={}):
        case value if value is PydanticUndefined:
            return "**required**"
        case None | "":
            return "unset"
        case SecretStr():
            return "a secret"
        case bool() as value:
            return f"`{str(value).lower()}`"
        case float() as value:
            return f"`{value:g}`"
        case tuple() | list() as value:
            return f"`{','.join(map(str, value))}`" if value else "unset"
        case value:
            return f"`{value}`"


def _limits(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return "(" + ", ".join(f"`{value}`" for value in get_args(field.annotation)) + ")"
    low = high = ""
    for limit in field.metadata:
        match limit:
            case Ge(ge=value):
                low = f"at least {value}"
            case Gt(gt=value):
                low = f"above {value}"
            case Le(le=value):
                high = f"at most {value}"
            case Lt(lt=value):
                high = f"below {value}"
    return f"({', '.join(filter(None, (low, high)))})" if low or high else ""

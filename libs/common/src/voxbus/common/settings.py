"""The environment of a service, read once and frozen.

A service subclasses ``ServiceSettings`` in its ``settings.py``. The variable of a field is the field's name in upper
case, without a prefix (``nats_url`` is ``NATS_URL``). What the environment leaves out may be in a file of the field's
name (``nats_url``) in ``SECRETS_DIR``. Every field has a description: docs/configuration.md is made from these classes.
"""

from __future__ import annotations

import os
import secrets
import socket
from typing import Literal, Self, TypeVar

from pydantic import DirectoryPath, Field, FilePath, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from voxbus.common.errors import SettingsError


def _worker_id() -> str:
    # The random part tells a restarted container (same host name, same pid 1) from the one that died.
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"


class ServiceSettings(BaseSettings):
    """What every service reads. An empty variable counts as one that is not set (``${X:-}`` of compose files)."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    secrets_dir: DirectoryPath | None = Field(
        default=None,
        description="A folder that may hold any of these as a file with its name in lower case, such as "
        "`scheduler_secret`: for what is not to be seen in the environment, which goes first.",
    )
    nats_url: str = Field(
        default="nats://127.0.0.1:4222",
        description="The NATS server, or several of one cluster separated by commas.",
    )
    nats_nkey_file: FilePath | None = Field(
        default=None,
        description="The file with this service's NATS key (the seed of an nkey); unset = no login.",
    )
    nats_user: str | None = Field(
        default=None, description="This service's NATS user, where it logs in with a password."
    )
    nats_password: SecretStr | None = Field(default=None, description="The password of `NATS_USER`.")
    nats_tls_ca_file: FilePath | None = Field(
        default=None,
        description="Whose certificates of NATS servers are good; set, or `tls://` in `NATS_URL`, means TLS.",
    )
    nats_tls_cert_file: FilePath | None = Field(
        default=None, description="Our own certificate, for a NATS server that asks for one."
    )
    nats_tls_key_file: FilePath | None = Field(default=None, description="The key of `NATS_TLS_CERT_FILE`.")
    archive_keep_days: float = Field(
        default=30.0,
        ge=1,
        le=3650,
        description="The logs of calls that are over, with what was said, stay so long in NATS. The same everywhere: "
        "whoever makes the streams sets it.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info",
        description="Log lines below this level are not written.",
    )
    log_format: Literal["json", "text"] = Field(
        default="json", description="One JSON object a line, or a form for human eyes."
    )
    metrics_host: str = Field(
        default="127.0.0.1",
        description="Where `/metrics`, `/health` and `/ready` listen. Never publish this address.",
    )
    metrics_port: int = Field(
        default=0, ge=0, le=65535, description="Their port; 0 = a free one, named in the log line `ready`."
    )
    drain_seconds: float = Field(
        default=20.0,
        gt=0,
        le=7200,
        description="How long a service that was asked to stop may take to finish or hand over its work.",
    )
    worker_id: str = Field(
        default_factory=_worker_id,
        pattern=r"^[A-Za-z0-9_.:-]{1,128}$",
        description="The name of this process in events and logs. Must be unique.",
        json_schema_extra={"default_text": "host-pid-random"},
    )

    @model_validator(mode="after")
    def _one_login(self) -> Self:
        if self.nats_nkey_file is not None and self.nats_user is not None:
            raise ValueError("NATS_NKEY_FILE and NATS_USER are two logins: set one of them")
        return self


S = TypeVar("S", bound=ServiceSettings)


def load(cls: type[S]) -> S:
    """The settings, from the environment. Raises SettingsError: one line that names each variable and its fault."""
    try:
        # A folder that is not there is a fault of the field of that name, below.
        secrets_dir = os.environ.get("SECRETS_DIR", "")
        return cls(_secrets_dir=secrets_dir if os.path.isdir(secrets_dir) else None)
    except OSError as error:
        raise SettingsError(f"SECRETS_DIR is wrong: {error.strerror}, {error.filename}") from None
    except ValidationError as error:
        faults = [_fault(cls, detail["loc"], detail["type"], detail["msg"]) for detail in error.errors()]
        # `from None`: the original repeats the values, and a wrong value may be half of a secret.
        raise SettingsError("; ".join(faults)) from None


def _fault(cls: type[BaseSettings], where: tuple[int | str, ...], kind: str, message: str) -> str:
    if not where:  # a rule about several fields; its message names them
        return message.removeprefix("Value error, ")
    variable = ".".join(str(part) for part in where).upper()
    field = cls.model_fields.get(str(where[0]).lower())
    meaning = f" ({field.description})" if field is not None and field.description else ""
    if kind == "missing":
        return f"{variable} is not set: set it{meaning}"
    return f"{variable} is wrong: {message.removeprefix('Value error, ')}{meaning}"

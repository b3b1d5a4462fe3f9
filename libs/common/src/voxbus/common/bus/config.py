"""Where the bus is, and who we are there."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from voxbus.common import subjects
from voxbus.common.errors import SettingsError
from voxbus.common.settings import ServiceSettings


@dataclass(frozen=True)
class Tls:
    """``ca_file``: who signed the server's certificate (None = whom this machine trusts). The other two: our own."""

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Raises SettingsError when the files are no certificates, or cannot be read."""
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            if self.cert_file is not None:
                context.load_cert_chain(self.cert_file, self.key_file)
        except OSError as error:  # ssl's own errors are among them
            raise SettingsError(f"a file of NATS_TLS_* cannot be used: {error}") from None
        return context


@dataclass(frozen=True)
class BusConfig:
    """``url``: one server, or several of one cluster separated by commas; ``tls://`` means TLS, as ``tls`` does.

    We log in with ``nkey_file`` (a file with the seed of an nkey), or ``user`` and ``password``, or not at all.
    ``inbox_prefix``: replies to us that nobody else may read.
    """

    url: str = "nats://127.0.0.1:4222"
    name: str = "voxbus"
    user: str = ""
    password: str = field(default="", repr=False)
    nkey_file: Path | None = None
    tls: Tls | None = None
    inbox_prefix: str = "_INBOX"
    connect_timeout_s: int = 2

    @property
    def servers(self) -> list[str]:
        return [server.strip() for server in self.url.split(",")]

    @property
    def where(self) -> str:
        """The servers without the login that a URL may carry: for messages."""
        return ", ".join(re.sub(r"(?<=//)[^/]*@", "", server) for server in self.servers)

    @property
    def has_login(self) -> bool:
        return bool(self.user or self.nkey_file)

    def options(self) -> dict[str, Any]:
        """What the client must know to log in. Raises SettingsError."""
        options: dict[str, Any] = {"inbox_prefix": self.inbox_prefix.encode()}
        if self.nkey_file is not None:
            options["nkeys_seed"] = str(self.nkey_file)
        elif self.user:
            options |= {"user": self.user, "password": self.password}
        if self.tls is not None or any(server.startswith("tls:") for server in self.servers):
            # Handshake first: otherwise the server says in plain text whether there is to be TLS, and the client
            # believes whoever says that there is none.
            options |= {"tls": (self.tls or Tls()).context(), "tls_handshake_first": True}
        return options


def bus_config(settings: ServiceSettings, who: str, name: str = "") -> BusConfig:
    """``who``: the service, which has replies of its own; ``name``: what the server calls the connection."""
    files = (settings.nats_tls_ca_file, settings.nats_tls_cert_file, settings.nats_tls_key_file)
    return BusConfig(
        url=settings.nats_url,
        name=name or who,
        user=settings.nats_user or "",
        password=settings.nats_password.get_secret_value() if settings.nats_password else "",
        nkey_file=settings.nats_nkey_file,
        tls=Tls(*files) if any(files) else None,
        inbox_prefix=subjects.inbox_of(who),
    )

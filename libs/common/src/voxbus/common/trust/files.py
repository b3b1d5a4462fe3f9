"""The files: a secret for each login, one nkey (Ed25519) each, and the server's configuration, which has none."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

import nkeys

from voxbus.common.trust.nats_conf import ServerTls, nats_conf
from voxbus.common.trust.rights import LOGINS


def key_file(directory: Path, login: str) -> Path:
    """One folder for each login, so that each can be handed out alone."""
    return directory / login / "nkey"


def write(directory: Path, *, http: str = "", tls: ServerTls | None = None, owner: int | None = None) -> Path:
    """Writes what is missing of the secrets, and the configuration, whose path it returns."""
    public = mint(directory, LOGINS, owner=owner)
    path = directory / "nats" / "nats.conf"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(nats_conf(public, http=http, tls=tls))
    return path


def mint(directory: Path, logins: Iterable[str], *, owner: int | None = None) -> dict[str, str]:
    """The public key of each login, whose secret is made where there is none yet. Nobody but ``owner`` reads it."""
    return {login: _public(_kept(key_file(directory, login), owner)) for login in logins}


def _kept(path: Path, owner: int | None) -> bytes:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        seed = nkeys.encode_seed(secrets.token_bytes(32), nkeys.PREFIX_BYTE_USER)
        unfinished = path.with_suffix(".new")  # a file that is there is whole
        unfinished.unlink(missing_ok=True)
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "wb") as file:
            if owner is not None:
                os.fchown(file.fileno(), owner, -1)
            file.write(seed)
        unfinished.rename(path)
    return path.read_bytes().strip()


def _public(seed: bytes) -> str:
    pair = nkeys.from_seed(bytearray(seed))
    public: bytes = pair.public_key
    pair.wipe()
    return public.decode()

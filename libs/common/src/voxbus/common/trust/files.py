"""The files: a secret for each login, one nkey (Ed25519) each, what some of them share, and the server's configuration,
which has no secret.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path

import nkeys

from voxbus.common.errors import SettingsError
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


def share(directory: Path, name: str, folders: Mapping[str, int | None]) -> None:
    """One secret in a file of this name in all of these folders and no other; what is there already is kept.

    ``folders``: whose the file is in each; None = ours. Raises SettingsError when two of them know another one, and
    neither can be right for both.
    """
    for path in directory.glob(f"*/{name}"):
        if path.parent.name not in folders:
            path.unlink()
    paths = [directory / folder / name for folder in folders]
    known = {path.read_bytes() for path in paths if path.exists()}
    if len(known) > 1:
        raise SettingsError(f"{name} is not the same in all of {', '.join(folders)}: remove what is wrong")
    secret = known.pop() if known else secrets.token_urlsafe(32).encode()
    for path in paths:
        if not path.exists():
            _put(path, secret, folders[path.parent.name])


def hand_over(directory: Path, owner: int) -> None:
    """``directory`` and all in it belong to ``owner`` afterwards."""
    for path in (directory, *directory.rglob("*")):
        if path.lstat().st_uid != owner:
            os.chown(path, owner, -1, follow_symlinks=False)


def _kept(path: Path, owner: int | None) -> bytes:
    if not path.exists():
        _put(path, nkeys.encode_seed(secrets.token_bytes(32), nkeys.PREFIX_BYTE_USER), owner)
    return path.read_bytes().strip()


def _put(path: Path, secret: bytes, owner: int | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".new")  # a file that is there is whole
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "wb") as file:
        if owner is not None:
            os.fchown(file.fileno(), owner, -1)
        file.write(secret)
    unfinished.rename(path)


def _public(seed: bytes) -> str:
    pair = nkeys.from_seed(bytearray(seed))
    public: bytes = pair.public_key
    pair.wipe()
    return public.decode()

"""The configuration of a NATS server, from the table of rights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from voxbus.common.subjects import JETSTREAM
from voxbus.common.trust.rights import LINKS, RIGHTS, SETUP, answers, may_publish, may_subscribe

#: The account of the streams.
STORE: Final = "STORE"

#: A question whose answers come in several messages is forgotten when none came for so long.
_PATIENCE: Final = "10s"
#: Frames of a whole ring, and some.
_MOST_ANSWERS: Final = 4096


@dataclass(frozen=True)
class ServerTls:
    """Paths as the server sees them. With ``ca_file`` clients must show a certificate that it signed."""

    cert_file: str
    key_file: str
    ca_file: str = ""


def nats_conf(public_keys: Mapping[str, str], *, http: str = "", tls: ServerTls | None = None) -> str:
    """``public_keys`` by login. ``http``: host:port where the server tells of itself; empty = nowhere.

    There is no secret in it. The server takes JSON for its own notation.
    """
    config: dict[str, Any] = {
        # Where there are accounts, nobody is let in who has no login.
        "accounts": {
            STORE: _store(public_keys[SETUP]),
            **{login: _account(login, public_keys[login]) for login in RIGHTS},
        }
    }
    if http:
        config["http"] = http
    if tls is not None:
        config["tls"] = {"cert_file": tls.cert_file, "key_file": tls.key_file, "handshake_first": "auto"}
        if tls.ca_file:
            config["tls"] |= {"ca_file": tls.ca_file, "verify": True}
    head = "# Made by `python -m voxbus.common.trust` from voxbus.common.trust.rights. Do not edit.\n"
    return f"{head}{json.dumps(config, indent=2)}\n"


def _store(public_key: str) -> dict[str, Any]:
    taken = {subject for rights in RIGHTS.values() for subject in (*rights.writes, *rights.says)}
    told = {subject for rights in RIGHTS.values() for subject in rights.hears}
    return {
        "jetstream": "enabled",
        "users": [_user(SETUP, public_key)],
        "exports": [
            _with_many_answers(JETSTREAM),
            *({"service": subject} for subject in sorted(taken)),
            *({"stream": subject} for subject in sorted(told)),
        ],
    }


def _account(login: str, public_key: str) -> dict[str, Any]:
    rights = RIGHTS[login]
    # JetStream as a whole: an account's own, which has no streams, would answer beside it. What the login may ask of it
    # is a matter of permissions.
    imports = [_import("service", STORE, subject) for subject in (JETSTREAM, *rights.writes, *rights.says)]
    imports += [_import("stream", STORE, subject) for subject in rights.hears]
    exports: list[dict[str, Any]] = []
    for link in LINKS:
        others = [to for to in link.to if to != link.by]
        if link.kind == "messages":
            exports += [{"stream": link.subject}] if link.by == login and others else []
            imports += [_import("stream", link.by, link.subject)] if login in others else []
        else:
            many = link.kind == "question with many answers"
            exported = _with_many_answers(link.subject) if many else {"service": link.subject}
            exports += [exported] if login in others else []
            imports += [_import("service", to, link.subject) for to in others] if link.by == login else []
    return {"users": [_user(login, public_key)], "imports": imports, "exports": exports}


def _import(what: str, account: str, subject: str) -> dict[str, Any]:
    return {what: {"account": account, "subject": subject}}


def _with_many_answers(subject: str) -> dict[str, Any]:
    return {"service": subject, "response_type": "stream", "response_threshold": _PATIENCE}


def _user(login: str, public_key: str) -> dict[str, Any]:
    permissions: dict[str, Any] = {
        "publish": {"allow": may_publish(login)},
        "subscribe": {"allow": may_subscribe(login)},
    }
    if answers(login):
        permissions["allow_responses"] = {"max": _MOST_ANSWERS, "expires": _PATIENCE}
    return {"nkey": public_key, "permissions": permissions}

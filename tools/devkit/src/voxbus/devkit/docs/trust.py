"""docs/trust.md: what each login of the bus may do, from the table of rights."""

from __future__ import annotations

from voxbus.common.trust.rights import (
    LINKS,
    LOGINS,
    OPERATOR,
    SETUP,
    answers,
    may_publish,
    may_subscribe,
)

_INTRO = """\
# Trust between the parts

<!-- Made by `make docs` from voxbus.common.trust. Do not edit. -->

Each service logs in to NATS with a key of its own, may do what this page says, and nothing else. `voxbus up` and
`docker compose up` make the keys; they are in no image and in no repository. The server knows their public halves only.

- `python -m voxbus.common.trust DIRECTORY` writes `DIRECTORY/{login}/nkey` (mode 0400, kept when it is there) and
  `DIRECTORY/nats/nats.conf`, which has no secret in it. To take a key away from somebody, delete it, run this again,
  restart the server with the new configuration, and hand the new key out.
- With `--share scheduler_secret=scheduler,operator` it also makes what some of them have in common, as a file of that
  name in the folder of each, which is its `SECRETS_DIR`. Whoever is named no more loses it.
- `NATS_NKEY_FILE` tells a service where its key is. A server that asks for no login is used without one, as before.
- `python -m voxbus.common.bus`, with the key of `setup`, makes streams, buckets and consumers. No other login may.
  Services wait for it, and say so.
- TLS: `--tls-cert` and `--tls-key` (paths as the server sees them) put it into the configuration; `NATS_TLS_CA_FILE` of
  each service names the authority. With `--tls-ca` clients must show certificates (`NATS_TLS_CERT_FILE` and
  `NATS_TLS_KEY_FILE`). Clients shake hands before anything else is said, so nobody in between can talk them out of it;
  a configuration of your own needs `handshake_first: auto` for that.
- What a login has no right to is an error in its log, with the kind of subject, and counts in
  `voxbus_bus_refused_total`.

The streams are in an account of their own, and so is each login: what JetStream answers goes to the account that asked,
and never back into a stream. Why that matters: [0013](decisions/0013-an-account-for-each-service.md).

## What is not stored

| subject | kind | from | to |
|---|---|---|---|
"""


def page() -> str:
    links = "".join(
        f"| `{link.subject}` | {link.kind} | {link.by} | {', '.join(link.to) or 'nobody'} |\n"
        for link in LINKS
    )
    return _INTRO + links + "".join(map(_section, LOGINS))


def _section(login: str) -> str:
    title = {
        SETUP: "`setup`: the one setup step",
        OPERATOR: "`operator`: people, with the commands of `voxbus`",
    }.get(login, f"`{login}`")
    more = "\nMay also answer questions that it is asked.\n" if answers(login) else ""
    return (
        f"\n## {title}\n\n"
        f"| may publish |\n|---|\n{_rows(may_publish(login))}\n"
        f"| may subscribe |\n|---|\n{_rows(may_subscribe(login))}{more}"
    )


def _rows(subjects: list[str]) -> str:
    return "".join(f"| `{subject}` |\n" for subject in subjects)

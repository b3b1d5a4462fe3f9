"""``python -m voxbus.common.trust DIRECTORY``: secrets for all logins, and the configuration of the server.

Writes ``DIRECTORY/{login}/nkey`` (kept when it is there already) and ``DIRECTORY/nats/nats.conf``; with ``--share``
also what services have in common, for their ``SECRETS_DIR``: ``--share scheduler_secret=scheduler,operator``.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from voxbus.common.errors import SettingsError
from voxbus.common.trust.files import hand_over, share, write
from voxbus.common.trust.nats_conf import ServerTls


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m voxbus.common.trust", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--owner", type=int, metavar="UID", help="whose the secrets are (default: ours)")
    parser.add_argument(
        "--share",
        type=_shared,
        action="append",
        default=[],
        metavar="NAME=FOLDER[:UID],...",
        help="make a secret for these folders (of another owner); it is taken from all others, so none removes it",
    )
    parser.add_argument(
        "--hand-over", type=Path, action="append", default=[], metavar="DIRECTORY", help="gets this owner too"
    )
    parser.add_argument(
        "--http", default="", metavar="HOST:PORT", help="where the server tells of itself (default: nowhere)"
    )
    parser.add_argument("--tls-cert", default="", metavar="FILE", help="of the server, as it sees the path")
    parser.add_argument("--tls-key", default="", metavar="FILE")
    parser.add_argument(
        "--tls-ca", default="", metavar="FILE", help="clients must show a certificate it signed"
    )
    arguments = parser.parse_args(argv)
    if bool(arguments.tls_cert) != bool(arguments.tls_key):
        parser.error("--tls-cert and --tls-key go together")
    if arguments.hand_over and arguments.owner is None:
        parser.error("--hand-over: to whom? Give --owner")
    tls = ServerTls(arguments.tls_cert, arguments.tls_key, arguments.tls_ca) if arguments.tls_cert else None
    write(arguments.directory, http=arguments.http, tls=tls, owner=arguments.owner)
    try:
        for name, folders in arguments.share:
            owners = {folder: arguments.owner if own is None else own for folder, own in folders.items()}
            share(arguments.directory, name, owners)
    except SettingsError as error:
        sys.stderr.write(f"{parser.prog}: {error}\n")
        return 1
    for directory in arguments.hand_over:
        hand_over(directory, arguments.owner)
    return 0


def _shared(text: str) -> tuple[str, dict[str, int | None]]:
    match = re.fullmatch(r"([a-z][a-z0-9_]*)=((?:[a-z]+(?::[0-9]+)?,?)*)", text)
    if match is None:
        raise argparse.ArgumentTypeError("a name in lower case, =, and folders")
    parts = [folder.partition(":") for folder in match[2].split(",") if folder]
    return match[1], {folder: int(own) if own else None for folder, _, own in parts}


if __name__ == "__main__":
    sys.exit(main())

"""``python -m voxbus.common.trust DIRECTORY``: secrets for all logins, and the configuration of the server.

Writes ``DIRECTORY/{login}/nkey`` (kept when it is there already) and ``DIRECTORY/nats/nats.conf``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from voxbus.common.trust.files import write
from voxbus.common.trust.nats_conf import ServerTls


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m voxbus.common.trust", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--owner", type=int, metavar="UID", help="whose the secrets are (default: ours)")
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
    tls = ServerTls(arguments.tls_cert, arguments.tls_key, arguments.tls_ca) if arguments.tls_cert else None
    write(arguments.directory, http=arguments.http, tls=tls, owner=arguments.owner)
    return 0


if __name__ == "__main__":
    sys.exit(main())

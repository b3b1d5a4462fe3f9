"""``python -m voxbus.common.bus``: the one setup step. Makes streams, consumers and buckets, or brings them up to date.

Logs in as the services do (``NATS_URL``, ``NATS_NKEY_FILE``...), with the login that may make streams.
"""

from __future__ import annotations

import asyncio
import sys
import time

from voxbus.common.bus import Bus, BusConfig, Placement, bus_config, ensure
from voxbus.common.errors import BusUnavailable, VoxbusError
from voxbus.common.settings import ServiceSettings, load
from voxbus.common.trust.rights import SETUP

#: How long a server may take that starts at the same time.
_PATIENCE_S = 30.0


async def set_up(
    config: BusConfig, placement: Placement | None = None, patience_s: float = _PATIENCE_S
) -> None:
    """Raises LoginRefused, or BusUnavailable when JetStream does not answer in time."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            bus = await Bus.connect(config)
            try:
                return await ensure(bus, placement)
            finally:
                await bus.close()
        except BusUnavailable:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.2)


def main() -> int:
    try:
        settings = load(ServiceSettings)
        placement = Placement(archive_days=settings.archive_keep_days)
        asyncio.run(set_up(bus_config(settings, SETUP), placement))
    except VoxbusError as error:
        sys.stderr.write(f"voxbus setup: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

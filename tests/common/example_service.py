"""A service for the tests of the run loop. Its one argument says how it behaves."""

from __future__ import annotations

import asyncio
import os
import sys
import time

from pydantic import Field

from voxbus.common.bus import Bus
from voxbus.common.errors import AgentError
from voxbus.common.logs import get_logger
from voxbus.common.run import background, run
from voxbus.common.settings import ServiceSettings

log = get_logger("example")


class ExampleSettings(ServiceSettings):
    color: str = Field(description="A colour.")


class Example:
    def __init__(self, behaviour: str, bus: Bus) -> None:
        self._behaviour = behaviour
        self._bus = bus

    async def start(self) -> None:
        match self._behaviour:
            case "cannot start":
                raise AgentError("agents/x.yaml: no greeting")
            case "breaks at start":
                raise ZeroDivisionError
            case "starts for ever":
                log.info("starting slowly")
                await asyncio.sleep(3600)
            case "starts a call":
                await self._bus.control.publish("call.CA" + "1" * 32 + ".event.started.0", b"")
            case "background fails":
                background(self._fail(), name="ticker")
            case "loses the bus":  # as it does when the server closes a connection for good
                asyncio.get_running_loop().call_later(0.2, self._bus.closed.set)
            case "callback fails":
                asyncio.get_running_loop().call_soon(self._raise)

    async def drain(self) -> None:
        log.info("drain called")
        match self._behaviour:
            case "drains for ever":
                await asyncio.sleep(3600)
            case "leaves a thread":
                asyncio.get_running_loop().run_in_executor(None, time.sleep, 3600)

    def not_ready(self) -> str:
        return "no model yet" if self._behaviour == "is not ready" else ""

    async def _fail(self) -> None:
        raise RuntimeError("tick failed")

    def _raise(self) -> None:
        raise RuntimeError("callback failed")


if __name__ == "__main__":
    run(
        os.environ.get("EXAMPLE_NAME", "example"),
        ExampleSettings,
        lambda _settings, bus: Example(sys.argv[1], bus),
    )

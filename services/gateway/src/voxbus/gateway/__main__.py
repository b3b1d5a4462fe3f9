from __future__ import annotations

from voxbus.common.run import run
from voxbus.gateway.service import build
from voxbus.gateway.settings import GatewaySettings

if __name__ == "__main__":
    run("gateway", GatewaySettings, build)

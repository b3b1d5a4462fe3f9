"""A web server within a service's own loop, with limits. Needs ``voxbus-common[web]``."""

from voxbus.common.web.limits import Limits, Rates, Seat
from voxbus.common.web.server import WebServer
from voxbus.common.web.settings import WebSettings

__all__ = ["Limits", "Rates", "Seat", "WebServer", "WebSettings"]

"""Deepgram Flux at Cloudflare, by way of an AI Gateway: narrower, and deadly to what it does not know."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from voxbus.devkit.vendors import workers_ai
from voxbus.devkit.vendors.deepgram_flux import FluxStream
from voxbus.devkit.vendors.desk import Desk, refuses
from voxbus.devkit.vendors.wire import conversed

NAME: Final = "cloudflare-flux"
_OPTIONAL: Final = frozenset({"eot_threshold", "eager_eot_threshold", "eot_timeout_ms", "keyterm"})


class CloudflareFlux:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/cloudflare-gateway/{account}/{gateway}/workers-ai", self._listen)]

    async def _listen(self, request: web.Request) -> web.StreamResponse:
        desk, query = self._desk, request.query
        desk.counts[f"{NAME}.requests"] += 1
        fault = desk.faults.take(NAME)
        if not request.headers.get("cf-aig-authorization"):
            desk.wrong(NAME, "no cf-aig-authorization")
            return workers_ai.refusal(401)
        if status := refuses(fault):
            return workers_ai.refusal(status)
        what = desk.check_query(NAME, request, {"model", "encoding", "sample_rate"}, _OPTIONAL)
        if not what and (query["model"] != "@cf/deepgram/flux" or query["encoding"] != "linear16"):
            desk.wrong(NAME, what := "only @cf/deepgram/flux with linear16 is there")
        if not what and not 0.5 <= float(query.get("eot_threshold", 0.7)) <= 0.9:
            desk.wrong(NAME, what := "eot_threshold is out of range")
        if what:
            return workers_ai.refusal(400)
        shapes: dict[str, set[str]] = {"CloseStream": set()}
        return await conversed(
            request, fault, lambda socket, wire: FluxStream(desk, NAME, wire, query, shapes).serve(socket)
        )

"""Cloudflare's AI Gateway with Deepgram's models: Flux and Aura, each narrower than at Deepgram itself."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from voxbus.devkit.vendors import workers_ai
from voxbus.devkit.vendors.deepgram_aura import Conversation
from voxbus.devkit.vendors.deepgram_flux import FluxStream
from voxbus.devkit.vendors.desk import Desk, refuses
from voxbus.devkit.vendors.wire import conversed

FLUX: Final = "cloudflare-flux"
AURA: Final = "cloudflare-aura"
_FLUX_OPTIONAL: Final = frozenset({"eot_threshold", "eager_eot_threshold", "eot_timeout_ms", "keyterm"})
#: A message that it does not know, those that Deepgram takes included, is the end of a stream to Flux.
_FLUX_SHAPES: Final[dict[str, set[str]]] = {"CloseStream": set()}


class CloudflareGateway:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/cloudflare-gateway/{account}/{gateway}/workers-ai", self._open)]

    async def _open(self, request: web.Request) -> web.StreamResponse:
        desk, query = self._desk, request.query
        speaks = query.get("model", "").startswith("@cf/deepgram/aura-")
        vendor = AURA if speaks else FLUX
        desk.counts[f"{vendor}.requests"] += 1
        fault = desk.faults.take(vendor)
        if not request.headers.get("cf-aig-authorization"):
            desk.wrong(vendor, "no cf-aig-authorization")
            return workers_ai.refusal(401)
        if status := refuses(fault):
            return workers_ai.refusal(status)
        if self._wrong_aura(request) if speaks else self._wrong_flux(request):
            return workers_ai.refusal(400)
        if speaks:
            return await conversed(
                request,
                fault,
                lambda socket, wire: Conversation(desk, AURA, wire).serve(socket, query["model"]),
            )
        return await conversed(
            request,
            fault,
            lambda socket, wire: FluxStream(desk, FLUX, wire, query, _FLUX_SHAPES).serve(socket),
        )

    def _wrong_flux(self, request: web.Request) -> str:
        query = request.query
        what = self._desk.check_query(FLUX, request, {"model", "encoding", "sample_rate"}, _FLUX_OPTIONAL)
        if not what and (query["model"] != "@cf/deepgram/flux" or query["encoding"] != "linear16"):
            self._desk.wrong(FLUX, what := "only @cf/deepgram/flux with linear16 is there")
        if not what and not 0.5 <= float(query.get("eot_threshold", 0.7)) <= 0.9:
            self._desk.wrong(FLUX, what := "eot_threshold is out of range")
        return what

    def _wrong_aura(self, request: web.Request) -> str:
        query = request.query
        what = self._desk.check_query(AURA, request, {"model"}, {"speaker", "encoding", "sample_rate"})
        if not what and (query.get("encoding"), query.get("sample_rate")) != ("mulaw", "8000"):
            self._desk.wrong(AURA, what := "only mu-law at 8 kHz is simulated")
        return what

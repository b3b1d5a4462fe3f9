"""All simulated vendors on one port.

async with Vendors() as vendors:
    vendors.environment            what services read to find them, keys included
    vendors.desk.faults.plan("openai", Fault("rate_limited"))
    vendors.desk.protocol_errors   must stay empty

Over HTTP: ``GET /simulator`` (counts, protocol errors), ``POST /simulator/faults`` ({"vendor", "kind", "after",
"times"}; without "times" until the next one, without "kind" none any more).
"""

from __future__ import annotations

from aiohttp import web

from voxbus.devkit.served import Served
from voxbus.devkit.vendors.anthropic import AnthropicMessages
from voxbus.devkit.vendors.cloudflare_gateway import CloudflareGateway
from voxbus.devkit.vendors.contexts import Contexts
from voxbus.devkit.vendors.deepgram_aura import DeepgramAura
from voxbus.devkit.vendors.deepgram_flux import DeepgramFlux
from voxbus.devkit.vendors.deepgram_nova import DeepgramNova
from voxbus.devkit.vendors.desk import KEY, Desk
from voxbus.devkit.vendors.faults import KINDS, Fault
from voxbus.devkit.vendors.openai_chat import VENDORS, OpenAiChat
from voxbus.devkit.vendors.openai_speech import OpenAiSpeech
from voxbus.devkit.vendors.together_realtime import TogetherRealtime
from voxbus.devkit.vendors.together_speech import TogetherSpeech
from voxbus.devkit.vendors.transcriptions import VENDORS as TRANSCRIPTIONS
from voxbus.devkit.vendors.transcriptions import WHISPER, Transcriptions
from voxbus.devkit.vendors.workers_ai import WorkersAiRun

#: What is simulated of each service, by the name that the service's setting has.
SIMULATED = {
    "stt": ("deepgram-flux", "deepgram-nova", "cloudflare-flux", "together", *TRANSCRIPTIONS, WHISPER),
    "llm": (*VENDORS, "anthropic", "cloudflare", "cloudflare-native"),
    "tts": ("deepgram-aura", "cloudflare-aura", "together", "openai", "elevenlabs", "cartesia"),
}


#: Whose faults can be planned: a vendor's protocols have names of their own.
FAULTY = {name for names in SIMULATED.values() for name in names} | {
    "deepgram-aura-rest",
    "together-realtime",
    "together-speech",
    "openai-speech",
}

_VENDORS = (
    DeepgramFlux, DeepgramNova, CloudflareGateway, TogetherRealtime, Transcriptions,
    OpenAiChat, AnthropicMessages, WorkersAiRun,
    DeepgramAura, TogetherSpeech, OpenAiSpeech, Contexts,
)  # fmt: skip


class Vendors(Served):
    """``port``: 0 = a free one."""

    def __init__(self, desk: Desk | None = None, *, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(host, port)
        self.desk = desk or Desk()

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes([web.get("/simulator", self._state), web.post("/simulator/faults", self._fault)])
        for vendor in _VENDORS:
            app.add_routes(vendor(self.desk).routes())
        return app

    @property
    def environment(self) -> dict[str, str]:
        """Base URLs and keys of all of them."""
        urls = {f"{name.upper()}_BASE_URL": self.url + path for name, path in VENDORS.items()}
        keys = {
            f"{name}_API_KEY": KEY
            for name in ("DEEPGRAM", "OPENAI", "TOGETHER", "GROQ", "ANTHROPIC", "ELEVENLABS", "CARTESIA")
        }
        return {
            **urls,
            **keys,
            "DEEPGRAM_BASE_URL": f"{self.url}/deepgram",
            "ELEVENLABS_BASE_URL": f"{self.url}/elevenlabs/v1",
            "CARTESIA_BASE_URL": f"{self.url}/cartesia",
            "ANTHROPIC_BASE_URL": f"{self.url}/anthropic/v1",
            "CLOUDFLARE_BASE_URL": f"{self.url}/cloudflare",
            "CLOUDFLARE_GATEWAY_URL": f"{self.url}/cloudflare-gateway",
            "CLOUDFLARE_ACCOUNT_ID": "simulated-account",
            "CLOUDFLARE_API_TOKEN": KEY,
            "CLOUDFLARE_GATEWAY": "simulated-gateway",
        }

    async def _state(self, _request: web.Request) -> web.Response:
        return web.json_response(
            {"counts": dict(self.desk.counts), "protocol_errors": self.desk.protocol_errors}
        )

    async def _fault(self, request: web.Request) -> web.Response:
        asked = await request.json()
        vendor, kind = asked.get("vendor"), asked.get("kind")
        if vendor not in FAULTY:
            return web.json_response({"error": f"vendor: one of {', '.join(sorted(FAULTY))}"}, status=400)
        if kind is None:
            self.desk.faults.always(vendor, None)
            return web.json_response({})
        if kind not in KINDS:
            return web.json_response({"error": f"kind: one of {', '.join(KINDS)}"}, status=400)
        fault = Fault(kind, after=int(asked.get("after", 0)))
        if times := int(asked.get("times", 0)):
            self.desk.faults.plan(vendor, *[fault] * times)
        else:
            self.desk.faults.always(vendor, fault)
        return web.json_response({})

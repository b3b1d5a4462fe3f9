"""One call, as the carrier lives through it.

ring -> voice URL -> verbs ... <Connect><Stream> -> our side closes -> next verb ... -> end
                                    |
                                    every 20 ms:  buffer -> ear,  mouth + echo -> media
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from typing import assert_never
from urllib.parse import urljoin

import httpx
import numpy as np

from voxbus.common.audio import FRAME_BYTES, FRAME_MS, mulaw_decode, mulaw_encode
from voxbus.common.providers.tls import context
from voxbus.devkit.carrier import core_twiml as twiml
from voxbus.devkit.carrier.core_buffer import SILENCE, Played
from voxbus.devkit.carrier.core_line import Line
from voxbus.devkit.carrier.handset import Detectable, Handset, Party
from voxbus.devkit.carrier.notices import Notices
from voxbus.devkit.carrier.plan import CallPlan
from voxbus.devkit.carrier.recording import Recording
from voxbus.devkit.carrier.result import CallResult, Debugger, EndedBy, Executed
from voxbus.devkit.carrier.stream import CLOSED, LOST, Ending, MediaStream, StreamFailed
from voxbus.devkit.carrier.webhooks import RetrievalError, Webhooks

#: Documents that redirect in a circle would keep the call for ever.
_MAX_VERBS = 100

_QUIET = np.zeros(FRAME_BYTES, dtype=np.int16)
_NOTHING = Played(SILENCE * FRAME_BYTES, 0, ())

_Verbs = deque[tuple[twiml.Verb, str]]
"""Verbs that are still to run, each with the URL of its document."""


class Call:
    """``run`` once. ``result`` can be read while the call lasts, and after a script that failed."""

    def __init__(self, plan: CallPlan, http: httpx.AsyncClient) -> None:
        self._plan = plan
        self._recording = Recording()
        sid = plan.call_sid or "CA" + secrets.token_hex(16)
        self.result = CallResult(sid, self._recording, Debugger(self._recording))
        self._webhooks = Webhooks(http, plan.auth_token, plan.route)
        self._notices = Notices(plan, self._webhooks, self.result)
        self._stream: MediaStream | None = None
        self._on_the_line = asyncio.Event()
        self._cut = asyncio.Event()  # the application wants it to end
        self._detour: tuple[str, twiml.Method] | None = None

    async def run(self, party: Party) -> CallResult:
        """Rings, and lets ``party`` hold the call. Raises what came out of the party, after the call has ended."""
        self._notices.call("initiated", "initiated")
        self._notices.call("ringing", "ringing")
        if self._plan.direction != "inbound" and not await self._ring():
            return self.result
        try:
            verbs = await self._fetch(self._plan.voice_url, self._plan.voice_method)
        except (RetrievalError, twiml.TwimlError) as error:
            self.result.debugger.add(error.code, str(error))
            await self._finish("carrier")
            return self.result
        if self._plan.direction == "inbound":
            self._notices.call("answered", "in-progress")
        await self._talk(verbs, party)
        return self.result

    def hang_up(self) -> None:
        """What the application may do over the REST API at any time."""
        self._cut.set()

    async def redirect(self, url: str, method: twiml.Method) -> None:
        """The application has another document: what runs is dropped, a media stream is stopped."""
        self._detour = (url, method)
        await self._close_stream()

    async def _ring(self) -> bool:
        """Whether somebody answers."""
        try:
            await asyncio.wait_for(self._cut.wait(), self._plan.ring_s)
        except TimeoutError:
            if self._plan.fate == "answers":
                self._notices.call("answered", "in-progress")
                return True
            await self._finish("carrier", self._plan.fate)
        else:
            await self._finish("application", "canceled")
        return False

    async def _talk(self, verbs: _Verbs, party: Party) -> None:
        handset = Handset(self._recording)
        talk = asyncio.create_task(party.talk(handset))
        talk.add_done_callback(lambda _: handset.hang_up())
        control = asyncio.create_task(self._control(verbs))
        clock = asyncio.create_task(self._clock(handset))
        hung_up = asyncio.create_task(handset.hung_up.wait())
        cut = asyncio.create_task(self._cut.wait())
        detect = asyncio.create_task(self._detect(party))
        ended_by: EndedBy = "carrier"
        waiting = (control, clock, hung_up, cut)
        try:
            limit_s = self._plan.time_limit_s
            done, _ = await asyncio.wait(waiting, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
            if clock in done:
                await clock  # it never ends by itself: this raises what broke it
            if control in done:
                ended_by = await control
            elif hung_up in done:
                ended_by = "caller"
            elif cut in done:
                ended_by = "application"
        except asyncio.CancelledError:
            talk.cancel()
            raise
        finally:
            for task in (*waiting, detect):
                task.cancel()
            await asyncio.gather(*waiting, detect, return_exceptions=True)
            await self._close_stream()
            handset.end()
            await self._finish(ended_by)
        await talk

    async def _detect(self, party: Party) -> None:
        """Answering-machine detection, beside the conversation."""
        if self._plan.amd_url and isinstance(party, Detectable):
            start = time.perf_counter()
            verdict = await party.verdict(self._plan.detection)
            self._notices.answered_by(verdict, (time.perf_counter() - start) * 1000)

    async def _clock(self, handset: Handset) -> None:
        """Moves everything on by a frame every 20 ms of real time; late frames follow at once, none is left out.

        The first frame of the call is the first of its first stream.
        """
        line = Line(self._plan.line)
        await self._on_the_line.wait()
        self._recording.begin()
        start = time.perf_counter()
        frame = 0
        while True:
            due_s = start + frame * FRAME_MS / 1000 - time.perf_counter()
            await asyncio.sleep(max(due_s, handset.stalled_ms() / 1000, 0.0))
            frame += 1
            stream = self._stream
            played = _NOTHING if stream is None else stream.play()
            keys = handset.pressed(audible=self._plan.line.tones)
            agent = mulaw_decode(played.audio) if played.agent_bytes else _QUIET
            caller = line.mix(handset.next_frame(), agent)
            self._recording.add(caller, agent, agent_queued=played.agent_bytes > 0)
            if stream is not None:  # what is said or pressed between two streams is lost
                await stream.frame(mulaw_encode(caller), played.marks)
                for digit in keys:
                    await stream.press(digit)
            handset.heard(agent)

    async def _control(self, verbs: _Verbs) -> EndedBy:
        """Runs verb after verb. Returns who ended the call."""
        try:
            while verbs or self._detour is not None:
                if self._detour is not None:
                    (url, method), self._detour = self._detour, None
                    verbs = await self._fetch(url, method)
                    continue
                if len(self.result.verbs) >= _MAX_VERBS:
                    raise twiml.TwimlError(12200, "the documents redirect in a circle")
                verb, source = verbs.popleft()
                self.result.verbs.append(Executed(type(verb).__name__, source, self._recording.now_ms))
                match verb:
                    case twiml.Connect():
                        if await self._connect(verb.stream) == "lost" and self._plan.on_loss == "end_call":
                            return "connection"
                        if verb.action and self._detour is None:
                            verbs = await self._fetch(urljoin(source, verb.action), verb.method)
                    case twiml.Redirect():
                        verbs = await self._fetch(urljoin(source, verb.url), verb.method)
                    case twiml.Dial():
                        self.result.dialled.append(verb.number)
                        if verb.action:
                            url = urljoin(source, verb.action)
                            verbs = await self._fetch(url, verb.method, {"DialCallStatus": "completed"})
                    case twiml.Say():
                        self.result.said.append(verb.text)
                    case twiml.Pause():
                        self._on_the_line.set()
                        await asyncio.sleep(verb.length_s)
                    case twiml.Hangup():
                        return "application"
                    case _:
                        assert_never(verb)
        except (RetrievalError, twiml.TwimlError) as error:
            self.result.debugger.add(error.code, str(error))
            return "carrier"
        return "application"

    async def _connect(self, verb: twiml.Stream) -> Ending:
        """Holds a media stream until it ends. A handshake that fails counts as a loss."""
        stream = MediaStream(
            verb, self._plan.account_sid, self.result.call_sid, self._recording, self.result.debugger
        )
        self.result.stream_sids.append(stream.sid)
        slash = self._plan.sign_trailing_slash
        try:
            await stream.open(self._plan.auth_token, self._plan.route, sign_trailing_slash=slash)
        except StreamFailed as failure:
            self.result.debugger.add(failure.code, str(failure))
            self._notices.stream(verb, stream.sid, "stream-error", failure.code)
            return "lost"
        self._notices.stream(verb, stream.sid, "stream-started")
        self._stream = stream
        self._on_the_line.set()
        ending = await stream.run()
        if ending == "stopped":
            return ending  # by us, and told already
        self._stream = None
        if ending == "lost":
            self.result.debugger.add(LOST, "the application dropped the connection")
            self._notices.stream(verb, stream.sid, "stream-error", LOST)
        else:
            # Logged for an intended close as well: closing is how the next verb is reached.
            self.result.debugger.add(CLOSED, "the application closed the connection")
            self._notices.stream(verb, stream.sid, "stream-stopped")
        return ending

    async def _close_stream(self) -> None:
        """The call ends on the carrier's side while a stream is open."""
        if self._stream is not None:
            stream, self._stream = self._stream, None
            await stream.stop()
            self._notices.stream(stream.verb, stream.sid, "stream-stopped")

    async def _fetch(self, url: str, method: twiml.Method, more: dict[str, str] | None = None) -> _Verbs:
        document = await self._webhooks.request(url, method, self._notices.form() | (more or {}))
        return deque((verb, url) for verb in twiml.parse(document))

    async def _finish(self, ended_by: EndedBy, status: str = "completed") -> None:
        self.result.ended_by = ended_by
        self._notices.call("completed", status)
        await self._notices.sent()


class Carrier:
    """Places calls that share one HTTP client.

    async with Carrier() as carrier:
        result = await carrier.call(CallPlan(voice_url=..., auth_token=...), party)
    """

    async def __aenter__(self) -> Carrier:
        self._http = httpx.AsyncClient(trust_env=False, verify=context(), timeout=None)  # noqa: S113 - Webhooks limits each request
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    def prepare(self, plan: CallPlan) -> Call:
        return Call(plan, self._http)

    async def call(self, plan: CallPlan, party: Party) -> CallResult:
        return await self.prepare(plan).run(party)

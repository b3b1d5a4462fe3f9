"""The LLM worker: takes ``started`` and ``utterance`` jobs, writes ``sentence``s and what follows from them."""

from __future__ import annotations

import asyncio
import time
from typing import assert_never

from voxbus.common.bus import Bus, Follower, Job, JobRunner, Peers
from voxbus.common.events import Event, Started, Stored, Utterance
from voxbus.common.fold import CallState, fold
from voxbus.common.logs import get_logger
from voxbus.common.providers.breaker import Breakers
from voxbus.common.speech import spoken
from voxbus.llm import metrics
from voxbus.llm.answering import Answering
from voxbus.llm.asking import Asking
from voxbus.llm.core_turn import GREETING_DELAY_S, NEVER_AGAIN, Ask, Listen, Say, Skip, decide
from voxbus.llm.limits import Limits
from voxbus.llm.listening import Listening
from voxbus.llm.live import KINDS, LiveTurn, LiveTurns
from voxbus.llm.providers import Providers
from voxbus.llm.settings import LlmSettings
from voxbus.llm.tools import Environment, Toolbox, ToolRounds
from voxbus.llm.wish import Wish
from voxbus.llm.work import through
from voxbus.llm.writer import Overtaken, ReplyWriter

#: A reply is taken up again when the log changed under it; it does not change more often than this.
_ROUNDS = 4

log = get_logger(__name__)


class LlmService:
    def __init__(self, settings: LlmSettings, bus: Bus) -> None:
        self._bus = bus
        self._settings = settings
        self._providers = Providers(settings)
        first_s = settings.llm_first_token_ms / 1000
        limits = Limits(first_s=first_s, silence_s=first_s, reply_s=settings.llm_reply_ms / 1000)
        environment = Environment.of_worker(settings)
        declared = environment.declared(settings.agents_dir)
        self._toolbox = Toolbox(environment, declared, settings.llm_tool_max_bytes)
        self._tool_rounds = ToolRounds(self._toolbox, settings.llm_tool_meanwhile_ms / 1000)
        breakers = Breakers()
        self._answering = Answering(
            Asking(self._providers, limits, breakers), self._tool_rounds, settings.llm_tool_rounds
        )
        self._listening = Listening(self._providers, limits, breakers)
        self._live = LiveTurns()
        self._warming: set[asyncio.Task[None]] = set()
        self._follower: Follower | None = None
        self._runner = JobRunner(
            bus, "llm", self._handle, capacity=settings.llm_turns, on_failure=self._failed
        )
        self._peers = Peers(bus, "llm", self._runner.leases)
        metrics.IN_WORK.set_function(lambda: len(self._live))

    async def start(self) -> None:
        log.info("providers", providers=",".join(self._providers.chain), why=self._settings.why)
        self._follower = await self._bus.follow(self._live.hear, KINDS)
        await self._peers.start()
        await self._runner.start()

    async def drain(self) -> None:
        """Replies that are being made are finished: they take less time than a drain has."""
        await self._peers.leave()
        await self._runner.drain(self._settings.drain_seconds)
        if self._follower is not None:
            await self._follower.close()
        for warming in tuple(self._warming):
            warming.cancel()
        await self._tool_rounds.close()
        await self._providers.close()

    async def _handle(self, job: Job) -> None:
        received_s = time.monotonic()
        event = job.event
        match event:
            case Started():
                live = self._live.enter(event.call, 1, 0)
                self._warming.add(task := asyncio.create_task(self._warm(event), name="warm"))
                task.add_done_callback(self._warming.discard)
            case Utterance():
                if event.backchannel:
                    metrics.SKIPPED.labels("backchannel").inc()
                    return
                live = self._live.enter(event.call, event.turn, event.attempt)
            case _:
                await job.refuse("no job for this worker")
                return
        try:
            async with Wish(self._bus, live, event if isinstance(event, Utterance) else None) as wish:
                await self._work(job, event, live, wish, received_s)
        finally:
            self._live.leave(live)

    async def _warm(self, started: Started) -> None:
        await self._providers.warm(started.agent.llm, time.monotonic())

    async def _work(
        self, job: Job, event: Started | Utterance, live: LiveTurn, wish: Wish, received_s: float
    ) -> None:
        """Decides, acts, and decides again when the log changed meanwhile."""
        begun: ReplyWriter | None = None
        for _ in range(_ROUNDS):
            news, live.news = live.news, 0
            events = await self._read(event.call, max(job.stored.sequence, news))
            wish.read(events)
            state = fold(events)
            decision = decide(event, state, time.time() - job.stored.time_s)
            if isinstance(decision, Skip | Listen):
                await self._stop(decision, begun)
                if isinstance(decision, Listen):
                    await self._listen(job, decision, state, live, wish)
                return
            assert state.started is not None
            if self._toolbox.refuses(agent := state.started.agent):
                decision = Say(
                    decision.turn, decision.attempt, agent.lines.no_capacity, hangup="misconfigured"
                )
            writer = begun = self._writer(event, decision, state, live, received_s)
            try:
                if await live.run(self._act(job, decision, state, live, writer, wish)):
                    if isinstance(decision, Ask) and writer.ended != "complete":
                        failed = Listen(decision.turn, decision.attempt, "answered")
                        await self._listen(job, failed, state, live, wish)
                    return
            except Overtaken:
                if job.lapsed:  # whoever holds the job now goes on with it
                    return
            else:
                metrics.STOPPED.inc()
        log.warning("a reply was given up: its log kept changing", call_sid=event.call, turn=live.turn)

    async def _read(self, call: str, at_least: int) -> list[Stored]:
        """The whole log as it is now; the event of sequence ``at_least`` is in it."""
        events = await self._bus.read_log(call)
        if not any(stored.sequence == at_least for stored in events):
            # A replica that is behind answered; asked for this sequence it is asked until it has it.
            events = await self._bus.read_log(call, through=at_least)
        return events

    async def _stop(self, decision: Skip | Listen, begun: ReplyWriter | None) -> None:
        why = decision.reason if isinstance(decision, Skip) else decision.why
        metrics.SKIPPED.labels(why).inc()
        if begun is not None and why == "superseded":
            await begun.end("cancelled")

    async def _listen(self, job: Job, listen: Listen, state: CallState, live: LiveTurn, wish: Wish) -> None:
        """The call goes on meanwhile, or is over: nothing that is heard of it stops this."""
        assert state.started is not None
        if wish.listed:
            return
        sure = _is_certain(state, listen.turn, live)
        if (sure or await through(job, live, state.started.agent)) and await self._listening.hears(
            job, listen, state
        ):
            wish.note(certain=True)

    def _writer(
        self, event: Event, decision: Say | Ask, state: CallState, live: LiveTurn, received_s: float
    ) -> ReplyWriter:
        assert state.started is not None
        turn = state.turns.get(decision.turn)
        sentences = turn.sentences if turn is not None else {}
        published = [sentences[index].event.text for index in range(len(sentences)) if index in sentences]
        meanwhile = frozenset(index for index, said in sentences.items() if said.event.meanwhile)
        agent = state.started.agent
        notice = spoken(decision.notice, agent.language)
        return ReplyWriter(
            self._bus, live, event.trace, agent.voice, published, meanwhile, received_s, notice
        )

    async def _act(
        self,
        job: Job,
        decision: Say | Ask,
        state: CallState,
        live: LiveTurn,
        writer: ReplyWriter,
        wish: Wish,
    ) -> None:
        match decision:
            case Say():
                await self._say(job, decision, state, live, writer, wish)
            case Ask():
                await self._answering.answer(job, decision, state, live, writer, wish)
            case _:
                assert_never(decision)

    async def _say(
        self, job: Job, say: Say, state: CallState, live: LiveTurn, writer: ReplyWriter, wish: Wish
    ) -> None:
        """A line of the agent's own. What of it is in the log already was said by whoever had the job before."""
        assert state.started is not None
        # Clocks of two machines differ; the delay never grows by that.
        delay_s = min(say.at_s - time.time(), GREETING_DELAY_S)
        if delay_s > 0:
            job.progress(for_s=delay_s + 1.0)
            await asyncio.sleep(delay_s)
        if say.hangup == NEVER_AGAIN:
            wish.note(certain=_is_certain(state, say.turn, live))
        await writer.give_notice()
        said = len(writer.own)
        for text in spoken(say.line, state.started.agent.language)[said:]:
            job.progress()
            await writer.say(text)
        hangs_up = bool(say.hangup)
        if say.hangup == NEVER_AGAIN and (
            hangs_up := _is_certain(state, say.turn, live) or await through(job, live, state.started.agent)
        ):
            await wish.kept()
        if hangs_up:
            await writer.hang_up(say.hangup)
        await writer.end("complete")

    @staticmethod
    def _failed(job: Job, error: Exception) -> None:
        metrics.JOB_FAILURES.inc()
        log.exception("a job failed and was handed over", error, call_sid=job.event.call)


def _is_certain(state: CallState, turn: int, live: LiveTurn) -> bool:
    """Whether the caller is through: the words of ``turn`` are no guess any more."""
    return state.turns[turn].confirmed or state.ended is not None or live.confirmed.is_set()

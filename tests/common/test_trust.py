"""What each login may do on a real server, and above all what it may not."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import stat
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nats.errors
import nats.js.errors
import pytest
import trustme

from voxbus.common import subjects
from voxbus.common.agents import Agent
from voxbus.common.bus import Bus, BusConfig
from voxbus.common.bus.__main__ import set_up
from voxbus.common.bus.config import Tls
from voxbus.common.codec import AudioIn, encode, pack, unpack_audio_in
from voxbus.common.errors import BusUnavailable, LoginRefused, SettingsError, SubjectRefused
from voxbus.common.events import Attached, Started, Stored, Utterance
from voxbus.common.publishers import PUBLISHERS
from voxbus.common.trust.files import key_file, write
from voxbus.common.trust.nats_conf import ServerTls
from voxbus.common.trust.rights import LOGINS, RIGHTS, SETUP, may_publish, may_subscribe

if TYPE_CHECKING:
    from voxbus.devkit.nats_server import NatsServer

#: How long something may take to arrive that must not arrive.
SOON_S = 0.3
PATIENCE_S = 30.0


class Place:
    """A server with logins. ``bus(login)`` connects; what the server refused is in ``refused`` of that login."""

    def __init__(self, server: NatsServer, directory: Path) -> None:
        self.server = server
        self.directory = directory
        self.refused: dict[str, list[str]] = {login: [] for login in LOGINS}
        self._open: dict[str, Bus] = {}

    def config(self, login: str) -> BusConfig:
        return BusConfig(
            url=self.server.url,
            nkey_file=key_file(self.directory, login),
            inbox_prefix=subjects.inbox_of(login),
        )

    async def bus(self, login: str) -> Bus:
        if login not in self._open:
            self._open[login] = await Bus.connect(self.config(login), on_problem=self._problem(login))
        return self._open[login]

    def _problem(self, login: str) -> Callable[[str, Exception | None], None]:
        def on_problem(_what: str, error: Exception | None) -> None:
            if isinstance(error, SubjectRefused):
                self.refused[login].append(str(error))

        return on_problem

    async def close(self) -> None:
        for bus in self._open.values():
            await bus.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[NatsServer, Path]]:
    nats = pytest.importorskip("voxbus.devkit.nats_server", reason="the devkit brings the NATS server")
    directory = tmp_path_factory.mktemp("trust")
    running = nats.NatsServer(directory / "store", config=write(directory))
    running.start()
    yield running, directory
    running.stop()


@pytest.fixture
async def place(server: tuple[NatsServer, Path]) -> AsyncIterator[Place]:
    place = Place(*server)
    await set_up(place.config(SETUP))
    yield place
    await place.close()


def started(sid: str, agent: Agent) -> Started:
    return Started(call=sid, stream_sid="MZ1", session="", direction="inbound", agent=agent)


def utterance(sid: str, holder: int = 0) -> Utterance:
    return Utterance(
        call=sid,
        turn=2,
        attempt=0,
        holder=holder,
        text="hello",
        start_media_ms=0,
        end_media_ms=1,
        ended_by="silence",
    )


async def ask(bus: Bus, subject: str, body: object, reply: str = "") -> dict[str, Any] | None:
    """The answer to a question to JetStream, or nothing. With ``reply`` it is sent there, and we see none."""
    data = json.dumps(body).encode()
    if reply:
        await bus.control.publish(subject, data, reply=reply)
        await bus.control.flush()
        return None
    try:
        answer = await bus.control.request(subject, data, timeout=SOON_S)
    except (nats.errors.TimeoutError, nats.errors.NoRespondersError):
        return None
    return dict(json.loads(answer.data)) if answer.data else None


async def all_refused(place: Place, login: str, questions: Iterable[tuple[str, object]]) -> list[str]:
    """What the server refused, once none of the questions, which are all asked at once, has an answer."""
    bus, asked = await place.bus(login), list(questions)
    answers = await asyncio.gather(*(ask(bus, subject, body) for subject, body in asked))
    assert {subject: answer for (subject, _), answer in zip(asked, answers, strict=True) if answer} == {}
    async with asyncio.timeout(PATIENCE_S):
        while len(place.refused[login]) < len(asked):
            await asyncio.sleep(0.01)
    return place.refused[login]


async def listen(bus: Bus, subject: str) -> list[bytes]:
    heard: list[bytes] = []

    async def receive(message: Any) -> None:
        heard.append(message.data)

    await bus.control.subscribe(subject, cb=receive)
    await bus.control.flush()
    return heard


# What a login is for works. Whole calls, kills and takeovers run with logins in tests/e2e.


async def test_audio_goes_from_the_gateway_to_stt_and_from_tts_to_the_gateway(place: Place, sid: str) -> None:
    gateway, stt, tts = [await place.bus(name) for name in ("gateway", "stt", "tts")]
    came: asyncio.Queue[bytes] = asyncio.Queue()
    await stt.audio.subscribe(subjects.audio_in(sid), came.put_nowait)
    await gateway.audio.subscribe(subjects.audio_out(sid), came.put_nowait)
    gateway.audio.publish(subjects.audio_in(sid), b"caller")
    tts.audio.publish(subjects.audio_out(sid), b"agent")
    async with asyncio.timeout(PATIENCE_S):
        assert {await came.get(), await came.get()} == {b"caller", b"agent"}


async def test_the_gateway_answers_stt_and_tts(place: Place, sid: str) -> None:
    gateway, stt, tts = [await place.bus(name) for name in ("gateway", "stt", "tts")]
    frames = [pack(AudioIn(n, n * 20, 0, 0, b"\xff" * 160)) for n in range(2250)]
    await gateway.audio.serve(subjects.audio_replay(sid), lambda request: frames[int(request) :])
    await gateway.audio.answer(subjects.audio_wanted(sid), lambda request: request * 2)
    await gateway.audio._client.flush()
    got: list[bytes] = []
    for _ in range(3):  # a right to answer that is used up would show
        assert await stt.audio.request_many(subjects.audio_replay(sid), got.append, request=b"0") == 2250
    assert unpack_audio_in(got[-1]).sequence == 2249
    assert await tts.audio.ask(subjects.audio_wanted(sid), b"1") == b"11"


async def test_stt_asks_stt_who_holds_a_call_and_tells_the_gateway_what_it_hears(
    place: Place, sid: str
) -> None:
    gateway, stt = await place.bus("gateway"), await place.bus("stt")
    other = await Bus.connect(place.config("stt"))
    await other.answer(subjects.holder(sid), lambda _: b"17")
    await other.control.flush()
    await other.control.flush()
    assert await stt.ask(subjects.holder(sid), b"", PATIENCE_S) == b"17"
    await stt.audio.answer(subjects.audio_reached(sid), lambda _: b"18")
    assert await gateway.audio.ask(subjects.audio_reached(sid), b"", PATIENCE_S) == b"18"
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    await gateway.audio.subscribe(subjects.partial(sid), heard.put_nowait)
    stt.audio.publish(subjects.partial(sid), b"hel")
    assert await asyncio.wait_for(heard.get(), PATIENCE_S) == b"hel"
    await other.close()


async def test_workers_tell_the_scheduler_and_nobody_else_how_much_room_they_have(place: Place) -> None:
    scheduler, gateway = await place.bus("scheduler"), await place.bus("gateway")

    async def tell(worker: str) -> None:
        bus, other = await place.bus(worker), await Bus.connect(place.config(worker))
        await bus.answer(subjects.capacity(worker), lambda _: b"2")
        await other.answer(subjects.capacity(worker), lambda _: b"3")
        for _ in range(2):  # a right to answer that is used up would show
            async with aclosing(scheduler.ask_all(subjects.capacity(worker), b"", PATIENCE_S)) as answers:
                assert {await anext(answers), await anext(answers)} == {b"2", b"3"}
        assert [answer async for answer in gateway.ask_all(subjects.capacity(worker), b"", SOON_S)] == []
        await other.close()

    await asyncio.gather(*map(tell, subjects.WORKERS))


def _echo(answer: bytes, _question: bytes) -> bytes:
    return answer


async def test_only_the_operator_has_recordings_removed(place: Place) -> None:
    """And every gateway answers for its own disk."""
    gateways = [await place.bus("gateway"), await place.bus("gateway")]
    for number, gateway in enumerate(gateways):
        answer = str(number).encode()
        await gateway.answer(subjects.REMOVE_RECORDINGS, partial(_echo, answer))
    operator = await place.bus("operator")
    async with aclosing(operator.ask_all(subjects.REMOVE_RECORDINGS, b"", PATIENCE_S)) as answers:
        assert {await anext(answers), await anext(answers)} == {b"0", b"1"}
    for login in ("scheduler", "reporter", "stt", "gateway"):
        other = await place.bus(login)
        assert [answer async for answer in other.ask_all(subjects.REMOVE_RECORDINGS, b"", SOON_S)] == []


async def test_a_question_that_no_gateway_answers_fails_at_once(
    place: Place, new_sid: Callable[[], str]
) -> None:
    stt = await place.bus("stt")
    with pytest.raises(BusUnavailable, match="nobody serves"):
        await stt.audio.request_many(subjects.audio_replay(new_sid()), lambda _: None, timeout_s=5)


async def test_nothing_that_a_service_is_for_is_refused(place: Place, sid: str, agent: Agent) -> None:
    gateway, stt, tts, reporter, scheduler, operator = [
        await place.bus(name) for name in ("gateway", "stt", "tts", "reporter", "scheduler", "operator")
    ]
    await scheduler.contexts.put(subjects.context_of_session("s1"), b"1")
    assert await gateway.contexts.get(subjects.context_of_session("s1")) == b"1"
    await gateway.contexts.put(subjects.context_of_call(sid), b"2")
    await gateway.contexts.put(subjects.phone_of_call(sid), b"2")
    await gateway.tokens.put("token", b"3")
    assert await gateway.tokens.take("token") == b"3"
    seen: list[str] = []
    watch = await tts.agents.watch(lambda key, _: seen.append(key))
    await gateway.agents.put("one", b"4")
    assert await scheduler.agents.get("one") == b"4"
    assert "one" in await scheduler.agents.keys()
    await tts.clips.put("clip", b"5")
    assert await gateway.clips.get("clip") == b"5"
    live: list[Stored] = []
    log = await stt.open_log(sid, live.append)
    last = await gateway.append(started(sid, agent))
    holder = await stt.append(Attached(call=sid, worker="w", nonce="n"))
    assert [stored.sequence for stored in await tts.read_log(sid, through=holder)] == [last, holder]
    await reporter.archive(sid, await reporter.read_log(sid))
    await reporter.lost_reports.put(sid, b"{}")
    assert sid in await operator.lost_reports.keys()
    await operator.lost_reports.delete(sid)
    await operator.purge_log(sid, through=holder)
    assert len(await scheduler.read_archive(sid)) == 2
    async with asyncio.timeout(PATIENCE_S):
        while len(live) < 2 or seen[-1:] != ["one"]:
            await asyncio.sleep(0.01)
    await log.close()
    await watch.close()
    assert place.refused == {login: [] for login in LOGINS}


# What a login is not for does not.


async def test_tts_cannot_hear_a_caller(place: Place, sid: str) -> None:
    gateway, stt, tts = [await place.bus(name) for name in ("gateway", "stt", "tts")]
    expected: asyncio.Queue[bytes] = asyncio.Queue()
    await stt.audio.subscribe(subjects.audio_in(sid), expected.put_nowait)
    await gateway.audio.serve(subjects.audio_replay(sid), lambda _: [b"caller"])
    heard = [
        await listen(tts, subject)
        for subject in (subjects.audio_in(sid), subjects.audio_in(), "call.>", ">", "_R_.>", "_INBOX.stt.>")
    ]
    gateway.audio.publish(subjects.audio_in(sid), b"caller")
    assert await stt.audio.request_many(subjects.audio_replay(sid), lambda _: None) == 1
    with pytest.raises(BusUnavailable):
        await tts.audio.request_many(subjects.audio_replay(sid), lambda _: None, timeout_s=SOON_S)
    assert await asyncio.wait_for(expected.get(), PATIENCE_S) == b"caller"
    await asyncio.sleep(SOON_S)
    assert heard == [[]] * len(heard)
    assert "subscription call.*.audio.in" in place.refused["tts"]
    assert "publish call.*.audio.replay" in place.refused["tts"]


@pytest.mark.parametrize("login", ["stt", "llm", "tts", "reporter", "scheduler", "operator"])
async def test_nobody_but_the_gateway_starts_a_call(
    place: Place, login: str, new_sid: Callable[[], str], agent: Agent
) -> None:
    sid = new_sid()
    bus = await place.bus(login)
    with pytest.raises(BusUnavailable):
        await bus.log.append(started(sid, agent), timeout_s=0.1)
    assert place.refused[login][-1] == "publish call.*.event.started.>"
    assert await (await place.bus("gateway")).read_log(sid) == []


@pytest.mark.parametrize("login", [login for login in LOGINS if login not in PUBLISHERS["utterance"]])
async def test_nobody_but_stt_publishes_an_utterance(place: Place, login: str, sid: str) -> None:
    bus = await place.bus(login)
    with pytest.raises(BusUnavailable):
        await bus.log.append(utterance(sid), timeout_s=0.1)
    assert await (await place.bus("stt")).read_log(sid) == []


def forged(sid: str, agent: Agent) -> bytes:
    """Bytes that are a sentence for whoever lets LLM workers write, and the start of a call for whoever reads."""
    return encode(started(sid, agent))


@pytest.mark.parametrize("into", ["started", "context", "agent", "log", "caller"])
async def test_an_answer_of_jetstream_goes_nowhere_but_to_who_asked(
    place: Place, into: str, new_sid: Callable[[], str], agent: Agent
) -> None:
    """A worker asks for a message of its own making, to be sent where it may not publish."""
    sid = new_sid()
    gateway, llm, stt = [await place.bus(name) for name in ("gateway", "llm", "stt")]
    target = {
        "started": subjects.event(sid, "started", "0"),
        "context": subjects.value_of(subjects.CONTEXTS, subjects.context_of_call(sid)),
        "agent": subjects.value_of(subjects.AGENTS, "forged"),
        "log": subjects.log_of(sid, "hangup_requested").replace(">", "1"),
        "caller": subjects.audio_in(sid),
    }[into]
    live: list[Stored] = []
    following = await gateway.open_log(sid, live.append)
    audio: list[bytes] = []
    await stt.audio.subscribe(subjects.audio_in(sid), audio.append)
    own = subjects.event(sid, "sentence", "1.0.0")
    stored = await llm.control.request(own, forged(sid, agent), timeout=PATIENCE_S)
    assert b'"seq"' in stored.data
    await ask(llm, subjects.direct_get("CALLS"), {"last_by_subj": own}, reply=target)
    await ask(llm, subjects.direct_get("CALLS"), {"multi_last": [own], "batch": 1}, reply=target)
    # A pull delivers a job, with the bytes of who wrote it.
    for next_job in (subjects.next_job("CALLS", "llm"), subjects.next_job("CALLS", "tts")):
        await ask(llm, next_job, {"batch": 1, "expires": 10**8}, reply=target)
    await asyncio.sleep(SOON_S)
    assert await gateway.read_log(sid, kinds=("started",)) == []
    assert await gateway.contexts.get(subjects.context_of_call(sid)) is None
    assert await gateway.agents.get("forged") is None
    assert [event.event.kind for event in live] == []  # not even the sentence, which is none
    assert audio == []
    await following.close()


_CONSUMER = {
    "stream_name": "CALLS",
    "config": {"name": "mine", "filter_subject": "call.*.event.utterance.>", "ack_policy": "none"},
}


@pytest.mark.parametrize("login", RIGHTS)
async def test_no_service_makes_or_takes_away_streams_and_consumers(place: Place, login: str) -> None:
    other = "llm" if login == "tts" else "tts"
    everything: tuple[tuple[str, object], ...] = (
        ("CONSUMER.CREATE.CALLS", _CONSUMER),
        ("CONSUMER.CREATE.CALLS.mine", _CONSUMER),
        ("CONSUMER.CREATE.CALLS.mine.call.*.event.utterance.>", _CONSUMER),
        ("CONSUMER.DURABLE.CREATE.CALLS.mine", _CONSUMER),
        (
            "CONSUMER.CREATE.KV_agents.mine.$KV.agents.>",
            {"stream_name": "KV_agents", "config": {"name": "mine"}},
        ),
        (f"CONSUMER.DELETE.CALLS.{other}", {}),
        (f"CONSUMER.MSG.NEXT.CALLS.{other}", {"batch": 1, "no_wait": True}),
        ("CONSUMER.LIST.CALLS", {}),
        ("STREAM.CREATE.MINE", {"name": "MINE", "subjects": ["call.*.audio.in"]}),
        ("STREAM.UPDATE.CALLS", {"name": "CALLS", "subjects": ["call.>"]}),
        ("STREAM.DELETE.CALLS", {}),
        ("STREAM.PURGE.KV_tokens", {}),
        ("STREAM.MSG.DELETE.CALLS", {"seq": 1}),
        ("STREAM.MSG.GET.CALLS", {"seq": 1}),
        ("STREAM.SNAPSHOT.CALLS", {"deliver_subject": f"_INBOX.{login}.x"}),
        ("STREAM.NAMES", {}),
    )
    asked = [(f"$JS.API.{verb}", body) for verb, body in everything]
    assert len(await all_refused(place, login, asked)) == len(everything)


@pytest.mark.parametrize("login", ["gateway", "stt", "llm", "tts", "scheduler"])
async def test_nobody_purges_but_who_delivers_reports(place: Place, login: str) -> None:
    assert await ask(await place.bus(login), subjects.stream_api("PURGE", "CALLS"), {}) is None
    assert place.refused[login] == ["publish $js.api.stream.purge.calls"]


async def test_a_key_takes_no_other_keys_away(place: Place, sid: str) -> None:
    """Not even with the header of NATS that makes a message the only one of its stream."""
    gateway, scheduler = await place.bus("gateway"), await place.bus("scheduler")
    keys = [subjects.context_of_call(sid), subjects.phone_of_call(sid)]
    for key in keys:
        await gateway.contexts.put(key, b"of the gateway")
    session = subjects.context_of_session("queued")
    await scheduler.contexts.put(session, b"of the scheduler")
    for bus, key in ((scheduler, session), (gateway, keys[0])):
        with pytest.raises(nats.js.errors.APIError):
            await bus.control.jetstream(timeout=5).publish(
                subjects.value_of(subjects.CONTEXTS, key), b"", headers={"Nats-Rollup": "all"}
            )
    assert [await gateway.contexts.get(key) for key in keys] == [b"of the gateway"] * 2
    assert await gateway.contexts.get(session) == b"of the scheduler"


@pytest.mark.parametrize("login", ["stt", "llm", "tts"])
async def test_a_worker_writes_nothing_else_that_is_stored(place: Place, login: str, sid: str) -> None:
    buckets = [bucket for bucket in subjects.BUCKETS if (login, bucket) != ("tts", subjects.CLIPS)]
    asked = [*(subjects.value_of(bucket, "mine") for bucket in buckets), subjects.archive(sid)]
    assert len(await all_refused(place, login, ((subject, {}) for subject in asked))) == len(asked)


@pytest.mark.parametrize("login", RIGHTS)
async def test_replies_to_others_are_not_heard(place: Place, login: str) -> None:
    spy = await place.bus(login)
    others = [other for other in RIGHTS if other != login]
    heard = [await listen(spy, f"{subjects.inbox_of(other)}.>") for other in others]
    for other in others:
        await (await place.bus(other)).check()
    await asyncio.sleep(SOON_S)
    assert heard == [[]] * len(others)
    assert len(place.refused[login]) == len(others)


async def test_a_job_is_taken_and_ended_by_its_own_kind_of_worker_only(place: Place) -> None:
    llm = await place.bus("llm")
    await llm.control.publish("$JS.ACK.CALLS.tts.1.1.1.1.0", b"+ACK")
    assert await ask(llm, subjects.next_job("CALLS", "tts"), {"batch": 1, "no_wait": True}) is None
    assert place.refused["llm"] == [
        "publish $js.ack.calls.tts.>",
        "publish $js.api.consumer.msg.next.calls.tts",
    ]


async def test_without_a_login_nobody_comes_in(place: Place) -> None:
    stranger = dataclasses.replace(place.config("stt"), nkey_file=None, connect_timeout_s=1)
    with pytest.raises(LoginRefused, match="NATS_NKEY_FILE"):
        await Bus.connect(stranger)


async def test_a_login_of_another_run_does_not_come_in(place: Place, tmp_path: Path) -> None:
    write(tmp_path)
    stranger = dataclasses.replace(place.config("stt"), nkey_file=key_file(tmp_path, "stt"))
    stranger = dataclasses.replace(stranger, connect_timeout_s=30)
    began = time.monotonic()
    with pytest.raises(LoginRefused, match="refuses this login"):
        await Bus.connect(stranger)
    assert time.monotonic() - began < stranger.connect_timeout_s, "one try is enough to know"


def test_a_secret_is_kept_and_nobody_else_reads_it(tmp_path: Path) -> None:
    first = write(tmp_path).read_text()
    assert write(tmp_path).read_text() == first
    for login in LOGINS:
        file = key_file(tmp_path, login)
        assert stat.S_IMODE(file.stat().st_mode) == 0o400
        assert file.read_text() not in first
    key_file(tmp_path, "tts").unlink()
    assert write(tmp_path).read_text() != first


@pytest.fixture
def tls_server(tmp_path: Path) -> Iterator[tuple[NatsServer, Path]]:
    nats = pytest.importorskip("voxbus.devkit.nats_server", reason="the devkit brings the NATS server")
    authority = trustme.CA()
    ours = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    ours.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    ours.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    tls = ServerTls(*(str(tmp_path / name) for name in ("cert.pem", "key.pem", "ca.pem")))
    running = nats.NatsServer(tmp_path / "store", config=write(tmp_path, tls=tls))
    running.start()
    yield running, tmp_path
    running.stop()


async def test_with_tls_both_sides_show_who_they_are(tls_server: tuple[NatsServer, Path]) -> None:
    place = Place(*tls_server)
    files = [place.directory / name for name in ("ca.pem", "cert.pem", "key.pem")]
    config = dataclasses.replace(place.config("operator"), tls=Tls(*files))
    await set_up(dataclasses.replace(place.config(SETUP), tls=Tls(*files)))
    bus = await Bus.connect(config)
    await bus.check()
    await bus.close()
    unknown = trustme.CA()
    unknown.cert_pem.write_to_path(str(place.directory / "other.pem"))

    async def refused(tls: Tls | None) -> None:
        with pytest.raises(BusUnavailable):
            await Bus.connect(dataclasses.replace(config, tls=tls, connect_timeout_s=1))

    wrong = (None, Tls(files[0]), Tls(place.directory / "other.pem", *files[1:]))
    await asyncio.gather(*map(refused, wrong))


async def test_who_wants_tls_says_nothing_to_a_server_without(place: Place) -> None:
    config = dataclasses.replace(place.config("stt"), tls=Tls(), connect_timeout_s=1)
    with pytest.raises(BusUnavailable):
        await Bus.connect(config)


def test_a_file_that_is_no_certificate_is_said(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nonsense")
    with pytest.raises(SettingsError, match="NATS_TLS_"):
        BusConfig(tls=Tls(tmp_path / "ca.pem")).options()


# The table itself.


def test_no_login_has_a_right_to_all_consumers() -> None:
    for login in LOGINS:
        for subject in may_publish(login):
            api = subject.startswith("$JS.API.")
            assert not (api and ("*" in subject or ">" in subject)), f"{login}: {subject}"
        assert ">" not in may_subscribe(login)


def test_each_event_is_written_by_those_who_decide_it() -> None:
    for kind, by in PUBLISHERS.items():
        filter_ = subjects.events_of("*", kind)
        writers = {login for login in RIGHTS if login != "operator" and filter_ in may_publish(login)}
        assert writers == set(by), kind


@pytest.mark.parametrize(
    ("subject", "shape"),
    [
        ("call.ca" + "1" * 32 + ".event.started.0", "call.*.event.started.>"),
        ("call.ca" + "1" * 32 + ".audio.in", "call.*.audio.in"),
        ("log.*.>", "log.*.>"),
        ("log.ca" + "1" * 32 + ".sentence.1.0.0", "log.*.sentence.>"),
        ("$js.api.direct.get.calls", "$js.api.direct.get.calls"),
        ("$js.api.direct.get.calls.call.ca" + "1" * 32 + ".>", "$js.api.direct.get.calls.call.*.>"),
        ("$js.ack.calls.stt.1.2.3", "$js.ack.calls.stt.>"),
        ("$kv.contexts.call.ca" + "1" * 32, "$kv.contexts.>"),
        ("archive.ca" + "1" * 32, "archive.*"),
        ("_inbox.stt.x.y", "_inbox.stt.>"),
        (">", ">"),
    ],
)
def test_a_refused_subject_is_told_without_the_call(subject: str, shape: str) -> None:
    assert subjects.shape_of(subject) == shape

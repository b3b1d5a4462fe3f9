"""The simulated vendors, spoken to by the vendors' own libraries: they do not merely agree with our clients.

An SDK that is not installed is skipped; ``make setup`` installs them all.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from voxbus.common.agent_files import load_agents, resolve
from voxbus.common.audio import mulaw_decode, mulaw_encode
from voxbus.devkit.speech import speak
from voxbus.devkit.vendors.desk import Desk
from voxbus.devkit.vendors.faults import Fault
from voxbus.devkit.vendors.mind import Mind
from voxbus.devkit.vendors.server import Vendors

AGENTS = load_agents(Path(__file__).parents[3] / "agents")
REMINDER = resolve(AGENTS["appointment_reminder"], {})
SAID = "yes that works"
TEXT = "Your appointment is confirmed."


@pytest.fixture
async def vendors() -> AsyncIterator[Vendors]:
    async with Vendors(Desk(mind=Mind(AGENTS.values()))) as made:
        made.desk.book.learn([speak(SAID)])
        yield made
        assert made.desk.protocol_errors == []


def pieces(audio: bytes, size: int = 640) -> Sequence[bytes]:
    return [audio[at : at + size] for at in range(0, len(audio), size)]


def mulaw() -> bytes:
    return mulaw_encode(speak(SAID).audio) + b"\xff" * 8000


# --- language models ----------------------------------------------------------------------------------------------


async def test_openai_chat(vendors: Vendors) -> None:
    openai = pytest.importorskip("openai")
    client = openai.AsyncOpenAI(base_url=f"{vendors.url}/openai/v1", api_key="k", max_retries=0)
    messages = [
        {"role": "system", "content": REMINDER.prompt},
        {"role": "user", "content": "No, thank you. Goodbye."},
    ]
    parameters = {"type": "object", "properties": {}}
    tool = {
        "type": "function",
        "function": {"name": "end_call", "description": "x", "parameters": parameters},
    }
    stream = await client.chat.completions.create(
        model="m", messages=messages, tools=[tool], stream=True, stream_options={"include_usage": True}
    )
    text = ""
    names: list[str] = []
    usage: Any = None
    finish: str | None = None
    async for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            names += [call.function.name for call in choice.delta.tool_calls or () if call.function.name]
            finish = choice.finish_reason or finish
    assert text.startswith("Thank you for your time.")
    assert (names, finish, usage.total_tokens) == (["end_call"], "tool_calls", 14)
    await client.close()


async def test_openai_refusals(vendors: Vendors) -> None:
    openai = pytest.importorskip("openai")
    client = openai.AsyncOpenAI(base_url=f"{vendors.url}/openai/v1", api_key="k", max_retries=0)
    vendors.desk.faults.plan("openai", Fault("quota"), Fault("unauthorized"))
    asked = {"model": "m", "messages": [{"role": "user", "content": "hello"}], "stream": True}
    with pytest.raises(openai.RateLimitError) as spent:
        await client.chat.completions.create(**asked)
    assert spent.value.code == "insufficient_quota"
    with pytest.raises(openai.AuthenticationError):
        await client.chat.completions.create(**asked)
    await client.close()


async def test_anthropic_messages(vendors: Vendors) -> None:
    anthropic = pytest.importorskip("anthropic")
    client = anthropic.AsyncAnthropic(base_url=f"{vendors.url}/anthropic", api_key="k", max_retries=0)
    tool = {"name": "end_call", "description": "x", "input_schema": {"type": "object", "properties": {}}}
    asked: dict[str, Any] = {
        "model": "m",
        "max_tokens": 100,
        "system": REMINDER.prompt,
        "messages": [{"role": "user", "content": "No, thank you. Goodbye."}],
        "tools": [tool],
    }
    async with client.messages.stream(**asked) as stream:
        message = await stream.get_final_message()
    words, call = message.content
    assert words.text.startswith("Thank you for your time.")
    assert (call.name, call.input, message.stop_reason) == ("end_call", {}, "tool_use")
    vendors.desk.faults.plan("anthropic", Fault("overloaded"))
    with pytest.raises(anthropic.APIStatusError) as overloaded:
        async with client.messages.stream(**asked):
            pass
    assert overloaded.value.status_code == 529
    await client.close()


# --- recognizers --------------------------------------------------------------------------------------------------


def deepgram_client(vendors: Vendors) -> Any:
    deepgram = pytest.importorskip("deepgram")
    environment = pytest.importorskip("deepgram.environment").DeepgramClientEnvironment
    url = f"{vendors.url}/deepgram"
    socket = url.replace("http", "ws", 1)
    return deepgram.AsyncDeepgramClient(
        api_key="k", environment=environment(base=url, production=socket, agent=socket, agent_rest=url)
    )


async def test_deepgram_flux(vendors: Vendors) -> None:
    client = deepgram_client(vendors)
    opened = client.listen.v2.connect(
        model="flux-general-en",
        encoding="mulaw",
        sample_rate=8000,
        eot_threshold=0.7,
        eager_eot_threshold=0.5,
    )
    events: list[str] = []
    async with asyncio.timeout(30), opened as connection:
        for piece in pieces(mulaw()):
            await connection.send_media(piece)
        async for message in connection:
            if message.type == "TurnInfo":
                events.append(message.event)
                transcript = message.transcript
                if message.event == "EndOfTurn":
                    break
        await connection.send_close_stream()
    assert (events[0], events[-1]) == ("StartOfTurn", "EndOfTurn")
    assert events.count("EagerEndOfTurn") == 1
    assert transcript == "Yes that works."


async def test_deepgram_nova(vendors: Vendors) -> None:
    client = deepgram_client(vendors)
    opened = client.listen.v1.connect(
        model="nova-3", encoding="mulaw", sample_rate=8000, interim_results="true", endpointing="false"
    )
    async with asyncio.timeout(30), opened as connection:
        await connection.send_keep_alive()
        for piece in pieces(mulaw()[:-6000]):
            await connection.send_media(piece)
        await connection.send_finalize()
        async for message in connection:
            if message.type == "Results" and message.from_finalize:
                break
        await connection.send_close_stream()
    assert message.is_final
    assert message.channel.alternatives[0].transcript == SAID


async def test_together_realtime(vendors: Vendors) -> None:
    together = pytest.importorskip("together")
    client = together.AsyncTogether(base_url=f"{vendors.url}/together/v1", api_key="k", max_retries=0)
    manager = client.beta.realtime.connect(
        model="openai/whisper-large-v3", input_audio_format="pcm_s16le_8000", turn_detection={"type": "none"}
    )
    async with asyncio.timeout(30), manager as connection:
        for piece in pieces(speak(SAID).audio.astype("<i2").tobytes()):
            await connection.input_audio_buffer.append(piece)
        await connection.input_audio_buffer.commit()
        async for event in connection:
            found = event if isinstance(event, dict) else event.model_dump()
            if found["type"].endswith(".completed"):
                break
    assert found["transcript"] == SAID
    await client.close()


async def test_openai_transcriptions(vendors: Vendors, tmp_path: Path) -> None:
    openai = pytest.importorskip("openai")
    transcribe = pytest.importorskip("voxbus.stt.providers.transcribe")
    file = tmp_path / "speech.wav"
    file.write_bytes(transcribe._wav(mulaw()))
    client = openai.AsyncOpenAI(base_url=f"{vendors.url}/openai/v1", api_key="k", max_retries=0)
    answer = await client.audio.transcriptions.create(model="m", file=file, language="en")
    assert answer.text == SAID
    await client.close()


# --- voices -------------------------------------------------------------------------------------------------------


async def test_deepgram_aura(vendors: Vendors) -> None:
    client = deepgram_client(vendors)
    text = pytest.importorskip("deepgram.speak.v1.types").SpeakV1Text
    opened = client.speak.v1.connect(model="aura-2-thalia-en", encoding="mulaw", sample_rate=8000)
    audio, told = b"", []
    async with asyncio.timeout(30), opened as connection:
        await connection.send_text(text(text=TEXT))
        await connection.send_flush()
        await connection.send_clear()
        async for message in connection:
            if isinstance(message, bytes):
                audio += message
            else:
                told.append(message.type)
                if message.type == "Cleared":
                    await connection.send_text(text(text=TEXT))
                    await connection.send_flush()
                if message.type == "Flushed":
                    break
        await connection.send_close()
    assert told[-1] == "Flushed"
    assert len(audio) > 8000


async def test_openai_speech(vendors: Vendors) -> None:
    openai = pytest.importorskip("openai")
    client = openai.AsyncOpenAI(base_url=f"{vendors.url}/openai/v1", api_key="k", max_retries=0)
    asked = {"model": "tts-1", "voice": "alloy", "input": TEXT, "response_format": "pcm"}
    async with client.audio.speech.with_streaming_response.create(**asked) as response:
        audio = b"".join([piece async for piece in response.iter_bytes()])
    assert len(audio) > 24000 * 2
    await client.close()


async def test_cartesia(vendors: Vendors) -> None:
    cartesia = pytest.importorskip("cartesia")
    socket = vendors.url.replace("http", "ws", 1)
    client = cartesia.AsyncCartesia(api_key="k", websocket_base_url=f"{socket}/cartesia", max_retries=0)
    connecting = client.tts.websocket_connect()
    audio = b""
    async with asyncio.timeout(30), connecting as connection:
        await connection.send(
            {
                "context_id": "c1",
                "model_id": "sonic-3.5",
                "transcript": TEXT,
                "voice": {"mode": "id", "id": "v"},
                "output_format": {"container": "raw", "encoding": "pcm_mulaw", "sample_rate": 8000},
                "continue": False,
                "max_buffer_delay_ms": 0,
            }
        )
        async for event in connection:
            if event.type == "done":
                break
            audio += base64.b64decode(event.data)
    assert len(mulaw_decode(audio)) > 8000
    await client.close()


def test_elevenlabs_messages() -> None:
    """Its SDK opens no such socket, but knows the messages."""
    types = pytest.importorskip("elevenlabs.types")
    dialect = pytest.importorskip("voxbus.tts.providers.elevenlabs").Contexts()
    shapes = (types.InitialiseContext, types.SendTextMulti, types.FlushContext, types.CloseContext)
    for shape, message in zip(shapes, dialect.begin(TEXT, 0.0), strict=True):
        read = shape.model_validate(json.loads(message))
        assert not read.model_extra
    audio = types.AudioOutputMulti(audio=base64.b64encode(b"xyz").decode(), contextId="c1")
    assert dialect.read(audio.model_dump_json(by_alias=True)).audio == b"xyz"
    assert dialect.read(
        types.FinalOutputMulti(isFinal=True, contextId="c1").model_dump_json(by_alias=True)
    ).over

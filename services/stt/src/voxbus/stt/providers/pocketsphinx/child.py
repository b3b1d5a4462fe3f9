"""The recognition process: ``python -m voxbus.stt.providers.pocketsphinx.child``. Requests on stdin, answers on stdout.

It ends when stdin ends, that is with the worker that started it, however that one ends.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from voxbus.common.audio import mulaw_decode
from voxbus.common.children.pipes import Pipes
from voxbus.common.errors import VoxbusError
from voxbus.stt.providers.pocketsphinx.decoder import SphinxDecoder
from voxbus.stt.providers.pocketsphinx.wire import (
    WIRE,
    Failed,
    Grammar,
    Hello,
    Message,
    Recognize,
    Recognized,
)


def _answer(decoder: SphinxDecoder, request: Recognize) -> Message:
    started = time.perf_counter()
    try:
        text, confidence = decoder.recognize(request.key, mulaw_decode(request.audio))
    except (VoxbusError, RuntimeError) as error:
        return Failed(request.number, f"{type(error).__name__}: {error}")
    return Recognized(request.number, text, confidence, (time.perf_counter() - started) * 1000)


def _serve(decoder: SphinxDecoder, pipes: Pipes[Message]) -> None:
    """A grammar that cannot be built fails in its own requests: the process serves the callers of all agents."""
    failed: dict[str, str] = {}
    while (message := pipes.next()) is not None:
        match message:
            case Grammar():
                try:
                    decoder.learn(message.key, message.jsgf)
                except (VoxbusError, RuntimeError, ValueError) as error:
                    failed[message.key] = f"{type(error).__name__}: {error}"
            case Recognize():
                reason = failed.get(message.key)
                pipes.send(Failed(message.number, reason) if reason else _answer(decoder, message))


def main() -> None:
    pipes = Pipes.of_process(WIRE)
    with tempfile.TemporaryDirectory(prefix="voxbus-stt-") as folder:
        try:
            decoder = SphinxDecoder(Path(folder))
        except (VoxbusError, RuntimeError, OSError) as error:
            pipes.send(Failed(0, str(error)))
            return
        pipes.send(Hello())
        _serve(decoder, pipes)


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        os._exit(0)  # the worker is gone; nobody is left to tell

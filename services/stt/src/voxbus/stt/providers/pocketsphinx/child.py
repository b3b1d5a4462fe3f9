"""The recognition process: ``python -m voxbus.stt.providers.pocketsphinx.child``. Requests on stdin, answers on stdout.

It ends when stdin ends, that is with the worker that started it, however that one ends.
"""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections import deque
from pathlib import Path

from voxbus.common.audio import mulaw_decode
from voxbus.common.errors import VoxbusError
from voxbus.stt.providers.pocketsphinx.decoder import SphinxDecoder
from voxbus.stt.providers.pocketsphinx.wire import (
    Failed,
    Grammar,
    Hello,
    Message,
    Reader,
    Recognize,
    Recognized,
    pack,
)


def _write(fd: int, message: Message) -> None:
    data = memoryview(pack(message))
    while data:
        data = data[os.write(fd, data) :]


def _answer(decoder: SphinxDecoder, request: Recognize) -> Message:
    started = time.perf_counter()
    try:
        text, confidence = decoder.recognize(request.key, mulaw_decode(request.audio))
    except (VoxbusError, RuntimeError) as error:
        return Failed(request.number, f"{type(error).__name__}: {error}")
    return Recognized(request.number, text, confidence, (time.perf_counter() - started) * 1000)


def _serve(decoder: SphinxDecoder, requests_fd: int, answers_fd: int) -> None:
    """A grammar that cannot be built fails in its own requests: the process serves the callers of all agents."""
    reader = Reader()
    requests: deque[Recognize] = deque()
    failed: dict[str, str] = {}
    while data := os.read(requests_fd, 1 << 20):
        for message in reader.feed(data):
            match message:
                case Grammar():
                    try:
                        decoder.learn(message.key, message.jsgf)
                    except (VoxbusError, RuntimeError, ValueError) as error:
                        failed[message.key] = f"{type(error).__name__}: {error}"
                case Recognize():
                    requests.append(message)
        while requests:
            request = requests.popleft()
            reason = failed.get(request.key)
            _write(answers_fd, Failed(request.number, reason) if reason else _answer(decoder, request))


def main() -> None:
    # Signals to the process group (ctrl-C, a supervisor's stop) are for the worker: it drains and needs us until then.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    # What the library prints must not get among the messages: stdout becomes stderr, the messages go to a copy of it.
    answers_fd = os.dup(1)
    os.dup2(2, 1)
    with tempfile.TemporaryDirectory(prefix="voxbus-stt-") as folder:
        try:
            decoder = SphinxDecoder(Path(folder))
        except (VoxbusError, RuntimeError, OSError) as error:
            _write(answers_fd, Failed(0, str(error)))
            return
        _write(answers_fd, Hello())
        _serve(decoder, 0, answers_fd)


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        os._exit(0)  # the worker is gone; nobody is left to tell

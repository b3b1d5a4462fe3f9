"""The synthesis process: ``python -m voxbus.tts.providers.espeak.child``. Requests on stdin, audio on stdout.

It ends when stdin ends, that is with the worker that started it, however that one ends.
"""

from __future__ import annotations

import os
import select
import signal
from collections import deque

from voxbus.common.audio import Pcm
from voxbus.tts.core_shape import Shaper, pause_after_ms
from voxbus.tts.providers.espeak.library import Espeak, EspeakError
from voxbus.tts.providers.espeak.wire import (
    Audio,
    Cancel,
    End,
    Failed,
    Hello,
    Message,
    Reader,
    Speak,
    VoiceInfo,
    pack,
)

_WARM_UP = "Good morning. This sentence is never heard; it makes the next one fast."


class Pipes:
    """Blocking messages over two file descriptors."""

    def __init__(self, requests_fd: int, audio_fd: int) -> None:
        self._requests_fd = requests_fd
        self._audio_fd = audio_fd
        self._reader = Reader()
        self._received: deque[Message] = deque()

    def next(self) -> Message | None:
        """The next request; None when there will be none."""
        while not self._received:
            if not self._read():
                return None
        return self._received.popleft()

    def cancelled(self, job: int) -> bool:
        """Whether a Cancel for the job is there by now. Requests never overlap, so nothing else can be."""
        while select.select([self._requests_fd], [], [], 0)[0]:
            if not self._read():
                return True
        return Cancel(job) in self._received

    def _read(self) -> bool:
        data = os.read(self._requests_fd, 65536)
        self._received.extend(self._reader.feed(data))
        return bool(data)

    def send(self, message: Message) -> None:
        data = memoryview(pack(message))
        while data:
            data = data[os.write(self._audio_fd, data) :]


def speak(espeak: Espeak, request: Speak, pipes: Pipes) -> None:
    """One request, answered: audio, then its end."""
    shaper = Shaper(espeak.hz)

    def on_samples(samples: Pcm) -> bool:
        if data := shaper.feed(samples):
            pipes.send(Audio(request.job, data))
        return pipes.cancelled(request.job)

    try:
        whole = espeak.speak(request.text, request.voice, request.rate, request.pitch, on_samples)
    except EspeakError:
        pipes.send(End(request.job, "voice_failed"))
        return
    if whole and (data := shaper.finish(pause_after_ms(request.text))):
        pipes.send(Audio(request.job, data))
    pipes.send(End(request.job, "" if whole else "cancelled"))


def warm_up(espeak: Espeak, voices: tuple[VoiceInfo, ...]) -> None:
    """Dictionaries are read and tables built with the first sentence: here, not in a call."""
    if any(voice.identifier == "gmw/en-US" for voice in voices):
        shaper = Shaper(espeak.hz)
        espeak.speak(_WARM_UP, "gmw/en-US", 165, 50, lambda samples: shaper.feed(samples) is None)
        shaper.finish()


def main() -> None:
    # Signals to the process group (ctrl-C, a supervisor's stop) are for the worker: it drains and needs us until then.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    # What a library prints must not get among the messages: stdout becomes stderr, the messages go to a copy of it.
    pipes = Pipes(0, os.dup(1))
    os.dup2(2, 1)
    try:
        espeak = Espeak()
        voices = espeak.voices()
        warm_up(espeak, voices)
    except EspeakError as error:
        pipes.send(Failed(str(error)))
        return
    pipes.send(Hello(espeak.version, voices, espeak.variants()))
    while (request := pipes.next()) is not None:
        if isinstance(request, Speak):  # a Cancel here came too late: its job has ended
            speak(espeak, request, pipes)


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        os._exit(0)  # the worker is gone; nobody is left to tell

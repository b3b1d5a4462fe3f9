"""The synthesis process: ``python -m voxbus.tts.providers.espeak.child``. Requests on stdin, audio on stdout.

It ends when stdin ends, that is with the worker that started it, however that one ends.
"""

from __future__ import annotations

import os

from voxbus.common.audio import Pcm
from voxbus.common.children.pipes import Pipes
from voxbus.tts.core_shape import Shaper, pause_after_ms
from voxbus.tts.providers.espeak.library import Espeak, EspeakError
from voxbus.tts.providers.espeak.wire import (
    WIRE,
    Audio,
    Cancel,
    End,
    Failed,
    Hello,
    Message,
    Speak,
    VoiceInfo,
)

_WARM_UP = "Good morning. This sentence is never heard; it makes the next one fast."


def _cancelled(pipes: Pipes[Message], job: int) -> bool:
    """Whether nobody wants the job any more. Requests never overlap, so only a Cancel can be there by now."""
    return not pipes.look() or Cancel(job) in pipes.received


def speak(espeak: Espeak, request: Speak, pipes: Pipes[Message]) -> None:
    """One request, answered: audio, then its end."""
    shaper = Shaper(espeak.hz)

    def on_samples(samples: Pcm) -> bool:
        if data := shaper.feed(samples):
            pipes.send(Audio(request.job, data))
        return _cancelled(pipes, request.job)

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
    pipes = Pipes.of_process(WIRE)
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

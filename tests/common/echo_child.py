"""A child process that says what it is told, and dies when it is told "die". It does not come up without ``TMPDIR``."""

from __future__ import annotations

import os
from typing import Final, NamedTuple

from voxbus.common.children.pipes import Pipes
from voxbus.common.children.wire import Wire


class Say(NamedTuple):
    text: str


class Said(NamedTuple):
    text: str
    pid: int


Message = Say | Said
WIRE: Final[Wire[Message]] = Wire(Say, Said)


def main() -> None:
    pipes = Pipes.of_process(WIRE)
    os.write(1, b"what a library prints")
    if os.environ.get("TMPDIR") == "nowhere":
        return
    pipes.send(Said("hello", os.getpid()))
    while (request := pipes.next()) is not None:
        if request == Say("die"):
            return
        pipes.send(Said(request.text, os.getpid()))


if __name__ == "__main__":
    main()

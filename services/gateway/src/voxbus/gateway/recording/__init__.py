"""Recordings: both sides of a call in a WAV file, while the call runs.

    core_tape   which frame of the agent lies beside which frame of the caller. Pure
    core_wav    the bytes of the file's header. Pure
    recorder    when a call is recorded, and what its log is told of it
    writer      the thread that all files are written in, and what waits for it
    wav_file    one file
    shelf       the directory: names, erasure, retention
    recordings  what all calls of a gateway share: directory, thread, expiry, removal on request

See docs/decisions/0020-recordings-begin-after-the-notice.md.
"""

from voxbus.gateway.recording.recorder import Recorder
from voxbus.gateway.recording.recordings import Recordings

__all__ = ["Recorder", "Recordings"]
